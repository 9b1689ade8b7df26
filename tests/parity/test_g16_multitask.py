"""Whole steps of multi-task training with DepthMix by the student's own depth, against the published system."""

import jax
import jax.numpy as jnp
import pytest
from compiler_options import FAST
from golden import recordings
from published_step import UPDATES
from step_comparison import Comparison, assert_mixed_alike, assert_same_updates, assert_updates, published_losses

from sde_seg_jax.geometry import camera
from sde_seg_jax.losses.cross_entropy import cross_entropy
from sde_seg_jax.losses.pseudo_label import confident_fraction, pseudo_label
from sde_seg_jax.tasks import multitask, semi_supervised
from sde_seg_jax.tasks.forward import forward, to_float
from sde_seg_jax.training.ema import update_rule
from sde_seg_jax.types import Streams

MIXES = {"depthcomp": "depth", "class": "class"}


def losses(run, logs):
    """The labelled part of depth is recorded alone, then with the unlabelled part."""
    found = published_losses(run, logs)
    weights = run.losses()
    unlabeled = sum(weights[name] * logs[f"unlabeled/{name}"] for name in ("photometric", "smoothness"))
    return found | {"mono_total_loss": found["mono_total_loss"] + unlabeled}


def pieces(run, mixer, before, streams):
    """Cross-entropies, mask and mixed probabilities of one update, from the task's parts."""
    student = before.student
    outputs, stats = forward(run.network, student.params, student.batch_stats, to_float(streams.labeled.image), None)
    both = [outputs.logits, outputs.intermediate_logits]
    entropies = [cross_entropy(x, streams.labeled.label.astype(jnp.int32)) for x in both if x is not None]
    image = to_float(streams.unlabeled.image)
    disparity = forward(run.network, student.params, stats, image, None)[0].disparity[0]
    _, mixed, mask, _ = mixer(before, streams, jax.random.key(0), disparity)
    return entropies, mask, mixed.probability


@pytest.mark.whole
@pytest.mark.parametrize("rec", recordings("g16_step_mtl"))
def test_two_updates(rec, monkeypatch):
    options = rec.params["unlabeled"]
    mix = {"mix": MIXES[options["mix_mask"]], "mix_margin": options["depthcomp_margin"], "teacher": "batch_stats"}

    def task(run):
        # The recorded K^-1 is a rounded pseudo-inverse (Q2), which float64 tells from ours, the exact one.
        inverse = jnp.asarray(rec.input("inv_K", run.dtype)[:, :3, :3])
        monkeypatch.setattr(camera, "inverse_matrix", lambda intrinsics: inverse)
        loss = multitask.make_loss(
            run.network,
            losses=run.losses(),
            tie_break=0.0,
            consistency=options["consistency_weight"],
            jitter_probability=0.0,
            blur_probability=0.0,
            **mix,
        )
        # The recorded batch also has pseudo depth, which would mix instead of the student's own.
        unlabeled = lambda n: run.unlabeled(n).replace(disparity=None)  # noqa: E731
        streams = lambda n: Streams(labeled=run.batch(f"l{n}"), unlabeled=unlabeled(n))  # noqa: E731
        return loss, streams, update_rule("batch_stats")

    def check(run, updates):
        mixer = semi_supervised.make_mixing(run.network, **mix)
        look = jax.jit(lambda *now: pieces(run, mixer, *now), compiler_options=FAST)
        seen = [look(done.before, done.streams) for done in updates]
        alike = [
            assert_mixed_alike(
                run, number, mask[..., 0], pseudo_label(opinion), opinion, [confident_fraction(opinion)] * 3
            )
            for number, (_, mask, opinion) in zip(UPDATES, seen, strict=True)
        ]
        assert_same_updates(run, updates, losses, ties=not all(alike))
        for number, done, (entropies, *_) in zip(UPDATES, updates, seen, strict=True):
            compare = Comparison(run, number, done, ties=not all(alike))
            compare.assert_value("ce_calls", entropies)
            compare.assert_value("pseudo_calls", [done.logs["agreement"]])

    assert_updates(rec, task, check)
