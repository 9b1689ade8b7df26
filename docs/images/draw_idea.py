"""Draws docs/images/idea.png, the idea in one picture: video -> depth -> mixed scenes -> segmentation from few labels.

Usage: python docs/images/draw_idea.py [FILE.png]
Images, depth and labels are those of the renderer (street scenes); mask and mix are the library's DepthMix. Class
colors are Cityscapes', as everywhere in the field.
"""

import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sde_seg_jax.data.street_scenes.clip import render_sample
from sde_seg_jax.display.pictures import depth_picture, overlay
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.mixing.apply import paste
from sde_seg_jax.mixing.masks import depth_mix_mask, normalize_disparity

STREETS = (25, 10)  # samples of one street each: a man at the kerb, and a van close by
PANEL, GAP, HEAD, FOOT = (150, 300), 44, 40, 54  # height, width [px] of a panel; space between and around them
INK, PALE = (28, 33, 40), (90, 98, 110)
TITLES = ("1  Driving video", "2  Depth", "3  DepthMix", "4  Segmentation")
NOTES = (
    ("no labels needed", "next frames show the motion"),
    ("learnt from the video alone:", "near is bright"),
    ("two scenes in one:", "near hides far"),
    ("from a few labelled images", "and all the others"),
)


def panels(size: tuple[int, int], supersample: int = 2) -> list[np.ndarray]:
    """Video, depth, mix and classes as uint8 [H,W,3] pictures of `size` = (height, width)."""
    kept, under = (render_sample("target", 2, index, size, supersample) for index in STREETS)
    disparity = [normalize_disparity(_disparity(sample["depth"])) for sample in (kept, under)]
    mask = depth_mix_mask(*disparity)
    images, labels = ((kept[key][None], under[key][None]) for key in ("image", "label"))
    mixed, label = (np.asarray(paste(*pair, mask))[0] for pair in (images, labels))
    return [
        kept["image"],
        depth_picture(kept["depth"], (0.0, 0.15)),
        mixed,
        overlay(mixed, label, CITYSCAPES, alpha=0.75),
    ]


def _disparity(depth: np.ndarray) -> np.ndarray:
    """1/depth as [1,H,W,1]; the sky, of depth 0, is infinitely far."""
    return np.where(depth > 0, 1 / np.maximum(depth, 1e-3), 0).astype(np.float32)[None, ..., None]


def draw(size: tuple[int, int] = PANEL, supersample: int = 2) -> Image.Image:
    """The four panels in a row with arrows between them."""
    height, width = size
    pictures = panels(size, supersample)
    left = [GAP // 2 + index * (width + GAP) for index in range(len(pictures))]
    sheet = Image.new("RGB", (left[-1] + width + GAP // 2, HEAD + height + FOOT), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (x, picture, title, notes) in enumerate(zip(left, pictures, TITLES, NOTES, strict=True)):
        pen.text((x, 6), title, fill=INK, font=ImageFont.load_default(18))
        if index == 0:  # a stack of frames
            for shift in (8, 4):
                box = (x + shift, HEAD - shift, x + width + shift - 1, HEAD + height - shift)
                pen.rectangle(box, fill=(200, 205, 212), outline="white")
        sheet.paste(Image.fromarray(picture), (x, HEAD))
        for line, note in enumerate(notes):
            pen.text((x, HEAD + height + 6 + 19 * line), note, fill=PALE, font=ImageFont.load_default(15))
        if index:
            tip, middle = x - 10, HEAD + height // 2
            pen.line((tip - 22, middle, tip - 6, middle), fill=INK, width=3)
            pen.polygon([(tip, middle), (tip - 10, middle - 7), (tip - 10, middle + 7)], fill=INK)
    return sheet


if __name__ == "__main__":
    draw().save(sys.argv[1] if len(sys.argv) > 1 else "docs/images/idea.png", optimize=True)
