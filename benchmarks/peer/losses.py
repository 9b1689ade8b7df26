"""The losses in PyTorch; B batch, S sources, H W pixels, C classes, images [B,3,H,W] in [0,1], labels int64 [B,H,W].

ssim_error(x, y) -> map                                     [B,C,H,W] each -> [B,C,H,W]
photometric_error(a, b) -> map                              [B,3,H,W] each -> [B,1,H,W]
photometric(target, sources, disparities, k, k_inverse, source_from_target, *,
            min_depth=0.1, max_depth=100.0, tie_break=1e-5) -> scalar
                                                            sources [B,S,3,H,W], disparities list of [B,1,h,w] (fine to
                                                            coarse), k and k_inverse [B,3,3], motions [B,S,4,4]
smoothness(disparities, image) -> scalar                    list of [B,1,h,w] (scale s of size H/2^s), [B,3,H,W]
feature_distance(features, reference) -> scalar             of any shape
berhu(prediction, target, mask) -> scalar                   [B,1,H,W] each
imitation(prediction, reference, *, bottom=0.1) -> scalar   [B,1,h,w], [B,1,H,W]: the loss term `berhu` of ours
cross_entropy(logits, label, weight=None) -> scalar         [B,C,h,w], [B,H,W], [B,H,W]
hard(logits, label, threshold=0.7, min_kept=200000) -> label [B,C,H,W], [B,H,W]: IGNORE where a pixel is easy
pseudo_label(probability) -> label                          [B,C,H,W] -> [B,H,W]
confident_fraction(probability, threshold=0.968) -> scalar
pseudo_label_loss(logits, probability, threshold=0.968) -> scalar

All are the terms of ours without their weights (`smoothness` is not multiplied by 1e-3). They want float32 predictions:
call them outside of autocast on `.float()` outputs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from peer import geometry

IGNORE = 250  # label id without ground truth
C1, C2 = 0.01**2, 0.03**2


def ssim_error(x: Tensor, y: Tensor) -> Tensor:
    """clip((1 - SSIM(x, y)) / 2, 0, 1) over 3x3 windows on mirrored borders."""
    x, y = (F.pad(image, (1, 1, 1, 1), mode="reflect") for image in (x, y))
    mean_x, mean_y = _mean3(x), _mean3(y)
    variance_x = _mean3(x * x) - mean_x * mean_x
    variance_y = _mean3(y * y) - mean_y * mean_y
    covariance = _mean3(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    denominator = (mean_x * mean_x + mean_y * mean_y + C1) * (variance_x + variance_y + C2)
    return ((1 - numerator / denominator) / 2).clamp(0, 1)


def photometric_error(a: Tensor, b: Tensor) -> Tensor:
    """0.85 mean_c SSIM'(a, b) + 0.15 mean_c |a - b| per pixel."""
    return 0.85 * ssim_error(a, b).mean(1, keepdim=True) + 0.15 * (a - b).abs().mean(1, keepdim=True)


def photometric(
    target: Tensor,
    sources: Tensor,
    disparities: list[Tensor],
    k: Tensor,
    k_inverse: Tensor,
    source_from_target: Tensor,
    *,
    min_depth: float = 0.1,
    max_depth: float = 100.0,
    tie_break: float = 1e-5,
) -> Tensor:
    """Mean over scales and pixels of the least error over the source frames, warped and unwarped (auto-masking).

    Every scale is judged at full resolution. The unwarped errors get Gaussian noise of amplitude `tie_break`, drawn
    anew for each scale; a tie goes to the unwarped frame, which has no gradient.
    """
    height, width = target.shape[2:]
    frames = list(zip(sources.unbind(1), source_from_target.unbind(1), strict=True))
    rays = geometry.pixel_rays(k_inverse, height, width)
    unwarped = torch.cat([photometric_error(source, target) for source, _ in frames], dim=1)
    total = 0.0
    for disparity in disparities:
        disparity = F.interpolate(disparity, (height, width), mode="bilinear", align_corners=False)
        points = geometry.back_project(geometry.disparity_to_depth(disparity, min_depth, max_depth), rays)
        errors = []
        for source, motion in frames:
            warped = geometry.warp(source, geometry.project(points, k, motion, height, width))
            errors.append(photometric_error(warped, target))
        reprojected = torch.cat(errors, dim=1).min(1).values
        noisy = unwarped + tie_break * torch.randn_like(unwarped) if tie_break else unwarped
        standing = noisy.min(1).values
        total = total + torch.where(reprojected < standing, reprojected, standing).mean()
    return total / len(disparities)


