"""What learns without a teacher: depth from video, segmentation from labels, a disparity from a trained network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from peer import augment
from peer.batches import DepthOptions, Found, PeerBatch, View, terms
from peer.modes import Networks

Loss = Callable[[Mapping[str, PeerBatch]], Found]


def depth(
    networks: Networks,
    losses: Mapping[str, float],
    *,
    jitter: float,
    min_depth: float,
    max_depth: float,
    tie_break: float,
) -> Loss:
    """Photometric error, smoothness and feature distance of triplets; the networks see jittered frames."""
    options = DepthOptions(min_depth, max_depth, tie_break)
    evaluate = networks.mode.compile(terms)

    def loss(streams: Mapping[str, PeerBatch]) -> Found:
        batch = streams["unlabeled"]
        clean = batch.triplet()
        seen = augment.color_jitter(clean, probability=jitter)
        view = observe(networks, batch, clean, seen)
        if "feature_distance" in losses:
            view = view._replace(bottleneck=networks.ask_frozen("imagenet", seen[:, 0]).bottleneck)
        return evaluate(losses, view, options)

    return loss


def observe(networks: Networks, batch: PeerBatch, clean: Tensor, seen: Tensor) -> View:
    """One training pass over triplets [B,3,3,H,W]: `clean` frames are compared, those `seen` go to the networks."""
    outputs = networks.train(seen[:, 0])
    poses = networks.poses(seen)
    return View(outputs, clean[:, 0], clean[:, 1:], poses, batch.k, batch.k_inverse, batch.label)


def supervised(networks: Networks, losses: Mapping[str, float]) -> Loss:
    """Cross entropy on labeled images."""
    evaluate = networks.mode.compile(terms)

    def loss(streams: Mapping[str, PeerBatch]) -> Found:
        batch = streams["labeled"]
        return evaluate(losses, View(networks.train(batch.image()), label=batch.label))

    return loss


def student_depth(networks: Networks, losses: Mapping[str, float]) -> Loss:
    """The student imitates the disparity of a frozen network."""
    evaluate = networks.mode.compile(terms)

    def loss(streams: Mapping[str, PeerBatch]) -> Found:
        image = streams["labeled"].image()
        outputs = networks.train(image)
        disparity = networks.ask_frozen("depth", image).disparity[0]
        return evaluate(losses, View(outputs, disparity=disparity))

    return loss
