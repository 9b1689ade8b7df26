"""Whether depth explains a video whose true depth nobody knows: scores of held-out frames, and a sentence (NumPy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

MEASURES = ("error", "error_unwarped", "error_constant", "auto_masked", "disparity_spread", "depth_inconsistency")
CLEAR, HALF = 0.75, 0.5  # shares of the frames: from the first on depth has been learnt, below the second it has not
FEW = 10  # fewer frames than these show little
Status = Literal["good", "unclear", "bad"]


def video_scores(frames: Mapping[str, Float[np.ndarray, " N"]]) -> dict[str, float]:
    """{"video/frames": N, "video/explained": share, and the means of all MEASURES, as "video/<name>"}.

    Args:
      frames: of each frame, photometric errors in [0,1] against its neighbors: `error`, warped by depth and motion;
        `error_unwarped`, as they are; `error_constant`, warped by the same motion and a constant depth, the one that
        is best over all frames. And `auto_masked`, the share of pixels that no warped neighbor explains better than an
        unwarped one; `disparity_spread`, standard deviation over mean; `depth_inconsistency` with its neighbors.

    "video/explained" is the share of the frames whose error is below both that of no motion and that of no depth.

    Raises:
      ValueError: there is no frame.
    """
    measured = {name: np.asarray(frames[name], np.float64) for name in MEASURES}
    count = len(measured["error"])
    if not count:
        raise ValueError("no frame was measured; give a split whose frames have neighbors")
    without = np.minimum(measured["error_unwarped"], measured["error_constant"])
    explained = float(np.mean(measured["error"] < without))
    means = {f"video/{name}": float(values.mean()) for name, values in measured.items()}
    return {"video/frames": count, "video/explained": explained, **means}


def status(explained: float) -> Status:
    """What a share of explained frames means."""
    return "good" if explained >= CLEAR else "unclear" if explained >= HALF else "bad"


def verdict(scores: Mapping[str, float]) -> str:
    """One sentence on the scores of `video_scores`."""
    share, frames = scores["video/explained"], int(scores["video/frames"])
    found = {
        "good": f"depth explains the video better than no depth on {share:.0%} of {_counted(frames)}",
        "unclear": f"depth begins to explain the video, on {share:.0%} of {_counted(frames)} better than no depth: "
        "train longer",
        "bad": f"not yet: depth explains only {share:.0%} of {_counted(frames)} better than no depth: train longer",
    }[status(share)]
    return found if frames >= FEW else f"{found} (so few show little: hold out more)"


def comparison(scores: Mapping[str, float]) -> str:
    """The numbers behind the verdict, on one line."""
    return (
        f"photometric error {scores['video/error']:.4f}; best constant depth {scores['video/error_constant']:.4f}, "
        f"unwarped {scores['video/error_unwarped']:.4f}; auto-masked {scores['video/auto_masked']:.0%}; "
        f"spread of the disparity {scores['video/disparity_spread']:.2f}; "
        f"depth differs by {scores['video/depth_inconsistency']:.1%} between neighbors"
    )


def _counted(frames: int) -> str:
    return "1 held-out frame" if frames == 1 else f"{frames} held-out frames"
