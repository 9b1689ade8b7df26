"""Whole steps of domain adaptation, segmentation alone and multi-task, against the published system."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import recordings
from published_step import UPDATES
from step_comparison import Comparison, assert_mixed_alike, assert_same_updates, assert_updates

from sde_seg_jax.geometry import camera
from sde_seg_jax.losses import cross_entropy
from sde_seg_jax.losses.pseudo_label import pseudo_label
from sde_seg_jax.mixing import cross_domain, masks
from sde_seg_jax.models.batch_norm import MOMENTUM
from sde_seg_jax.tasks import domain_adaptation, domain_mixing
from sde_seg_jax.tasks.motion import source_poses, triplet
from sde_seg_jax.training.ema import update_rule
from sde_seg_jax.types import Streams


@pytest.fixture
def inside(monkeypatch):
    """Shows what is mixed inside a step, lets it draw as recorded, and runs what only the published step runs."""
    seen = {}
    make_mixing, entropy = domain_mixing.make_mixing, cross_entropy.cross_entropy
    # The recorded disparities are not normalised to [0,1]; ours are, whoever made them (decisions 8 and 23).
    monkeypatch.setattr(masks, "normalize_disparity", lambda disparity: disparity)

    def watched(*args, **options):
        mixing = make_mixing(*args, **options)

        def keep(state, streams, rng):
            seen["mixed"] = mixing(state, streams, rng)
            return seen["mixed"]

        return keep

    monkeypatch.setattr(domain_mixing, "make_mixing", watched)

    def listed(*args):
        seen["ce_calls"].append(entropy(*args))
        return seen["ce_calls"][-1]

    monkeypatch.setattr(cross_entropy, "cross_entropy", listed)

    def wrapper(run, make_loss):
        draws = jnp.asarray(run.params["margin_flip_draws"], run.dtype)
        drawn = lambda key, disparity, margin: cross_domain.signed_margins(draws[seen["step"]], margin)  # noqa: E731
        monkeypatch.setitem(domain_mixing.MARGINS, "random", drawn)
        loss = make_loss()

        def wrapped(params, state, streams, rng):
            seen.update(step=state.step, ce_calls=[])
            value, aux = loss(params, state, streams, rng)
            mixed, stats = seen["mixed"], aux.batch_stats
            if run.has("pose"):  # it ran on the mix within the target, too, and to no effect but this (Q7)
                frames = triplet(streams.unlabeled).at[:, 0].set(mixed.within.image)
                _, stats = source_poses(run.network, params, stats, frames)
            # The published teacher predicted the same images twice, once for each mix.
            twice = jax.tree.map(moved_again, state.teacher.batch_stats, aux.teacher_stats)
            logs = aux.logs | {"mixed": mixed, "ce_calls": jnp.stack(seen["ce_calls"])}
            return value, aux.replace(batch_stats=stats, teacher_stats=twice, logs=logs)

        return wrapped

    return wrapper


def moved_again(before, once):
    """A running statistic after a second batch like the first: once = keep * before + change."""
    keep = 1 - MOMENTUM
    return keep * once + (once - keep * before)


def losses(run, logs):
    """The recorded loss names for our logs."""
    part = {name: weight * logs[name] for name, weight in run.losses().items()}
    return {
        "feat_dist_loss": 0,
        "mono_loss": part.get("photometric", 0) + part.get("smoothness", 0),
        "pseudo_depth_loss": 0,
        "segmentation_loss": part["cross_entropy"],
        "source_feat_dist_loss": 0,
        "source_mono_loss": 0,
        "source_pseudo_depth_loss": 0,
        "source_segmentation_loss": logs["source/cross_entropy"],
        "unlabeled_loss": logs["agreement"] + logs["cross/agreement"],
        "total_loss": logs["loss"],
    }


@pytest.mark.whole
@pytest.mark.parametrize("rec", recordings("g16_step_ssda"))
def test_two_updates(rec, inside, monkeypatch):
    options = rec.params["unlabeled"]

    def task(run):
        if run.has("pose"):
            # The recorded K^-1 is a rounded pseudo-inverse (Q2), which float64 tells from ours, the exact one.
            inverse = jnp.asarray(rec.input("inv_K", run.dtype)[:, :3, :3])
            monkeypatch.setattr(camera, "inverse_matrix", lambda intrinsics: inverse)

        def make_loss():
            return domain_adaptation.make_loss(
                run.network,
                losses=run.losses(),
                intra_domain=options["consistency_weight"],
                cross_domain=options["consistency_weight"],
                mix_margin=options["depthcomp_margin"],
                tie_break=0.0,
                jitter_probability=0.0,
                blur_probability=0.0,
            )

        def streams(n):
            return Streams(labeled=run.batch(f"l{n}"), unlabeled=run.unlabeled(n), source=run.batch(f"s{n}"))

        return inside(run, make_loss), streams, update_rule("batch_stats")

    def check(run, updates):
        alike = [same_mixes(run, number, done.logs) for number, done in zip(UPDATES, updates, strict=True)]
        ties = not all(alike)
        assert_same_updates(run, updates, losses, ties=ties)
        for number, done in zip(UPDATES, updates, strict=True):
            compare = Comparison(run, number, done, ties)
            compare.assert_value("ce_calls", done.logs["ce_calls"])
            compare.assert_value("pseudo_calls", [done.logs["cross/agreement"], done.logs["agreement"]])

    assert_updates(rec, task, check)


def same_mixes(run, number, logs) -> bool:
    """Recorded are 0, the mix across domains, and 1, that within the target."""
    within, across = logs["mixed"].within, logs["mixed"].across
    weight = np.asarray(across.weight)
    weights = [weight.mean(), weight.min(), weight.max()]
    same = assert_mixed_alike(run, number, None, across.label, logs["mixed"].target.probability, weights)
    label, mask = pseudo_label(within.probability), logs["mixed"].within_mask[..., 0]
    return assert_mixed_alike(run, number, mask, label, within.probability, logs["confident"], mix=1) and same
