"""How much a camera moved between frames, to leave out frames that show the same as the one before.

Depth is learnt from the parallax of neighbors: at standstill and at high frame rates there is too little of it.
"""

from __future__ import annotations

import cv2
import numpy as np

WIDTH = 160  # pixels of the thumbnails that are compared: a millisecond a frame, static cameras below 0.05 %
HEIGHTS = (16, 640)  # of thumbnails: optical flow needs something to look at, and must not take forever
FLOW = {  # Farnebäck, Two-frame motion estimation based on polynomial expansion, SCIA 2003; OpenCV's usual values
    **{"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3},
    **{"poly_n": 5, "poly_sigma": 1.2, "flags": 0},
}


def thumbnail_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the thumbnail of an image."""
    least, most = HEIGHTS
    return min(max(least, round(height * WIDTH / width)), most), WIDTH


def thumbnail(gray: np.ndarray) -> np.ndarray:
    """Gray uint8 [h, w] of the thumbnail's size."""
    return cv2.resize(gray, thumbnail_size(*gray.shape)[::-1], interpolation=cv2.INTER_AREA)


def motion(before: np.ndarray, after: np.ndarray) -> float:
    """Median length of the optical flow between two thumbnails of one size, in percent of their width."""
    flow = cv2.calcOpticalFlowFarneback(before, after, None, **FLOW)
    return 100 * float(np.median(np.hypot(flow[..., 0], flow[..., 1]))) / before.shape[1]


class Chooser:
    """Says of one frame after the other whether to keep it: if it moved `least` percent since the last kept one."""

    def __init__(self, least: float):
        self._least, self._last = least, None

    def keeps(self, gray: np.ndarray) -> bool:
        """Whether to keep the frame of this thumbnail; the first one is kept."""
        keep = self._last is None or motion(self._last, gray) >= self._least
        if keep:
            self._last = gray
        return keep
