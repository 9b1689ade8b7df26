"""What is predicted for images and videos, as files: read, asked about and written side by side."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction import answers, outputs, smoothing
from sde_seg_jax.experiment.prediction.ahead import Ended, Frame, read_ahead
from sde_seg_jax.experiment.prediction.asking import DISPARITY, Predictor
from sde_seg_jax.experiment.prediction.batches import Batcher
from sde_seg_jax.experiment.prediction.done import Done, head_of
from sde_seg_jax.experiment.prediction.frames import count_frames, frame_rate
from sde_seg_jax.experiment.prediction.metric import UP_TO_SCALE, Scale
from sde_seg_jax.experiment.prediction.model import prediction_of
from sde_seg_jax.experiment.prediction.movies import Movies
from sde_seg_jax.experiment.prediction.sources import Source, Sources
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.reporter import SILENT, Reporter

THREADS = min(8, os.cpu_count() or 1)  # that read, and as many that write
WAITING = 2 * THREADS  # images that may wait to be written


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be done with every image.

    Attributes:
      predictors: what is asked; what a later one gives takes the place of an earlier one's.
      outputs: names of `outputs.OUTPUTS`; () those that are usual.
      batch: images that are asked about at once; 0: by their size and the device.
      resume: pass over what an earlier call has done.
      settings: in words, what must be the same to go on: checkpoint, protocol, ...
      scale: what the files' depths are in; called once, with the files and predictors, before anything is written.
      smoother: makes the classes of videos steadier, and measures how steady they are.
    """

    predictors: Sequence[Predictor]
    outputs: Sequence[str] = ()
    batch: int = 0
    resume: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scale: Callable[[Sequence[Source], Sequence[Predictor]], Scale] = lambda sources, predictors: UP_TO_SCALE
    smoother: smoothing.Smoother | None = None


@dataclasses.dataclass
class Written:
    """What came of a call.

    Attributes:
      count: images and frames that were predicted.
      kinds: outputs that were written of each.
      files: how many images and videos there were.
      skipped: those that an earlier call had done.
      bad: a message for each of them that could not be read.
      other: files that are neither.
      depth: what depth is in, in words; "" if there is none.
    """

    count: int = 0
    kinds: tuple[str, ...] = ()
    files: int = 0
    skipped: int = 0
    bad: list[str] = dataclasses.field(default_factory=list)
    other: list[pathlib.Path] = dataclasses.field(default_factory=list)
    depth: str = ""


def write_predictions(sources: Sources, folder: pathlib.Path, job: Job, reporter: Reporter = SILENT) -> Written:
    """Predicts for images and videos, into a folder.

    Of several files, one that cannot be read is noted and passed over. Raises UsageError for an output that the
    networks cannot give, notes of another call, or a single file that cannot be read; OSError if the disk is full.
    """
    kinds = outputs.chosen_outputs(job.outputs, job.predictors)
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"--output={folder}: {there} is a file; give a folder")
    done = Written(kinds=kinds, files=len(sources.found) + len(sources.broken), other=sources.other)
    done.bad += [f"{link} is a link that leads nowhere" for link in sources.broken]
    before = head_of(folder).get("depth") if job.resume else None
    scale = UP_TO_SCALE
    if "depth" in kinds:
        scale = Scale(before["factor"], before["told"]) if before else job.scale(sources.found, job.predictors)
        done.depth = scale.told
    head = {"settings": {**job.settings, "outputs": ",".join(kinds)}, "depth": dataclasses.asdict(scale)}
    with contextlib.closing(Done(folder, head, kinds, resume=job.resume)) as notes:
        todo = [source for source in sources.found if not notes.has(source)]
        done.skipped = len(sources.found) - len(todo)
        answers.write(folder, job.predictors, kinds)
        _Work(folder, job, kinds, scale, done, notes, reporter).go(todo, alone=done.files == 1)
    return done


