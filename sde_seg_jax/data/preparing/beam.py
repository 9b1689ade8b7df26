"""Data prepared by Apache Beam: the files are the elements of a pipeline, whose workers write one at a time.

They see the raw files and the target under the same paths as whoever starts the pipeline, who notes what is begun and
puts the files together. These are those that one machine writes alone, byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import os
import threading
import types
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from etils import epath

from sde_seg_jax.data.preparing.parts import asked_for, finish_parts
from sde_seg_jax.data.preparing.prepare import Asked
from sde_seg_jax.data.spec import DatasetSpec
from sde_seg_jax.data.stored.remote import is_remote
from sde_seg_jax.reporter import SILENT, Reporter

HERE = "DirectRunner"  # runs on this machine: no other program reads its flags
NEAR, FAR = 1, 20  # seconds between looks at what is finished: on a disk, in a bucket
LEVEL = "CRITICAL"  # of what workers here log on the same screen; Beam's flag of that name sets another


def prepare_by_beam(
    runner: str,
    words: Sequence[str],
    name: str | DatasetSpec,
    *,
    skip_bad: bool = False,
    reporter: Reporter = SILENT,
    **asked: Any,
) -> epath.Path | str:
    """Prepares a data set by the workers of a runner and returns its folder; takes the arguments of `prepare`.

    Args:
      runner: its name in Beam.
      words: Beam's own flags, as --direct_num_workers=2.

    Raises:
      ValueError: as `prepare`; Beam is not installed, does not take a flag, or its pipeline broke off.
    """
    beam = _beam()
    options = _options(runner, words)
    found = asked_for(name, skip_bad, **asked)
    if found.plan is None:
        reporter.tell(f"'{found.finished}' is prepared: nothing is left for {runner}")
        return found.finished
    _write(beam, options, found, os.fspath(asked["prepared_dir"]), skip_bad, reporter)
    return finish_parts(name, skip_bad=skip_bad, reporter=reporter, **asked)


def _write(beam: types.ModuleType, options: Any, found: Asked, prepared_dir: str, skip_bad: bool, reporter) -> None:
    """Runs the pipeline over the files that are missing. Raises ValueError for the first that could not be written."""
    from sde_seg_jax.data.preparing.beam_worker import FileWriter, Job, problem_of
    from sde_seg_jax.data.preparing.target import explained
    from sde_seg_jax.data.preparing.unfinished import Unfinished
    from sde_seg_jax.data.preparing.work import Work
    from sde_seg_jax.data.preparing.writing import check_room, tell_begun

    plan, target, run = found.plan, found.target, uuid.uuid4().hex[:12]
    unfinished = Unfinished(plan, target)
    tell_begun(unfinished, plan, target, reporter)
    with contextlib.closing(Work(plan, unfinished.todo, workers=1)) as work:
        check_room(plan, work, target, reporter.tell)
    with explained(target), target.writing():
        unfinished.begin()
    if not unfinished.todo:  # they were written before; to be put together
        return
    jobs = [Job(shard, len(plan.items[shard.split]), _items(plan, shard)) for shard in unfinished.todo]
    where = prepared_dir if is_remote(prepared_dir) else os.path.abspath(prepared_dir)
    writer = FileWriter(dataclasses.replace(plan, items={}, warnings=(), earlier=None), where, skip_bad, run)
    with explained(target), target.writing_part():
        pipeline = beam.Pipeline(options=options)
        _ = pipeline | "files" >> beam.Create(jobs) | "write" >> beam.Map(writer)
        with _watched(unfinished.todo, target, plan.spec.name, reporter):
            _run(pipeline)
    problems = [problem for shard in unfinished.todo if (problem := problem_of(target, shard, run))]
    if problems:
        more = f" (and {len(problems) - 1} more files could not be written)" if problems[1:] else ""
        raise ValueError(f"{problems[0]}{more}")


def _items(plan: Any, shard: Any) -> list[Any]:
    return [plan.items[shard.split][index] for index in range(shard.start, shard.stop)]


def _run(pipeline: Any) -> None:
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:  # of any kind: whatever a runner makes of a worker's error or of its own
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ValueError(
            f"the pipeline broke off: {lines[-1].strip()}; the same command continues with the files that are missing"
        ) from error


@contextlib.contextmanager
def _watched(todo: Sequence[Any], target: Any, title: str, reporter: Reporter) -> Iterator[None]:
    """Draws a bar of finished files: all that is seen of workers elsewhere."""
    done = threading.Event()

    def look(bar) -> None:
        left = list(todo)
        while left:
            ended = done.wait(FAR if is_remote(target.url) else NEAR)
            there = {shard for shard in left if target.size(shard.file) is not None}
            bar.update(len(there))
            left = [shard for shard in left if shard not in there]
            if ended:
                return

    with reporter.bar(total=len(todo), desc=title, unit="file") as bar:
        watcher = threading.Thread(target=look, args=(bar,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _beam() -> types.ModuleType:
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it misses optional packages aloud
    try:
        import apache_beam
    except ImportError as error:
        raise ValueError(f"--runner needs Apache Beam ({error}): pip install '.[beam]'") from error
    finally:
        logging.disable(disabled)
    return apache_beam


def _options(runner: str, words: Sequence[str]) -> Any:
    """Beam's options. Raises ValueError for a word that Beam would drop, or end the program for."""
    from apache_beam.options.pipeline_options import PipelineOptions

    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for options in (PipelineOptions, *PipelineOptions.__subclasses__()):
        with contextlib.suppress(argparse.ArgumentError):
            options._add_argparse_args(own)
    try:
        known, unknown = own.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise ValueError(f"a flag of Apache Beam's, after --: {error}") from error
    if known.runner not in (None, runner):
        raise ValueError(f"'--runner={known.runner}' after --: {runner} was asked for before")
    if unknown and (runner == HERE or not unknown[0].startswith("--")):
        raise ValueError(f"Apache Beam's {runner} knows no '{unknown[0]}': after -- stand its own flags, --name=value")
    quiet = [f"--default_sdk_harness_log_level={LEVEL}"] if runner == HERE else []
    return PipelineOptions([*quiet, *words, f"--runner={runner}"])
