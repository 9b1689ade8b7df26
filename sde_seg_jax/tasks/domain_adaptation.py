"""Semi-supervised and unsupervised domain adaptation: labeled synthetic images join few or no target labels.

Streams: `labeled` (target, few labels), `unlabeled` (target, all images), `source` (labeled synthetic images).
Source image i is pasted on unlabeled target image i.

See METHOD 5 in docs/reference/method.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

import jax
import jax.numpy as jnp

from sde_seg_jax.mixing.rule import find_rule
from sde_seg_jax.mixing.strong import Strong, augmentation
from sde_seg_jax.options import flat, pick
from sde_seg_jax.tasks import domain_mixing, semi_supervised
from sde_seg_jax.tasks.depth import collapsed, focal_lengths, monitors
from sde_seg_jax.tasks.forward import forward, to_float
from sde_seg_jax.tasks.known_disparity import known_disparity
from sde_seg_jax.tasks.loss_terms import imitates, reads_label, terms
from sde_seg_jax.tasks.motion import poses_and_intrinsics, triplet
from sde_seg_jax.tasks.options import LABELED, UNLABELED, CrossMixing, Domains, Mixing, Photometric
from sde_seg_jax.tasks.task import Losses, Options, Task
from sde_seg_jax.training.step import Aux, split_named
from sde_seg_jax.types import Batch, Outputs, Params, Streams, TrainState, View


def sorted_terms(losses: Losses) -> tuple[set[str], set[str], set[str]]:
    """Names of the terms that read labels, of those that imitate a disparity, of all others (target sequences).

    Raises ValueError without a term of the first kind, and for `feature_distance`.
    """
    if "feature_distance" in losses:
        raise ValueError("task 'domain_adaptation' has no ImageNet reference encoder; remove losses.feature_distance")
    label = set(filter(reads_label, losses))
    reference = set(filter(imitates, losses)) - label
    if not label:
        raise ValueError("task 'domain_adaptation' learns from labels; add losses.cross_entropy")
    return label, reference, set(losses) - label - reference


def streams(losses: Losses, options: Options) -> dict[str, tuple[str, ...]]:
    """Stream -> optional fields it reads; a part of weight 0 reads nothing.

    With task.target=0 no target label is read at all: what learns from sequences reads the unlabeled ones then.
    Raises ValueError that names the keys if nothing labeled is left, or nothing that a term could learn from.
    """
    _, reference, sequence = sorted_terms(losses)
    labeled, source = bool(options["target"]), bool(options["source"])
    if not labeled and not source:
        raise ValueError("task.source and task.target are both 0, so that no label is learnt; set one of them above 0")
    if reference and not source:
        raise ValueError(
            f"losses.{min(reference)} imitates the source's disparity; set task.source above 0 or remove it"
        )
    frames = ("neighbors",) if "photometric" in losses else ()
    found: dict[str, tuple[str, ...]] = {}
    if labeled:
        found["labeled"] = ("label", *frames)
    if options["intra_domain"] or options["cross_domain"] or (sequence and not labeled):
        found["unlabeled"] = ("label",) if labeled else frames
    if source or options["cross_domain"]:
        found["source"] = ("label",)
    return found


def cached(losses: Losses, options: Options) -> tuple[str, ...]:
    """Streams that may carry cached disparities, which replace the depth networks'."""
    _, reference, _ = sorted_terms(losses)
    across = options["cross_domain"] and find_rule(options["cross_mix"], "task.cross_mix").reads_depth
    within = options["intra_domain"] and find_rule(options["mix"]).reads_depth
    labeled = (LABELED,) if within and pick(Mixing, options).kept == LABELED else ()
    return (*((UNLABELED,) if across or within else ()), *labeled, *(("source",) if across or reference else ()))


def has_teacher(losses: Losses, options: Options) -> bool:
    """Only mixes ask a teacher."""
    return bool(options["intra_domain"] or options["cross_domain"])


def needs(losses: Losses, options: Options) -> tuple[str, ...]:
    """Parts of the network."""
    _, reference, sequence = sorted_terms(losses)
    depth = ("depth",) if reference or sequence else ()
    return (*depth, "segmentation", *(("pose",) if "photometric" in losses else ()))


