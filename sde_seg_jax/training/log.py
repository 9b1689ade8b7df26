"""Scalars and pictures of a run: `metrics.jsonl` for programs, TensorBoard files for people."""

from __future__ import annotations

import contextlib
import json
import math
import pathlib
import time
from typing import Any

import numpy as np
import tensorboardX

from sde_seg_jax import disk
from sde_seg_jax.state_files.reading import read_lines
from sde_seg_jax.state_files.schemas import METRICS_LINE
from sde_seg_jax.state_files.writing import write_text

METRICS = "metrics.jsonl"
REMEDY = "remove that line"


class Log:
    """Writes both. On resuming at `step`, lines of later steps are dropped, so that no step stands twice."""

    def __init__(self, workdir: str, step: int = 0):
        folder = pathlib.Path(workdir).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / METRICS
        _drop_after(self._path, step)
        before = read_metrics(str(folder))
        self._clock = time.monotonic() - (before[-1].get("seconds", 0.0) if before else 0.0)
        # max_queue=0 is no limit: a full queue would wait for ever if the disk is full and the writing thread gone
        self._board = tensorboardX.SummaryWriter(
            str(folder / "tensorboard"), purge_step=step + 1 if step else None, max_queue=0
        )
        self._file = self._path.open("a", encoding="utf-8")

    def scalars(self, step: int, values: dict[str, Any]) -> None:
        """One line {"step": step, ..., "seconds": wall clock of the run so far}; NaN and infinities become null.

        Raises OSError that names the file if it cannot be written.
        """
        values = {key: float(value) for key, value in values.items()}
        values["seconds"] = time.monotonic() - self._clock
        line = {key: value if math.isfinite(value) else None for key, value in values.items()}
        try:
            self._file.write(json.dumps({"step": step, **line}) + "\n")
            self._file.flush()
        except OSError as error:
            raise OSError(f"cannot write {self._path} ({error.strerror}): {disk.remedy(error)}") from error
        for key, value in values.items():
            if math.isfinite(value):  # a class without pixels has no IoU: no point to draw, and no warning either
                self._board.add_scalar(key, value, step)

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """A uint8 RGB image [H, W, 3]."""
        self._board.add_image(name, image, step, dataformats="HWC")

    def close(self) -> None:
        """Flushes and closes both; what a full disk refuses has been reported by `scalars`."""
        for one in (self._file, self._board):
            with contextlib.suppress(OSError):
                one.close()


class NoLog:
    """Writes nothing: of several processes one writes."""

    def scalars(self, step: int, values: dict[str, Any]) -> None:
        """Takes what `Log` takes."""

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Takes what `Log` takes."""

    def close(self) -> None:
        """Has nothing to close."""


def read_metrics(workdir: str) -> list[dict]:
    """The lines of a run's metrics.jsonl; an unfinished last line is left out. Raises DamagedFile."""
    path = pathlib.Path(workdir).expanduser() / METRICS
    if not path.is_file():
        return []
    return read_lines(path, METRICS_LINE, REMEDY)


def _drop_after(path: pathlib.Path, step: int) -> None:
    if not path.is_file():
        return
    kept = [line for line in read_metrics(str(path.parent)) if line["step"] <= step]
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
