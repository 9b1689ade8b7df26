"""Which image sizes a network can process, and which of them to choose; sizes are (height, width) in pixels."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

Size = tuple[int, int]
SAME_SHAPE = 0.05  # images whose aspect ratio differs from the trained one by less are seen at the trained size
ROUNDED = 0.125  # share by which rounding to a valid size may change a side of a scaled image


class SizeRule(NamedTuple):
    """Sides must be multiples of `stride`, from `least` on (`models.network.Network` has both)."""

    stride: int
    least: int

    def holds(self, size: Size) -> bool:
        """Can the network process such an image?"""
        return all(side % self.stride == 0 and side >= self.least for side in size)

    def nearest(self, length: float) -> int:
        """The valid side that is nearest to a length; half-way between two the larger."""
        return max(self.least, math.floor(length / self.stride + 0.5) * self.stride)

    def within(self, length: float, most: float) -> int:
        """The valid side that is nearest to a length and at most `most`, if there is one; else the smallest."""
        return max(self.least, min(self.nearest(length), math.floor(most / self.stride) * self.stride))

    def around(self, length: float) -> tuple[int, int]:
        """The valid sides below and above a length."""
        low = math.floor(length / self.stride)
        return max(self.least, low * self.stride), max(self.least, (low + 1) * self.stride)


def valid_size(size: tuple[float, float], rule: SizeRule) -> Size:
    """The valid size nearest to one."""
    return rule.nearest(size[0]), rule.nearest(size[1])


def seen_size(image: Size, trained: Size, rule: SizeRule) -> Size:
    """The size at which a network sees an image: in its own shape, with about as many pixels as in training.

    Images of nearly the trained shape (`SAME_SHAPE`) are seen at the trained size. Otherwise of the valid sizes around
    the ideal one that of the smallest change of shape, and half as important of area, is taken.
    """
    shape = math.log(image[1] / image[0])
    if abs(shape - math.log(trained[1] / trained[0])) <= SAME_SHAPE:
        return trained
    area = trained[0] * trained[1]
    scale = math.sqrt(area / (image[0] * image[1]))

    def misfit(size: Size) -> float:
        return abs(math.log(size[1] / size[0]) - shape) + 0.5 * abs(math.log(size[0] * size[1] / area))

    return min(itertools.product(rule.around(image[0] * scale), rule.around(image[1] * scale)), key=misfit)


def scaled_size(size: Size, scale: float, rule: SizeRule) -> Size:
    """The valid size nearest to `scale` times a size.

    Raises:
      ValueError: it is smaller than the network's least, or rounding would change a side by more than `ROUNDED`.
    """
    wanted = (size[0] * scale, size[1] * scale)
    found = valid_size(wanted, rule)
    off = max(abs(side / length - 1) for side, length in zip(found, wanted, strict=True))
    if scale != 1 and off > ROUNDED:
        least = max(rule.least / side for side in size)
        choices = [s for s in (0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3) if s >= least and _fits(size, s, rule)]
        raise ValueError(
            f"scale {scale:g} of {text(size)} is {wanted[0]:g}x{wanted[1]:g}, but the network takes multiples of "
            f"{rule.stride} from {rule.least} on; scales that fit: {', '.join(f'{s:g}' for s in choices) or 'none'}"
        )
    return found


def _fits(size: Size, scale: float, rule: SizeRule) -> bool:
    found = valid_size((size[0] * scale, size[1] * scale), rule)
    return all(abs(side / (scale * length) - 1) <= ROUNDED for side, length in zip(found, size, strict=True))


def text(size: tuple[int, ...]) -> str:
    """(512, 1024) -> "512x1024", height first."""
    return "x".join(map(str, size))
