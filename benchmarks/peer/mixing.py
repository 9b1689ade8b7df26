"""What is mixed and what the teacher thinks of it, in PyTorch; disparities [B,1,H,W], masks bool [B,1,H,W].

normalize_disparity(disparity) -> disparity                              [B,1,H,W] -> [B,1,H,W] in [0,1]
comparable(disparity, height, width) -> disparity                        [B,1,h,w] -> [B,1,H,W]: resized, normalized
teacher_probability(logits, label=None, labeled=None, *, height, width) -> probability
                                                                         [B,C,h,w], [B,H,W], bool [B] -> [B,C,H,W]
next_in_batch(x) -> partner                                              [B,...] -> [B,...]
depth_mix_mask(disparity, partner, margin=0.03) -> mask                  True keeps image i
paste(a, b, mask) -> mixed                                               [B,C,H,W] or [B,H,W]
random_margins(disparity, margin=0.03), fixed_margins(...) -> margins    -> [B]
cross_depth_mask(source, target, margins) -> mask                        True shows the source
confident_share(probability, labeled=None, threshold=0.968) -> scalar    of the unmixed target, for pixel_weights
pixel_weights(mask, confident) -> weights                                scalar -> [B,H,W]

No gradient is wanted through any of these: call them under torch.no_grad(), as the teacher itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from peer.losses import confident_fraction


def normalize_disparity(disparity: Tensor) -> Tensor:
    """(d - min) / (max - min) per image, in [0,1]; a constant map becomes 0."""
    low, high = disparity.amin((1, 2, 3), keepdim=True), disparity.amax((1, 2, 3), keepdim=True)
    span = high - low
    return (disparity - low) / torch.where(span > 0, span, 1.0)


def comparable(disparity: Tensor, height: int, width: int) -> Tensor:
    """A disparity at full size, normalized per image: as masks compare it."""
    return normalize_disparity(F.interpolate(disparity, (height, width), mode="bilinear", align_corners=False))


def teacher_probability(
    logits: Tensor, label: Tensor | None = None, labeled: Tensor | None = None, *, height: int, width: int
) -> Tensor:
    """Softmax at full resolution; where a sample is `labeled` its ground truth, one-hot, all zero where ignored."""
    if logits.shape[2:] != (height, width):
        logits = F.interpolate(logits, (height, width), mode="bilinear", align_corners=True)
    predicted = logits.softmax(1)
    if label is None:
        return predicted
    classes = torch.arange(logits.shape[1], device=label.device)[:, None, None]
    truth = (label[:, None] == classes).to(predicted.dtype)
    return torch.where(labeled[:, None, None, None], truth, predicted)


def next_in_batch(x: Tensor) -> Tensor:
    """The mixing partner of each sample, j = (i+1) mod B."""
    return x.roll(-1, 0)


def depth_mix_mask(disparity: Tensor, partner: Tensor, margin: float = 0.03) -> Tensor:
    """DepthMix: what is nearer in image i than in its partner, or about as near, occludes the partner."""
    return disparity >= partner - margin


def paste(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """`a` where the mask is true, else `b`."""
    return torch.where(mask if a.ndim == 4 else mask[:, 0], a, b)


def random_margins(disparity: Tensor, margin: float = 0.03) -> Tensor:
    """+margin or -margin for each image of [B,1,H,W], equally likely."""
    draws = torch.rand(len(disparity), device=disparity.device)
    return torch.where(draws > 0.5, -margin, margin).to(disparity.dtype)


def fixed_margins(disparity: Tensor, margin: float = 0.03) -> Tensor:
    """+margin for each image of [B,1,H,W]."""
    return disparity.new_full((len(disparity),), margin)


def cross_depth_mask(source: Tensor, target: Tensor, margins: Tensor) -> Tensor:
    """Cross-Domain DepthMix: the source occludes the target where d_source >= d_target - margin."""
    return source >= target - margins[:, None, None, None]


def confident_share(probability: Tensor, labeled: Tensor | None = None, threshold: float = 0.968) -> Tensor:
    """Share of confident pixels in the unmixed target, where every pixel of a `labeled` sample counts as confident."""
    if labeled is not None:
        probability = torch.where(labeled[:, None, None, None], 1.0, probability)
    return confident_fraction(probability, threshold)


def pixel_weights(mask: Tensor, confident: Tensor) -> Tensor:
    """1 where the source with its true label is pasted, else the share of confident target pixels."""
    return torch.where(mask[:, 0], 1.0, confident)
