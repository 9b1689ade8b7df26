"""Multi-task learning: segmentation and self-supervised depth trained together, mixing by the student's own depth.

The network exchanges features between its decoders (`model.distillation_level`). See METHOD 2 and METHOD 3 in
docs/reference/method.md.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from sde_seg_jax.bounds import NotNegative
from sde_seg_jax.mixing.strong import Strong, augmentation
from sde_seg_jax.options import flat
from sde_seg_jax.tasks import semi_supervised
from sde_seg_jax.tasks.depth import collapsed, focal_lengths, monitors, observe
from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.tasks.loss_terms import reads_label, terms
from sde_seg_jax.tasks.motion import source_poses, triplet
from sde_seg_jax.tasks.options import LABELED, Mixing, Photometric
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.tasks.task import Losses, Task, always
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Streams, TrainState

FIELDS = ("label", "neighbors")


@flat
def make_loss(
    network,
    *,
    losses: Losses,
    photometric: Photometric = Photometric(),
    consistency: NotNegative = 1.0,
    mixing: Mixing = Mixing(),
    strong: Strong = Strong(),
    pose_on_mixed: bool = True,
    class_shares=None,
):
    """All `losses` on the labeled triplets, those without ground truth on the unlabeled ones, consistency on mixed.

    The options of depth are those of the task `depth`, the options of mixing those of `semi_supervised`. The
    disparity for mixing is the student's own in this step, or the batch's, where it carries cached ones.
    pose_on_mixed: the pose network also runs on the mixed images, as published; that moves its running statistics,
    which training never reads (Q7 in docs/record/differences.md).
    """
    options = photometric.of_terms()
    without_label = {name: w for name, w in losses.items() if not reads_label(name)}
    mix = semi_supervised.make_mixing(network, mixing=mixing, class_shares=class_shares)
    augment = augmentation(strong)

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "labeled", "terms", "unlabeled", "unlabeled_terms", "mix", "strong", "mixed")
        batch, clean = streams.labeled, triplet(streams.labeled)
        view, stats = observe(network, params, state.student.batch_stats, batch, clean, clean, r["labeled"])
        seen = _with_own(streams, labeled=view.outputs.disparity[0])
        view = view.replace(label=batch.label.astype(jnp.int32))
        total, logs = terms(losses, view, r["terms"], options)

        batch, clean = streams.unlabeled, triplet(streams.unlabeled)
        view, stats = observe(network, params, stats, batch, clean, clean, r["unlabeled"])
        unlabeled, found = terms(without_label, view, r["unlabeled_terms"], options)
        logs |= {f"unlabeled/{name}": value for name, value in found.items()}

        own = view.outputs.disparity[0] if batch.disparity is None else None
        _, mixed, mask, teacher_stats = mix(state, seen, r["mix"], own)
        image = augment(mixed.image, r["strong"])
        outputs, stats = semi_supervised.see(network, params, stats, image, r["mixed"], mixing)
        if pose_on_mixed:  # of several views the first
            _, stats = source_poses(network, params, stats, clean.at[:, 0].set(image[: len(clean)]))
        agreement, found = semi_supervised.agree(outputs, mixed, mask, mixing)
        total = total + unlabeled + mixing.ramped(consistency, state.step) * agreement
        return total, Aux(stats, logs | found | monitors(view) | focal_lengths(network, view), teacher_stats)

    return loss


@flat
def make_mixer(network, *, mixing: Mixing = Mixing(), class_shares=None, **_) -> Callable:
    """As `semi_supervised.make_mixer`, with the disparity that the student predicts."""
    mix = semi_supervised.make_mixing(network, mixing=mixing, class_shares=class_shares)

    def mixer(state: TrainState, streams: Streams, rng: jax.Array) -> dict[str, Mix]:
        own = None
        if streams.unlabeled.disparity is None:
            own = predict(network, state.student, to_float(streams.unlabeled.image)).disparity[0]
        if mixing.kept == LABELED:
            found = predict(network, state.student, to_float(streams.labeled.image))
            streams = _with_own(streams, labeled=found.disparity[0])
        return {"mixing": semi_supervised.as_mix(*mix(state, streams, rng, own)[:3])}

    return mixer


def _with_own(streams: Streams, labeled: jax.Array) -> Streams:
    """The streams with the student's disparity [B,h,w,1] of the labeled images, unless they carry a cached one."""
    if streams.labeled.disparity is not None:
        return streams
    return streams.replace(labeled=streams.labeled.replace(disparity=labeled[..., 0]))


TASK = Task(
    make_loss,
    streams=always({"labeled": FIELDS, "unlabeled": FIELDS}),
    needs=always(("depth", "segmentation", "pose")),
    cached=semi_supervised.cached,  # disparities that a batch carries mix then
    teacher=always(True),
    make_mixer=make_mixer,
    problem=collapsed,
)
