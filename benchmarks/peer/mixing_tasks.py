"""What learns from an EMA teacher on mixed images: semi-supervised, multi-task, domain adaptation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from peer import augment, mixing
from peer.batches import DepthOptions, Found, PeerBatch, View, terms
from peer.depth_tasks import Loss, observe
from peer.losses import confident_fraction, cross_entropy, pseudo_label
from peer.modes import Networks

Strong = Mapping[str, float]  # keyword arguments of augment.strong_augment
MARGINS = {"random": mixing.random_margins, "fixed": mixing.fixed_margins}


class Pseudo(NamedTuple):
    """Images with the teacher's opinion."""

    image: Tensor
    probability: Tensor  # [B,C,H,W]: ground truth where a sample has one
    disparity: Tensor  # [B,1,H,W], normalized


class Mixed(NamedTuple):
    """What the student learns from, besides the image before its augmentation."""

    image: Tensor
    label: Tensor
    weight: Tensor  # scalar, or [B,H,W]
    pasted: Tensor  # share of the pixels


class Mixer(NamedTuple):
    """The stages of mixing, compiled where the mode is."""

    opinion: Callable[..., Pseudo]
    within: Callable[..., Mixed]
    across: Callable[..., tuple[Mixed, Tensor]]
    learn: Callable[..., Found]
    agree: Callable[..., Tensor]


def _mixer(networks: Networks) -> Mixer:
    return Mixer(*map(networks.mode.compile, (opinion, mix_within, mix_across, terms, cross_entropy)))


@torch.no_grad()
def opinion(image: Tensor, logits: Tensor, disparity: Tensor, label: Tensor, labeled: Tensor) -> Pseudo:
    """The teacher's logits and a disparity at the size of the image."""
    height, width = image.shape[2:]
    probability = mixing.teacher_probability(logits, label, labeled, height=height, width=width)
    return Pseudo(image, probability, mixing.comparable(disparity, height, width))


@torch.no_grad()
def mix_within(pseudo: Pseudo, margin: float, confidence: float) -> Mixed:
    """DepthMix: each sample is pasted on the next one of the batch."""
    below = Pseudo(*map(mixing.next_in_batch, pseudo))
    mask = mixing.depth_mix_mask(pseudo.disparity, below.disparity, margin)
    probability = mixing.paste(pseudo.probability, below.probability, mask)
    image = mixing.paste(pseudo.image, below.image, mask)
    sure = confident_fraction(probability, confidence)
    return Mixed(image, pseudo_label(probability), sure, mask.float().mean())


@torch.no_grad()
def mix_across(
    image: Tensor,
    label: Tensor,
    disparity: Tensor,
    target: Pseudo,
    labeled: Tensor,
    margin: float,
    confidence: float,
    margin_sign: str,
) -> tuple[Mixed, Tensor]:
    """Source images [B,3,H,W], with labels and disparities, pasted on target images; and the confident share."""
    disparity = mixing.comparable(disparity, *image.shape[2:])
    mask = mixing.cross_depth_mask(disparity, target.disparity, MARGINS[margin_sign](disparity, margin))
    sure = mixing.confident_share(target.probability, labeled, confidence)
    pasted = mixing.paste(label, pseudo_label(target.probability), mask)
    weight = mixing.pixel_weights(mask, sure)
    return Mixed(mixing.paste(image, target.image, mask), pasted, weight, mask.float().mean()), sure


def semi_supervised(
    networks: Networks,
    losses: Mapping[str, float],
    *,
    consistency: float,
    mix_margin: float,
    confidence: float,
    strong: Strong,
) -> Loss:
    """Labels, and agreement with the teacher on DepthMix-ed images by the disparity of a frozen network."""
    mixer = _mixer(networks)

    def loss(streams: Mapping[str, PeerBatch]) -> Found:
        batch = streams["labeled"]
        total, logs = mixer.learn(losses, View(networks.train(batch.image()), label=batch.label))

        pseudo = _frozen_opinion(networks, mixer, streams["unlabeled"])
        mixed = mixer.within(pseudo, mix_margin, confidence)
        outputs = networks.train(augment.strong_augment(mixed.image, **strong))
        agreement = mixer.agree(outputs.logits, mixed.label, mixed.weight)
        return total + consistency * agreement, logs | _agreed(agreement, mixed)

    return loss


