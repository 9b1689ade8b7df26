"""Whole steps of semi-supervised segmentation (DepthMix, ClassMix) and of the depth student, as published."""

import jax.numpy as jnp
import numpy as np
import pytest
from golden import recordings
from published_step import CLASSES, UPDATES
from step_comparison import Comparison, assert_mixed_alike, assert_same_updates, assert_updates

from sde_seg_jax.losses.pseudo_label import pseudo_label
from sde_seg_jax.mixing import masks
from sde_seg_jax.tasks import semi_supervised, student_depth
from sde_seg_jax.training.ema import update_rule
from sde_seg_jax.types import Streams

MIXES = {"depthcomp": "depth", "class": "class"}


@pytest.fixture
def inside(monkeypatch):
    """Shows what is mixed inside a step, and lets it mix as recorded: a wrapper of losses, for a recording."""
    seen = {}
    paste, class_mask = semi_supervised.paste, masks.class_mask
    # The recorded disparities are not normalised to [0,1]; ours are, whoever made them (decisions 8 and 23).
    monkeypatch.setattr(masks, "normalize_disparity", lambda disparity: disparity)

    def watched(a, b, mask):
        mixed = paste(a, b, mask)
        label = pseudo_label(mixed.probability).astype(jnp.int16)
        seen.update(mask=mask[..., 0].astype(jnp.uint8), target=label, probability=mixed.probability)
        return mixed

    monkeypatch.setattr(semi_supervised, "paste", watched)

    def wrapper(rec, loss):
        if rec.params["unlabeled"]["mix_mask"] == "class":
            classes = jnp.asarray(np.stack([drawn_classes(rec, number) for number in UPDATES]))
            draw = lambda label, key, count: class_mask(label, classes[seen["step"]])  # noqa: E731
            monkeypatch.setattr(masks, "class_mix_mask", draw)

        def wrapped(params, state, streams, rng):
            seen["step"] = state.step
            value, aux = loss(params, state, streams, rng)
            return value, aux.replace(logs=aux.logs | {key: seen[key] for key in ("mask", "target", "probability")})

        return wrapped

    return wrapper


def drawn_classes(rec, number: int) -> np.ndarray:
    """[B,C] classes that the recorded mask keeps, -1 where it keeps less: those of the pseudo label inside it."""
    mask, label = (rec[f"out.s{number}.{name}"] for name in ("intra_mix_mask", "pseudo_target_0"))
    kept = [np.unique(found[inside == 1]) for found, inside in zip(label, mask, strict=True)]
    return np.stack([np.pad(k, (0, CLASSES - len(k)), constant_values=-1) for k in kept]).astype(np.int32)


@pytest.mark.whole
@pytest.mark.parametrize("rec", recordings("g16_step_semisup"))
def test_two_semi_supervised_updates(rec, inside):
    options = rec.params["unlabeled"]

    def task(run):
        loss = semi_supervised.make_loss(
            run.network,
            losses=run.losses(),
            consistency=options["consistency_weight"],
            mix=MIXES[options["mix_mask"]],
            mix_margin=options["depthcomp_margin"],
            jitter_probability=0.0,
            blur_probability=0.0,
        )
        streams = lambda n: Streams(labeled=run.batch(f"l{n}"), unlabeled=run.unlabeled(n))  # noqa: E731
        return inside(rec, loss), streams, update_rule("batch_stats")

    def check(run, updates):
        keys = ("mask", "target", "probability", "confident")
        found = [(n, *(done.logs[key] for key in keys)) for n, done in enumerate(updates, 1)]
        ties = not all([assert_mixed_alike(run, *each) for each in found])
        assert_same_updates(run, updates, ties=ties)
        for number, done in zip(UPDATES, updates, strict=True):
            compare = Comparison(run, number, done, ties)
            compare.assert_value("ce_calls", [done.logs["cross_entropy"]])
            compare.assert_value("pseudo_calls", [done.logs["agreement"]])

    assert_updates(rec, task, check)


@pytest.mark.whole
@pytest.mark.parametrize("rec", recordings("g16_step_active"))
def test_two_updates_of_the_depth_student(rec):
    def task(run):
        loss = student_depth.make_loss(run.network, losses=run.losses())
        return loss, lambda number: Streams(labeled=run.batch(f"l{number}"))

    def check(run, updates):
        assert_same_updates(run, updates)
        for number, done in zip(UPDATES, updates, strict=True):
            Comparison(run, number, done).assert_value("ce_calls", [done.logs["cross_entropy"]])

    assert_updates(rec, task, check)
