"""What a protocol is: a record, its name, and whether a network and an image allow it."""

from __future__ import annotations

import dataclasses
import math
import re

from sde_seg_jax.evaluation.protocols.sizes import Size, SizeRule, scaled_size, text

MOST_SCALES = 10  # each costs a forward pass and its memory
SCALES = (0.1, 4.0)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How probabilities of one image come about. The default is the published protocol: the whole image, once.

    Attributes:
      window: (height, width) in pixels of a window that slides over the image; None: the whole image at once.
      stride: (down, right) in pixels from one window to the next; None: two thirds of the window, rounded down.
      scales: of the image, relative to the size at which the network sees it; probabilities are averaged.
      flip: average with the mirrored image, at every scale.

    Raises:
      ValueError: values that no network can be asked with.
    """

    window: Size | None = None
    stride: Size | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self):
        if self.window is None and self.stride is not None:
            raise ValueError(f"stride {text(self.stride)} without a window; give --window=HxW, too")
        if self.window is not None:
            if self.stride is None:
                object.__setattr__(self, "stride", tuple(max(1, 2 * side // 3) for side in self.window))
            if min(*self.window, *self.stride) < 1:
                raise ValueError(f"window {text(self.window)}, stride {text(self.stride)}: expected 1 pixel or more")
            if any(step > side for step, side in zip(self.stride, self.window, strict=True)):
                raise ValueError(
                    f"stride {text(self.stride)} is larger than the window {text(self.window)}, which leaves gaps; "
                    f"give at most --stride={text(self.window)}"
                )
        low, high = SCALES
        wrong = [s for s in self.scales if not (math.isfinite(s) and low <= s <= high)]
        if wrong or not self.scales:
            raise ValueError(f"scales {list(self.scales)}: expected numbers from {low:g} to {high:g}, like 0.75,1,1.25")
        if len(set(self.scales)) < len(self.scales) or len(self.scales) > MOST_SCALES:
            raise ValueError(f"scales {list(self.scales)}: expected up to {MOST_SCALES} different ones")

    @property
    def views(self) -> int:
        """Of how many predictions the mean is taken."""
        return len(self.scales) * (1 + self.flip)

    def name(self, seen: Size | str, scored: Size | None = None) -> str:
        """For people and files: "whole 512x1024", "sliding 512x512 by 341x341 over 1024x2048, flip".

        `seen`: size of the image that the network is asked about, or words for sizes that differ from image to image;
        `scored`: of the labels, where it is another.
        """
        told = seen if isinstance(seen, str) else text(seen)
        parts = [f"whole {told}"]
        if self.window is not None:
            parts = [f"sliding {text(self.window)} by {text(self.stride)} over {told}"]
        if self.scales != (1.0,):
            parts.append("scales " + " ".join(f"{scale:g}" for scale in self.scales))
        if self.flip:
            parts.append("flip")
        if scored is not None and scored != seen:
            parts.append(f"scored at {text(scored)}")
        return ", ".join(parts)

    def check(self, size: Size, rule: SizeRule) -> None:
        """Raises ValueError, naming the remedy, unless images of a size can be asked about in this way."""
        sizes = {scale: view_size(size, scale, self, rule) for scale in self.scales}
        same = [scale for scale in sizes if list(sizes.values()).count(sizes[scale]) > 1]
        if same:
            raise ValueError(
                f"scales {same[0]:g} and {same[1]:g} of {text(size)} are both {text(sizes[same[0]])} in multiples of "
                f"{rule.stride}; leave one out"
            )
        if self.window is None:
            return
        if not rule.holds(self.window):
            smallest = (min(height for height, _ in sizes.values()), min(width for _, width in sizes.values()))
            fitting = tuple(rule.within(side, most) for side, most in zip(self.window, smallest, strict=True))
            raise ValueError(
                f"window {text(self.window)} does not fit the network, whose sides are multiples of {rule.stride} from "
                f"{rule.least} on; give --window={text(fitting)}"
            )
        for scale, (height, width) in sizes.items():
            if self.window[0] > height or self.window[1] > width:
                at = "" if scale == 1 else f" at scale {scale:g}"
                raise ValueError(
                    f"window {text(self.window)} is larger than the image as the network sees it{at}, "
                    f"{text((height, width))}; give a smaller --window (--resolution=full sees images as large as they "
                    "are)"
                )


WHOLE = Protocol()  # as published: one forward pass on the whole image


def view_size(size: Size, scale: float, protocol: Protocol, rule: SizeRule) -> Size:
    """The size of an image at a scale: for windows any, for the whole image one that the network can process."""
    if protocol.window is not None:
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return scaled_size(size, scale, rule)


def file_part(name: str) -> str:
    """A protocol's name as part of a file's name."""
    return re.sub(r"[^0-9A-Za-z.]+", "_", name).strip("_")