@flat
def make_loss(
    network,
    *,
    losses: Losses,
    domains: Domains = Domains(),
    mixing: CrossMixing = CrossMixing(),
    strong: Strong = Strong(),
    photometric: Photometric = Photometric(),
    depth_network=None,
    source_depth_network=None,
    class_shares=None,
):
    """source x terms on source + target x terms on labeled target + intra_domain, cross_domain x losses on mixes.

    A weight of 0 removes its part and what only that part computes. Terms that read labels act on the source and on the
    labeled target images, terms that imitate a disparity (`berhu`) on the source images, all others (`photometric`,
    `smoothness`) on the sequences of the labeled target images, or, with target=0, with weight 1 on those of the
    unlabeled ones. The disparities are the batches' cached ones, or those of depth_network with state.frozen["depth"]
    and of source_depth_network with state.frozen["source_depth"].
    class_shares [C]: of the labeled target pixels, for mixing.prior. mixing.views and mixing.complementary are of mixes
    within the target; those across the domains have one view.
    The pose network sees the un-mixed sequences alone; the published one also runs on a mix, to no effect.
    See Q7 in docs/record/differences.md.
    """
    streams(losses, dataclasses.asdict(domains))  # refuses what cannot be learnt
    if not domains.target and (mixing.prior or mixing.kept == LABELED):
        raise ValueError("task.prior and task.kept=labeled read labels of the target; set task.target above 0")
    label, reference, sequence = sorted_terms(losses)
    reads = sequence | label if domains.target else sequence
    on_target = _on_target(network, {name: losses[name] for name in losses if name in reads}, photometric)
    on_source = _on_source({name: losses[name] for name in losses if name in label | reference}, source_depth_network)
    given = {"depth_network": depth_network, "source_depth_network": source_depth_network, "class_shares": class_shares}
    mix = domain_mixing.make_mixing(network, domains=domains, mixing=mixing, **given)
    augment = augmentation(strong)

    def loss(params, state: TrainState, streams: Streams, rng):
        r = split_named(rng, "mix", "strong", "cross_strong", "dropout", "terms", "source_terms")
        batch = streams.labeled if domains.target else streams.unlabeled
        mixed, images = mix(state, streams, r["mix"]), {}
        if reads:
            images["target"] = to_float(batch.image)
        if domains.source:
            images["source"] = to_float(streams.source.image)
        if domains.cross_domain:
            images["across"] = augment(mixed.across.image, r["cross_strong"])
        if domains.intra_domain:
            images["within"] = augment(mixed.within.image, r["strong"])
        outputs, stats = _forward_each(network, params, state.student.batch_stats, images, r["dropout"], mixing)

        learnt = []  # (weight, loss, logs) of each part
        if reads:
            value, found, stats = on_target(params, stats, batch, outputs["target"], r["terms"])
            learnt.append((domains.target or 1.0, value, found))
        if domains.source:
            learnt.append((domains.source, *on_source(state, streams.source, outputs["source"], r["source_terms"])))
        if domains.cross_domain:
            across = domain_mixing.agree(outputs["across"], mixed.across, mixing.divisor)
            learnt.append((mixing.ramped(domains.cross_domain, state.step), *across))
        if domains.intra_domain:
            within = semi_supervised.agree(outputs["within"], mixed.within, mixed.within_mask, mixing)
            learnt.append((mixing.ramped(domains.intra_domain, state.step), *within))
        total = sum(weight * value for weight, value, _ in learnt)
        logs = {name: value for *_, found in learnt for name, value in found.items()}
        return total, Aux(stats, logs, mixed.teacher_stats)

    return loss


def _on_target(network, losses: Losses, photometric: Photometric) -> Callable:
    """(params, stats, batch, outputs, rng) -> (loss of the terms on a target batch, logs, new running statistics)."""
    options = photometric.of_terms()

    def learn(params, stats, batch: Batch, outputs: Outputs, rng):
        view, found, stats = _target_view(network, params, stats, batch, outputs, losses)
        value, logs = terms(losses, view, rng, options)
        return value, logs | found, stats

    return learn


def _on_source(losses: Losses, depth_network) -> Callable:
    """(state, batch, outputs, rng) -> (loss of the terms on a source batch, logs)."""
    by_reference = any(imitates(name) and not reads_label(name) for name in losses)

    def learn(state: TrainState, batch: Batch, outputs: Outputs, rng):
        known = known_disparity(depth_network, state, batch, "source_depth") if by_reference else None
        value, logs = terms(losses, _view(batch, outputs, known), rng)
        return value, {f"source/{name}": term for name, term in logs.items()}

    return learn


def _forward_each(
    network, params, stats, images: dict[str, jax.Array], dropout, mixing: Mixing
) -> tuple[dict[str, Outputs], Params]:
    """`forward` on one group of images after the other: (outputs by name, running statistics after all of them).

    Each group is normalized by its own statistics. In the published order (target, source, across, within), so that
    the running statistics are the published ones. Mapped over the groups (jax.vmap) the same numbers come slower.
    """
    outputs = {}
    for (name, image), key in zip(images.items(), jax.random.split(dropout, len(images)), strict=True):
        if name == "within":
            outputs[name], stats = semi_supervised.see(network, params, stats, image, key, mixing)
        else:
            outputs[name], stats = forward(network, params, stats, image, key)
    return outputs, stats


def _target_view(
    network, params, stats, batch: Batch, outputs: Outputs, losses: Collection[str]
) -> tuple[View, dict[str, jax.Array], Params]:
    """(what the terms on a target batch see, logs of its geometry, new running statistics)."""
    view = _view(batch, outputs)
    if "photometric" not in losses:
        return view, {}, stats
    clean = triplet(batch)
    poses, intrinsics, stats = poses_and_intrinsics(network, params, stats, clean, batch.intrinsics)
    view = view.replace(sources=clean[:, 1:], source_from_target=poses, intrinsics=intrinsics)
    return view, monitors(view) | focal_lengths(network, view), stats


def _view(batch: Batch, outputs: Outputs, disparity: jax.Array | None = None) -> View:
    label = None if batch.label is None else batch.label.astype(jnp.int32)
    known = None if disparity is None else jax.lax.stop_gradient(disparity)
    return View(image=to_float(batch.image), outputs=outputs, label=label, reference_disparity=known)


TASK = Task(make_loss, streams, needs, cached, has_teacher, domain_mixing.make_mixer, collapsed)
