"""Why a frame was chosen, in one picture: image | teacher disparity | student disparity | error map."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sde_seg_jax.display.pictures import disparity_picture, heat_picture
from sde_seg_jax.display.sheets import grid, rgb

HEIGHT = 128  # pixels of a panel: four of 2:1 just fill the page, and a thousand strips stay below 100 MB as JPEG
CAPTION = 15  # pixels: still readable when the page shows a strip a third smaller


def strip(
    image: np.ndarray,
    teacher: np.ndarray | None = None,
    student: np.ndarray | None = None,
    error: np.ndarray | None = None,
    error_range: tuple[float, float] | None = None,
    error_name: str = "error",
) -> np.ndarray:
    """Returns RGB uint8 [h, w, 3]: the panels side by side with captions; those that are None are left out.

    All panels get the image's shape at `HEIGHT` pixels. Near is bright. The student has the teacher's colours, so that
    the same colour is the same disparity.

    Args:
      image: uint8, or float in [0,1], [H, W, 3].
      teacher: disparity [H, W] or [H, W, 1], at any resolution; not finite is black.
      student: likewise, in the teacher's scale.
      error: likewise; 0 where it does not count.
      error_range: the errors that are drawn dark and bright; one range for all strips makes them comparable.
        None takes the 2nd and 98th percentile of this map.
      error_name: what the error map is called: of `entropy` it is the entropy.
    """
    image = rgb(image)
    size = max(1, round(image.shape[1] * HEIGHT / image.shape[0])), HEIGHT
    panels = {"image": image}
    reference = next((disparity for disparity in (teacher, student) if disparity is not None), None)
    limits = None if reference is None else _limits(reference)
    if teacher is not None:
        panels["teacher disparity"] = disparity_picture(teacher, limits)
    if student is not None:
        panels["student disparity"] = disparity_picture(student, limits)
    if error is not None:
        low, high = error_range = _limits(error) if error_range is None else error_range
        panels[f"{error_name}, {low:.2g} to {high:.2g}"] = heat_picture(error, error_range)
    row = [_resize(panel, size) for panel in panels.values()]
    return grid([row], captions=list(panels), min_height=HEIGHT, font_size=CAPTION)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The 2nd and 98th percentile of what is finite."""
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    return tuple(np.percentile(finite, (2, 98)).tolist()) if finite.size else (0.0, 1.0)


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To (width, height), averaging when it becomes smaller."""
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
