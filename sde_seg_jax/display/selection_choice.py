"""A chosen frame and how a page shows it: numbers in a caption, a strip of pictures below."""

from __future__ import annotations

import dataclasses
import html
import math
import pathlib
import urllib.parse
from collections.abc import Sequence

from sde_seg_jax.image_files import open_image

NONE = "–"
STARTED = "start"
# criterion -> its name for people, and how it chose
CRITERIA = {
    STARTED: ("labeled before", "given as labeled already; the list goes on from these frames."),
    "random": ("random", "drawn by the seed."),
    "ds": (
        "diversity",
        "each time the frame whose features are farthest from every frame chosen before it, so a kind of scene that "
        "the list did not have yet.",
    ),
    "coreset": (
        "diversity of images",
        "each time the frame whose features, of an image encoder, are farthest from every frame chosen before it.",
    ),
    "us": (
        "uncertainty",
        "the frames whose depth the student, trained on the frames chosen before this step, gets most wrong.",
    ),
    "ds_us": (
        "diversity + uncertainty",
        "each time the frame with the largest sum of its feature distance to the frames chosen before it and, "
        "weighted, the depth error of the student trained on the frames chosen before this step.",
    ),
    "entropy": (
        "entropy",
        "the frames about whose classes the segmentation model, trained on the frames chosen before this step, is "
        "least sure.",
    ),
}
# field of a choice -> its name for people, and what it is; fields that no choice has are not shown
NUMBERS = {
    "score": ("score", "The score is what the criterion ranks by."),
    "distance": ("feature distance", "The feature distance is that to the nearest frame chosen before."),
    "error": (
        "error",
        "The error is the student's mean depth error against the teacher (for entropy: the mean entropy) before the "
        "frame was labeled.",
    ),
}


@dataclasses.dataclass(frozen=True)
class Choice:
    """A chosen frame.

    Attributes:
      rank: from 1, in the order of choosing.
      name: of the sample.
      step: labels after the step in which it was chosen.
      criterion: what chose it, one of `CRITERIA`; any other text is shown as it is.
      score: what was the largest of all; None for random ones.
      distance: of its features to the nearest frame chosen before; None where there is none.
      error: of the student at that step; None where there was no student.
      picture: path of a JPEG strip relative to the page, with "/"; None for none.
    """

    rank: int
    name: str
    step: int
    criterion: str
    score: float | None = None
    distance: float | None = None
    error: float | None = None
    picture: str | None = None


@dataclasses.dataclass(frozen=True)
class Jumps:
    """Links to the steps on the same page; ranges are (first, last) label."""

    ranges: Sequence[tuple[int, int]]

    def html(self) -> str:
        """One line, nothing for a single step."""
        links = (f'<a href="#label-{first}">{label_range(first, last)}</a>' for first, last in self.ranges)
        return f'<p class="jumps">{" ".join(links)}</p>\n' if len(self.ranges) > 1 else ""


@dataclasses.dataclass(frozen=True)
class Strips:
    """Choices with some of their `NUMBERS` and their strips, which lie below `folder`."""

    choices: Sequence[Choice]
    numbers: Sequence[str]
    folder: pathlib.Path

    def html(self) -> str:
        """One figure a choice; a strip's size is written out where the file exists, so that nothing jumps."""
        return "".join(map(self._choice, self.choices))

    def _choice(self, choice: Choice) -> str:
        facts = {"criterion": html.escape(criterion_name(choice.criterion))}
        facts |= {NUMBERS[name][0]: digits(getattr(choice, name)) for name in self.numbers}
        why = "".join(f"<span>{name} <b>{value}</b></span>" for name, value in facts.items())
        heading = f'<span class="rank">{choice.rank}</span> <span class="name">{html.escape(choice.name)}</span>'
        caption = f'<figcaption><div>{heading}</div><div class="why">{why}</div></figcaption>'
        return f'<figure class="choice">{caption}{self._picture(choice)}</figure>\n'

    def _picture(self, choice: Choice) -> str:
        if choice.picture is None:
            return ""
        if pathlib.PurePosixPath(choice.picture).is_absolute():
            raise ValueError(f"picture '{choice.picture}' of '{choice.name}' must be a path relative to the page")
        file, size = self.folder / choice.picture, ""
        if file.is_file():
            with open_image(file) as image:
                size = f' width="{image.width}" height="{image.height}" style="--width:{image.width}px"'
        source = html.escape(urllib.parse.quote(choice.picture))
        alt = html.escape(f"image, disparities and error of {choice.name}")
        return f'<div class="picture"><img src="{source}"{size} loading="lazy" alt="{alt}"></div>'


def criterion_name(name: str) -> str:
    """For people; an unknown one keeps its name."""
    return CRITERIA.get(name, (name, ""))[0]


def label_range(first: int, last: int) -> str:
    """`labels 26 to 50`."""
    return f"label {first:,}" if first == last else f"labels {first:,} to {last:,}"


def digits(value: float | None) -> str:
    """At least three digits: 0.0123, 1.20, 123, 12,345; a dash for None and what is not finite."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")
