"""A data set at a glance: samples of every split with their labels, motion and depth, over a legend with shares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sde_seg_jax.display.pictures import depth_picture, heat_picture, overlay
from sde_seg_jax.display.sheets import BACKGROUND, TEXT, grid, legend
from sde_seg_jax.label_spaces import LabelSpace

GOOD, BAD = (92, 200, 140), (255, 116, 96)
MOVING = 24.0  # mean |frame +1 - frame -1|, of 255, that is drawn bright at least: standing still stays dark
SIDE_BY_SIDE = 4  # pictures in a row: as many samples as fit
LEGEND_CLASSES = 30  # classes in the legend, those with the most pixels
GAP, TITLE, HEADING = 12, 26, 19  # pixels


@dataclasses.dataclass(frozen=True)
class Section:
    """One split: its heading, whether it is healthy, and its samples.

    A sample has `name`, `image` and, each of them or None, `label`, `difference` (grey levels) and `depth` (metres).
    """

    heading: str
    healthy: bool
    samples: Sequence[Any]


def contact_sheet(
    title: str, sections: Sequence[Section], space: LabelSpace, shares: Mapping[int, float] | None = None
) -> np.ndarray:
    """Returns the sheet as RGB uint8 [H, W, 3].

    Args:
      title: above everything.
      sections: the splits, from top to bottom.
      space: the classes of the labels.
      shares: training id (or the ignore id) -> its share of the pixels, 0..1; drawn in the legend.
    """
    bodies = [_pictures(section.samples, space) for section in sections]
    width = max([640, *(body.shape[1] for body in bodies)])
    parts = [_text([(title, TEXT)], width, TITLE)]
    for section, body in zip(sections, bodies, strict=True):
        verdict = ("ok", GOOD) if section.healthy else ("PROBLEM", BAD)
        parts += [_text([verdict, (section.heading, TEXT)], width, HEADING), body]
    parts.append(_legend(space, shares or {}, width))
    return np.concatenate([_widen(part, width) for part in parts])


def _pictures(samples: Sequence[Any], space: LabelSpace) -> np.ndarray:
    """The samples' pictures, as many samples side by side as fit; a strip without pictures if there are none."""
    if not samples:
        return _text([("no sample can be shown", TEXT)], 640, HEADING)
    strips = [_strip(sample, space) for sample in samples]
    kinds = [kind for kind in ("", "label", "motion", "depth") if any(kind in strip for strip in strips)]
    abreast = max(1, SIDE_BY_SIDE // len(kinds))
    rows, captions = [], []
    for first in range(0, len(strips), abreast):
        near = range(first, min(first + abreast, len(strips)))
        rows.append([strips[i].get(kind) for i in near for kind in kinds])
        captions.append(
            [kind if kind and kind in strips[i] else "" if kind else samples[i].name for i in near for kind in kinds]
        )
    return grid(rows, captions=captions, font_size=15)


def _strip(sample: Any, space: LabelSpace) -> dict[str, np.ndarray]:
    """Caption -> picture; the image itself has none, its sample's name stands there."""
    strip = {"": sample.image}
    if sample.label is not None:
        strip["label"] = overlay(sample.image, sample.label, space, alpha=0.7)
    if sample.difference is not None:
        bright = max(MOVING, float(np.percentile(sample.difference, 98)))
        strip["motion"] = heat_picture(sample.difference, (0.0, bright))
    if sample.depth is not None:
        strip["depth"] = depth_picture(sample.depth)
    return strip


def _legend(space: LabelSpace, shares: Mapping[int, float], width: int) -> np.ndarray:
    """Classes by their share, the largest first."""
    present = sorted((i for i in shares if shares[i] > 0), key=shares.get, reverse=True)[:LEGEND_CLASSES]
    if not present:
        return _text([("no labels", TEXT)], width, HEADING)
    named = [(space.colors[i], space.classes[i]) if i != space.ignore else ((0, 0, 0), "no label") for i in present]
    colors, classes = zip(*named, strict=True)
    texts = tuple(f"{name} {100 * shares[i]:.1f} %" for name, i in zip(classes, present, strict=True))
    return legend(LabelSpace(space.name, texts, colors, space.ignore), range(len(texts)), width=width)


def _text(words: Sequence[tuple[str, tuple[int, int, int]]], width: int, size: int) -> np.ndarray:
    """One line of coloured words."""
    font, x = ImageFont.load_default(size), GAP // 2
    line = Image.new("RGB", (width, size + 2 * GAP), BACKGROUND)
    draw = ImageDraw.Draw(line)
    for text, color in words:
        draw.text((x, GAP), text, color, font)
        x += int(font.getlength(text)) + GAP
    return np.asarray(line)


def _widen(part: np.ndarray, width: int) -> np.ndarray:
    wide = np.empty((part.shape[0], width, 3), np.uint8)
    wide[:] = BACKGROUND
    wide[:, : part.shape[1]] = part[:, :width]
    return wide
