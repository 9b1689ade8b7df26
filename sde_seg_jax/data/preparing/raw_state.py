"""Whether raw files are still those that data were prepared from; of data sets that notice it."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from sde_seg_jax.data.spec import DatasetSpec

LABELS, FRAMES = "labels", "frames"
CALLED = {LABELS: "labels", FRAMES: "images and videos"}
State = Mapping[str, Mapping[str, Any]]  # what -> {"count", "digest"}


def raw_state(spec: DatasetSpec, raw_dir: str | os.PathLike | None) -> State:
    """The state of raw files now; {} where they are gone, or their data set notices nothing."""
    folder = pathlib.Path(raw_dir or "").expanduser()
    if spec.raw_state is None or not raw_dir or not folder.is_dir():
        return {}
    try:
        found = spec.raw_state(folder)
    except (ValueError, OSError):  # what is wrong with them is told where they are read
        return {}
    return {key: {"count": count, "digest": digest} for key, (count, digest) in found.items()}


def changes(before: State, now: State) -> dict[str, str]:
    """What differs: of LABELS, FRAMES to how, as "8 labels then, 16 now"; of nothing that one of the two lacks."""
    return {
        key: _how(CALLED[key], before[key]["count"], now[key]["count"])
        for key in CALLED
        if key in before and key in now and before[key]["digest"] != now[key]["digest"]
    }


def _how(called: str, before: int, now: int) -> str:
    return f"other {called} than then ({now})" if before == now else f"{before} {called} then, {now} now"
