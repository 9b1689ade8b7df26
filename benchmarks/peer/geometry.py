"""Depth, rigid motions and view synthesis in PyTorch; B batch, S sources, H W pixels, images [B,3,H,W] in [0,1].

disparity_to_depth(disparity, min_depth=0.1, max_depth=100.0) -> depth          of any shape
camera_matrices(fx, fy, cx, cy) -> (k, k_inverse)                               [B] each -> [B,3,3] each
pixel_rays(k_inverse, height, width) -> rays                                    [B,3,3] -> [B,3,H*W]
back_project(depth, rays) -> points                                             [B,1,H,W], [B,3,H*W] -> [B,3,H*W]
project(points, k, source_from_target, height, width) -> grid                   [B,3,H*W], [B,3,3], [B,4,4] -> [B,H,W,2]
warp(source, grid) -> image                                                     [B,3,H,W], [B,H,W,2] -> [B,3,H,W]
transform(axis_angle, translation), inverse_transform(...) -> motion            [B,3], [B,3] -> [B,4,4]
source_poses(pose, frames) -> source_from_target                                [B,3,3,H,W] -> [B,2,4,4]

Coordinates need float32: call these outside of autocast, and leave `torch.backends.cuda.matmul.allow_tf32` False (its
default; convolutions have their own switch), because the projection is a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-7  # against division by zero
Pose = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # (earlier, later) -> (axis_angle, translation)


def disparity_to_depth(disparity: Tensor, min_depth: float = 0.1, max_depth: float = 100.0) -> Tensor:
    """1/depth = 1/max + (1/min - 1/max) * disparity: 0 is far, 1 is near."""
    far, near = 1 / max_depth, 1 / min_depth
    return 1 / (far + (near - far) * disparity)


def camera_matrices(fx: Tensor, fy: Tensor, cx: Tensor, cy: Tensor) -> tuple[Tensor, Tensor]:
    """(K, K^-1) [B,3,3] of pinhole cameras in pixels, pixel centres at integers.

    In closed form: torch.linalg.inv would wait for the device.
    """
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    k = torch.stack([fx, zero, cx, zero, fy, cy, zero, zero, one], dim=1)
    k_inverse = torch.stack([1 / fx, zero, -cx / fx, zero, 1 / fy, -cy / fy, zero, zero, one], dim=1)
    return k.view(-1, 3, 3), k_inverse.view(-1, 3, 3)


def pixel_rays(k_inverse: Tensor, height: int, width: int) -> Tensor:
    """K^-1 (x, y, 1)' of every pixel, row by row: [B,3,H*W]. They serve all scales of an image."""
    x = torch.arange(width, dtype=k_inverse.dtype, device=k_inverse.device)
    y = torch.arange(height, dtype=k_inverse.dtype, device=k_inverse.device)
    y, x = torch.meshgrid(y, x, indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)]).view(3, -1)
    return k_inverse @ pixels


def back_project(depth: Tensor, rays: Tensor) -> Tensor:
    """The 3-D point of every pixel in target coordinates, in depth's unit: [B,3,H*W]."""
    return depth.flatten(2) * rays


def project(
    points: Tensor, k: Tensor, source_from_target: Tensor, height: int, width: int, eps: float = 1e-7
) -> Tensor:
    """Where the source camera sees target points, as grid_sample wants it: [B,H,W,2], x and y in [-1,1] inside.

    (u, v, w)' = K (R X + t),  x = u / (w + 1e-7),  y = v / (w + 1e-7), -1 and 1 at the outermost pixel centres.
    """
    camera = k @ source_from_target[:, :3]
    u = camera[:, :, :3] @ points + camera[:, :, 3:]
    x, y = (u[:, :2] / (u[:, 2:] + EPSILON)).unbind(1)
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=2)
    return grid.view(-1, height, width, 2)


def warp(source: Tensor, grid: Tensor) -> Tensor:
    """The target view rebuilt from the source image, bilinear, the border extended outwards."""
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=True)


def transform(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """The motion x -> R x + t as [B,4,4]."""
    return _assemble(_rotation(axis_angle), translation)


def inverse_transform(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """The inverse motion x -> R' (x - t) of `transform(axis_angle, translation)`."""
    back = _rotation(axis_angle).transpose(1, 2)
    return _assemble(back, -(back @ translation[:, :, None])[:, :, 0])


def source_poses(pose: Pose, frames: Tensor) -> Tensor:
    """source_from_target [B,2,4,4] of (previous, next) from frames [B,3,3,H,W] = (target, previous, next).

    Each pair goes to `pose` in temporal order; the backward transform is the inverse of previous -> target.
    """
    target, previous, following = frames.unbind(1)
    backward = inverse_transform(*pose(previous, target))
    forward = transform(*pose(target, following))
    return torch.stack([backward, forward], dim=1)


def _rotation(axis_angle: Tensor) -> Tensor:
    """R = cos(t) I + (1 - cos(t)) a a' + sin(t) [a]x,  t = |v|,  a = v / (t + 1e-7)."""
    angle = axis_angle.norm(dim=1, keepdim=True)  # its gradient at zero is zero
    axis = axis_angle / (angle + EPSILON)
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    cos, sin = torch.cos(angle)[:, :, None], torch.sin(angle)[:, :, None]
    identity = torch.eye(3, dtype=axis.dtype, device=axis.device)
    return cos * identity + (1 - cos) * axis[:, :, None] * axis[:, None] + sin * cross


def _assemble(rotation: Tensor, translation: Tensor) -> Tensor:
    upper = torch.cat([rotation, translation[:, :, None]], dim=2)
    last = torch.eye(4, dtype=upper.dtype, device=upper.device)[3:]
    return torch.cat([upper, last.expand(len(upper), 1, 4)], dim=1)