class _Work:
    """One call's way through its files."""

    def __init__(self, folder, job: Job, kinds, scale: Scale, done: Written, notes: Done, reporter: Reporter):
        self._folder, self._job, self._kinds, self._scale = folder, job, kinds, scale
        self._done, self._notes, self._reporter = done, notes, reporter
        self._movies: dict[Source, Movies] = {}
        self._writing: collections.deque[tuple[Frame, Future]] = collections.deque()
        self._space = next((one.space for one in job.predictors if one.space is not None), None)
        self._depths = next((one.depths for one in reversed(job.predictors) if DISPARITY in one.gives), DepthRange())

    def go(self, todo: Sequence[Source], *, alone: bool) -> None:
        """Predicts the files; of a file that is `alone` an error is raised, not noted."""
        counts = {source: count_frames(source) or 0 for source in todo}
        videos = any(source.is_video for source in todo)
        batcher = Batcher(self._job.predictors, self._job.batch, 0 if videos else len(todo))
        with contextlib.ExitStack() as stack:
            bar = self._reporter.bar(desc="predict", unit="img", total=sum(counts.values()))
            self._update = stack.enter_context(bar).update
            stack.callback(lambda: [movies.drop() for movies in self._movies.values()])
            readers, self._writers = (ThreadPoolExecutor(THREADS) for _ in range(2))
            for pool in (readers, self._writers):
                stack.callback(pool.shutdown, cancel_futures=True)
            ahead = 2 * THREADS + self._job.batch
            try:
                for came in read_ahead(todo, self._job.predictors, readers, ahead, self._reporter.warn):
                    if isinstance(came, Frame):
                        self._write_all(batcher.add(came))
                        continue
                    if came.failed and alone:
                        raise UsageError(came.failed)
                    if came.source.is_video:
                        self._write_all(batcher.flush())
                        bar.total += came.frames - counts[came.source]
                    self._end(came)
                self._write_all(batcher.flush())
            finally:  # what was predicted by an interruption is written and noted
                self._settle(0)

    def _write_all(self, found: Iterable[tuple[Frame, Mapping[str, np.ndarray]]]) -> None:
        """Gives what was predicted to the threads that write; waits where too much waits for them."""
        smoother = self._job.smoother
        for frame, maps in found:
            maps = maps if smoother is None else smoother.take(frame, dict(maps))
            self._writing.append((frame, self._writers.submit(self._write, frame, maps)))
            self._settle(WAITING)

    def _write(self, frame: Frame, maps: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """In a thread: one image's files. Returns what videos are made of."""
        found = prediction_of(frame.image, maps, self._space, self._depths)
        if found.depth is not None:
            found = dataclasses.replace(found, depth=found.depth * np.float32(self._scale.factor))
        files = outputs.files_of(found, self._kinds)
        outputs.write(self._folder / frame.source.folder, frame.name, files)
        return files if frame.source.is_video else {}

    def _settle(self, most: int) -> None:
        """Waits, in order, until at most `most` images are being written, and takes those that are done."""
        while self._writing and (len(self._writing) > most or self._writing[0][1].done()):
            frame, future = self._writing.popleft()
            try:
                files = future.result()
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:  # all others end everything
                    raise
                self._too_long(frame.source)
                continue
            if frame.source.is_video:
                if frame.source not in self._movies:
                    where = self._folder / frame.source.folder
                    self._movies[frame.source] = Movies(where, frame_rate(frame.source.path))
                self._movies[frame.source].add(files)
            else:
                self._notes.note(frame.source)
            self._done.count += 1
            self._update()

    def _too_long(self, source: Source) -> None:
        message = f"{source.path} has too long a name for the names of what is written of it; rename it"
        if message not in self._done.bad:
            self._done.bad.append(message)
        self._update()

    def _end(self, ended: Ended) -> None:
        """Nothing more comes of a file."""
        if ended.failed:
            self._done.bad.append(ended.failed)
        if not ended.source.is_video:
            return
        self._settle(0)
        if ended.source in self._movies:
            self._movies.pop(ended.source).close()
        flicker = self._job.smoother.ended() if self._job.smoother else {}
        if not ended.failed:
            self._notes.note(ended.source, ended.frames, flicker)
            if flicker:
                self._reporter.tell(smoothing.told(ended.source.path.name, flicker))
