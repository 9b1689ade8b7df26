"""Our batches on PyTorch's device, and what loss terms see of one."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from peer import geometry, losses
from peer.network import PeerOutputs
from sde_seg_jax.tasks.loss_terms import Losses, split
from sde_seg_jax.types import Batch


@dataclasses.dataclass(frozen=True)
class PeerBatch:
    """One stream's batch; images are uint8, and a step makes them float as ours does."""

    frames: Tensor  # [B,1,3,H,W], or [B,3,3,H,W] with neighbors: target, previous, next
    k: Tensor  # [B,3,3]
    k_inverse: Tensor
    label: Tensor | None  # int64 [B,H,W]
    labeled: Tensor | None  # bool [B]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return tuple(self.frames.shape[3:])

    def triplet(self) -> Tensor:
        """All frames in [0,1], in the dtype of the camera."""
        return self.frames.to(self.k.dtype) / 255

    def image(self) -> Tensor:
        """The target [B,3,H,W] in [0,1]."""
        return self.frames[:, 0].to(self.k.dtype) / 255


def from_ours(batch: Batch, device: torch.device, dtype: torch.dtype) -> PeerBatch:
    """A copy of a batch; `dtype` is the camera's and that of the images in a step."""
    frames = np.asarray(batch.image)[:, None]
    if batch.neighbors is not None:
        frames = np.concatenate([frames, np.asarray(batch.neighbors)], axis=1)
    i = batch.intrinsics
    camera = [torch.tensor(np.asarray(x), dtype=dtype, device=device) for x in (i.fx, i.fy, i.cx, i.cy)]
    label = labeled = None
    if batch.label is not None:
        label = torch.tensor(np.asarray(batch.label), dtype=torch.int64, device=device)
        labeled = torch.tensor(np.asarray(batch.labeled), device=device)
    pixels = torch.tensor(np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3)), device=device)
    return PeerBatch(pixels, *geometry.camera_matrices(*camera), label, labeled)


class View(NamedTuple):
    """What loss terms see."""

    outputs: PeerOutputs
    image: Tensor | None = None  # un-augmented
    sources: Tensor | None = None  # [B,2,3,H,W], un-augmented
    source_from_target: Tensor | None = None
    k: Tensor | None = None
    k_inverse: Tensor | None = None
    label: Tensor | None = None
    bottleneck: Tensor | None = None  # of the frozen encoder
    disparity: Tensor | None = None  # to imitate


class DepthOptions(NamedTuple):
    """Of the photometric term."""

    min_depth: float
    max_depth: float
    tie_break: float


Found = tuple[Tensor, dict[str, Tensor]]  # loss, and what a step logs


def terms(weights: Losses, view: View, depth: DepthOptions | None = None) -> Found:
    """Weighted sum of loss terms, and each term's value before weighting."""
    factors, options = split(weights)
    logs = {name: TERMS[name](view, depth, **options.get(name, {})) for name in sorted(weights)}
    return sum(factors[name] * value for name, value in logs.items()), logs


def _cross_entropy(view: View, depth: DepthOptions | None) -> Tensor:
    both = [view.outputs.logits, view.outputs.intermediate_logits]
    found = [losses.cross_entropy(logits, view.label) for logits in both if logits is not None]
    return sum(found) / len(found)


def _hard(view: View, depth: DepthOptions | None, *, threshold: float, min_kept: int) -> Tensor:
    return losses.cross_entropy(view.outputs.logits, losses.hard(view.outputs.logits, view.label, threshold, min_kept))


def _photometric(view: View, depth: DepthOptions) -> Tensor:
    geometry_of_view = (view.k, view.k_inverse, view.source_from_target)
    return losses.photometric(view.image, view.sources, view.outputs.disparity, *geometry_of_view, **depth._asdict())


TERMS = {
    "cross_entropy": _cross_entropy,
    "ohem": _hard,
    "photometric": _photometric,
    "smoothness": lambda view, depth: losses.smoothness(view.outputs.disparity, view.image),
    "feature_distance": lambda view, depth: losses.feature_distance(view.outputs.bottleneck, view.bottleneck),
    "berhu": lambda view, depth: losses.imitation(view.outputs.disparity[0], view.disparity),
}
