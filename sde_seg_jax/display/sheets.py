"""Contact sheets and legends: pictures with captions, drawn with Pillow's own font (no system fonts)."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sde_seg_jax.label_spaces import LabelSpace

BACKGROUND = (22, 24, 29)  # dark: pictures keep their contrast on light and on dark pages
TEXT = (232, 234, 238)


def rgb(image: np.ndarray) -> np.ndarray:
    """uint8 [H,W,3] from an image that is uint8 or float in [0,1] (clipped); grey [H,W,1] is repeated."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"image must have shape [H, W, 3], got {image.shape}; pass one image of the batch")
    if image.dtype != np.uint8:
        if not np.issubdtype(image.dtype, np.floating):
            raise ValueError(f"image must be uint8 or float in [0,1], got {image.dtype}; convert it first")
        image = np.round(np.clip(np.nan_to_num(image), 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Repeats every pixel `factor` times in both directions."""
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


@functools.cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _fit(text: str, width: int, size: int) -> str:
    """Shortens a text with an ellipsis until it fits."""
    if _font(size).getlength(text) <= width:
        return text
    while text and _font(size).getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _cell_size(images: Sequence[np.ndarray], min_height: int) -> tuple[int, int]:
    """The largest picture's size, times the whole number that makes it at least `min_height` high."""
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    factor = -(-min_height // height)
    return max(1, factor) * height, max(1, factor) * width


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    *,
    captions: Sequence[str] | Sequence[Sequence[str]] = (),
    titles: Sequence[str] = (),
    min_height: int = 160,
    gap: int = 6,
    font_size: int | None = None,
) -> np.ndarray:
    """Arranges pictures in a sheet, RGB uint8.

    Small pictures are enlarged by whole factors (nearest neighbour) until they fill cells of at least
    `min_height` pixels; None and short rows leave cells empty.

    Args:
      rows: pictures (uint8, or float in [0,1]), row by row; sizes may differ.
      captions: one text a column (above the first row), or one list of texts a row (above each picture).
      titles: one text a row, drawn above it.
      min_height: of a cell, in pixels.
      gap: between cells, in pixels.
      font_size: in pixels; None fits the sheet's width, so that a wide sheet can be read when shown smaller.
    """
    pictures = [[None if image is None else rgb(image) for image in row] for row in rows]
    present = [image for row in pictures for image in row if image is not None]
    if not present:
        raise ValueError("a grid needs at least one picture, got none; check the list of rows")
    if titles and len(titles) != len(rows):
        raise ValueError(f"{len(rows)} rows need as many titles, got {len(titles)}; pass '' where there is none")
    shared = not captions or isinstance(captions[0], str)
    per_row = [captions, *([[]] * (len(rows) - 1))] if shared else list(captions)
    if len(per_row) != len(rows):
        raise ValueError(f"{len(rows)} rows need as many lists of captions, got {len(per_row)}; pass [] for none")
    cell = _cell_size(present, min_height)
    columns = max(len(row) for row in rows)
    width = gap + columns * (cell[1] + gap)
    font_size = font_size or max(15, width // 75)
    line = font_size + 7
    heights = [line * (bool(titles) + bool(texts)) + cell[0] + gap for texts in per_row]
    sheet = Image.new("RGB", (width, gap + sum(heights)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, row in enumerate(pictures):
        y = gap + sum(heights[:i])
        if titles:
            draw.text((gap, y), _fit(titles[i], sheet.width - 2 * gap, font_size), TEXT, _font(font_size))
            y += line
        for j, text in enumerate(per_row[i][: len(row)]):
            draw.text((gap + j * (cell[1] + gap), y), _fit(text, cell[1], font_size), TEXT, _font(font_size))
        y += line * bool(per_row[i])
        for j, image in enumerate(row):
            if image is not None:
                _paste(sheet, image, (y, gap + j * (cell[1] + gap)), cell)
    return np.asarray(sheet)


def _paste(sheet: Image.Image, image: np.ndarray, corner: tuple[int, int], cell: tuple[int, int]) -> None:
    """Puts a picture, enlarged by the largest whole factor that fits, in the middle of its cell."""
    image = enlarge(image, max(1, min(cell[0] // image.shape[0], cell[1] // image.shape[1])))
    top, left = (edge + (side - length) // 2 for edge, side, length in zip(corner, cell, image.shape, strict=False))
    sheet.paste(Image.fromarray(image), (left, top))


def legend(
    space: LabelSpace, present: Collection[int] | None = None, *, width: int = 960, font_size: int = 15
) -> np.ndarray:
    """Colour and name of the classes in `present` (None: all), as many a line as fit into `width` pixels."""
    ids = {*range(space.num_classes), space.ignore} if present is None else {int(i) for i in present}
    entries = [(space.colors[i], space.classes[i]) for i in sorted(ids - {space.ignore})]
    if space.ignore in ids:
        entries.append(((0, 0, 0), "no label"))
    chip, line = font_size, font_size + 10
    widest = max((_font(font_size).getlength(name) for _, name in entries), default=0)
    column = int(widest) + chip + 24
    per_line = max(1, min(width // column, len(entries)))
    lines = max(1, -(-len(entries) // per_line))
    sheet = Image.new("RGB", (6 + per_line * column, 6 + lines * line), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for k, (color, name) in enumerate(entries):
        x, y = 6 + k % per_line * column, 6 + k // per_line * line
        draw.rectangle((x, y, x + chip - 1, y + chip - 1), tuple(color), (120, 124, 132))
        draw.text((x + chip + 7, y - 2), name, TEXT, _font(font_size))
    return np.asarray(sheet)