def multitask(
    networks: Networks,
    losses: Mapping[str, float],
    *,
    consistency: float,
    mix_margin: float,
    confidence: float,
    strong: Strong,
    pose_on_mixed: bool,
    min_depth: float,
    max_depth: float,
    tie_break: float,
) -> Loss:
    """Labels and depth on labeled triplets, depth on unlabeled ones, agreement on their mix by the own disparity."""
    mixer, options = _mixer(networks), DepthOptions(min_depth, max_depth, tie_break)
    without_label = {name: weight for name, weight in losses.items() if name != "cross_entropy"}

    def loss(streams: Mapping[str, PeerBatch]) -> Found:
        batch = streams["labeled"]
        clean = batch.triplet()
        total, logs = mixer.learn(losses, observe(networks, batch, clean, clean), options)

        batch = streams["unlabeled"]
        clean = batch.triplet()
        view = observe(networks, batch, clean, clean)
        unlabeled, found = mixer.learn(without_label, view, options)
        logs |= {f"unlabeled/{name}": value for name, value in found.items()}

        logits, disparity = networks.ask_teacher(clean[:, 0]).logits, view.outputs.disparity[0].detach()
        pseudo = mixer.opinion(clean[:, 0], logits, disparity, batch.label, batch.labeled)
        mixed = mixer.within(pseudo, mix_margin, confidence)
        image = augment.strong_augment(mixed.image, **strong)
        outputs = networks.train(image)
        if pose_on_mixed:  # moves its running statistics; no loss reads the poses
            with torch.no_grad():
                networks.poses(torch.cat([image[:, None], clean[:, 1:]], dim=1))
        agreement = mixer.agree(outputs.logits, mixed.label, mixed.weight)
        return total + unlabeled + consistency * agreement, logs | _agreed(agreement, mixed)

    return loss


def domain_adaptation(
    networks: Networks,
    losses: Mapping[str, float],
    *,
    source: float,
    target: float,
    intra_domain: float,
    cross_domain: float,
    mix_margin: float,
    margin_sign: str,
    confidence: float,
    strong: Strong,
) -> Loss:
    """Labels of target and source, agreement on target images mixed with each other and with source images."""
    mixer = _mixer(networks)

    def loss(streams: Mapping[str, PeerBatch]) -> Found:
        labeled, unlabeled, synthetic = streams["labeled"], streams["unlabeled"], streams["source"]
        image = synthetic.image()
        pseudo = _frozen_opinion(networks, mixer, unlabeled)
        within = mixer.within(pseudo, mix_margin, confidence)
        disparity = networks.ask_frozen("source_depth", image).disparity[0]
        margins = (mix_margin, confidence, margin_sign)
        across, sure = mixer.across(image, synthetic.label, disparity, pseudo, unlabeled.labeled, *margins)

        first, logs = mixer.learn(losses, View(networks.train(labeled.image()), label=labeled.label))
        second, found = mixer.learn(losses, View(networks.train(image), label=synthetic.label))
        logs |= {f"source/{name}": value for name, value in found.items()}
        outputs = networks.train(augment.strong_augment(across.image, **strong))
        third = mixer.agree(outputs.logits, across.label, across.weight)
        logs |= {"cross/agreement": third, "cross/confident": sure, "cross/pasted": across.pasted}
        outputs = networks.train(augment.strong_augment(within.image, **strong))
        fourth = mixer.agree(outputs.logits, within.label, within.weight)
        total = target * first + source * second + cross_domain * third + intra_domain * fourth
        return total, logs | _agreed(fourth, within)

    return loss


def _frozen_opinion(networks: Networks, mixer: Mixer, batch: PeerBatch) -> Pseudo:
    image = batch.image()
    logits = networks.ask_teacher(image).logits
    disparity = networks.ask_frozen("depth", image).disparity[0]
    return mixer.opinion(image, logits, disparity, batch.label, batch.labeled)


def _agreed(agreement: Tensor, mixed: Mixed) -> dict[str, Tensor]:
    return {"agreement": agreement, "confident": mixed.weight, "pasted": mixed.pasted}