def smoothness(disparities: list[Tensor], image: Tensor) -> Tensor:
    """Mean over scales s of the edge-aware variation of d / (mean(d) + 1e-7), divided by 2^s.

    Edges are those of the image's 2x2-mean pyramid.
    """
    total = 0.0
    for scale, disparity in enumerate(disparities):
        relative = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
        total = total + _edge_aware_variation(relative, image) / 2**scale
        image = F.avg_pool2d(image, 2)
    return total / len(disparities)


def feature_distance(features: Tensor, reference: Tensor) -> Tensor:
    """Frobenius norm of the whole difference; its gradient is zero where both are equal. `reference` is a constant."""
    return torch.linalg.vector_norm(features - reference.detach())


def berhu(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean over ALL pixels of e if e <= c else (e^2 + c^2) / 2c, e = mask |p - t|, c = max(e) / 5, a constant."""
    error = (prediction - target).abs() * mask
    threshold = 0.2 * error.max().detach()
    divisor = torch.where(threshold > 0, 2 * threshold, 1.0)
    return torch.where(error <= threshold, error, (error * error + threshold * threshold) / divisor).mean()


def imitation(prediction: Tensor, reference: Tensor, *, bottom: float = 0.1) -> Tensor:
    """`berhu` of a disparity, resized to the reference disparity, without the lowest `bottom` of the rows."""
    height, width = reference.shape[2:]
    mask = torch.ones_like(reference)
    mask[:, :, int((1 - bottom) * height) :] = 0
    prediction = F.interpolate(prediction, (height, width), mode="bilinear", align_corners=False)
    return berhu(prediction, reference.detach(), mask)


def cross_entropy(logits: Tensor, label: Tensor, weight: Tensor | None = None) -> Tensor:
    """Without weights the mean over valid pixels (0 if there are none); with weights the mean over ALL pixels.

    Logits of another size than the label are resized bilinearly with aligned corners.
    """
    logits = _at_size(logits, label.shape[1:])
    if weight is None:
        total = F.cross_entropy(logits, label, ignore_index=IGNORE, reduction="sum")
        return total / (label != IGNORE).sum().clamp(min=1)
    return (weight * F.cross_entropy(logits, label, ignore_index=IGNORE, reduction="none")).mean()


@torch.no_grad()
def hard(logits: Tensor, label: Tensor, threshold: float = 0.7, min_kept: int = 200_000) -> Tensor:
    """The label of pixels that get it with a probability of at most `threshold`, and of the `min_kept` hardest."""
    valid = label != IGNORE
    probability = (
        -F.cross_entropy(_at_size(logits, label.shape[1:]), label, ignore_index=IGNORE, reduction="none")
    ).exp()
    probability = torch.where(valid, probability, 1)
    limit = probability.flatten().sort().values[min(probability.numel(), min_kept) - 1].clamp(min=threshold)
    keep = (probability <= limit) | (valid.sum() < min_kept)
    return torch.where(valid & keep, label, IGNORE)


def pseudo_label(probability: Tensor) -> Tensor:
    """The most probable class; IGNORE where all probabilities are 0."""
    highest, label = probability.max(1)
    return torch.where(highest > 0, label, IGNORE)


def confident_fraction(probability: Tensor, threshold: float = 0.968) -> Tensor:
    """Share of ALL pixels whose highest probability is at least `threshold`."""
    return (probability.amax(1) >= threshold).to(probability.dtype).mean()


def pseudo_label_loss(logits: Tensor, probability: Tensor, threshold: float = 0.968) -> Tensor:
    """Mean over ALL pixels of the cross entropy with the pseudo label, times the batch's confident fraction."""
    probability = probability.detach()
    return cross_entropy(logits, pseudo_label(probability), confident_fraction(probability, threshold))


def _mean3(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1)


def _edge_aware_variation(disparity: Tensor, image: Tensor) -> Tensor:
    """mean |dx d| exp(-|dx I|) + mean |dy d| exp(-|dy I|), |dx I| the mean over channels."""
    parts = []
    for axis in (2, 3):
        edges = image.diff(dim=axis).abs().mean(1, keepdim=True)
        parts.append((disparity.diff(dim=axis).abs() * torch.exp(-edges)).mean())
    return parts[0] + parts[1]


def _at_size(logits: Tensor, size: torch.Size) -> Tensor:
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size, mode="bilinear", align_corners=True)
