"""What a person looks at after a selection: page.html with a strip of pictures a sample, and budget.csv."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from sde_seg_jax.display.budget import Budget, write_budget
from sde_seg_jax.display.selection_choice import STARTED, Choice, criterion_name
from sde_seg_jax.display.selection_page import write_selection_page
from sde_seg_jax.display.selection_pictures import HEIGHT, strip
from sde_seg_jax.experiment.config import value_of
from sde_seg_jax.experiment.selection import scores as selection_scores
from sde_seg_jax.experiment.selection.files import TABLE, Chosen
from sde_seg_jax.experiment.selection.plan import ENTROPY, TASKS
from sde_seg_jax.experiment.selection.work import SCORES, Work, scores_in, step_name
from sde_seg_jax.selection.coverage import coverage
from sde_seg_jax.state_files.pictures import is_whole
from sde_seg_jax.state_files.writing import write_picture

PAGE, BUDGET, PICTURES = "page.html", "budget.csv", "pictures"
QUALITY = 90  # of JPEGs
BRIGHT = 99  # percentile of the errors that is drawn bright


def write_report(work: Work, rows: Sequence[Chosen]) -> None:
    """Writes what is missing of pictures, then the budget, and last the page, unless it is newer than the list."""
    if is_written(work):
        return
    pictures = _write_pictures(work, rows)
    budget = make_budget(work, rows)
    write_budget(work.folder / BUDGET, budget)
    choices = [Choice(*dataclasses.astuple(row), picture=pictures[row.rank]) for row in rows]  # fields in one order
    plan = work.plan
    summary = {
        "data": f"{work.config.data.dataset}, {work.config.data.train_split}: {len(work.names)} samples",
        "criterion": plan.criterion,
        "labels after each step": plan.steps,
        "seed": work.config.seed,
        "teacher": value_of(work.config, "task.depth_checkpoint") or "none",
        "configuration": work.config.to_dict(),
    }
    intro = f"{len(rows)} of {len(work.names)} samples, best first; criterion: {criterion_name(plan.criterion)}."
    write_selection_page(
        work.folder / PAGE, title="What to label", intro=intro, choices=choices, budget=budget, summary=summary
    )


def is_written(work: Work) -> bool:
    """Is the page newer than the list?"""
    page = work.folder / PAGE
    return page.is_file() and page.stat().st_mtime_ns >= (work.folder / TABLE).stat().st_mtime_ns


def make_budget(work: Work, rows: Sequence[Chosen]) -> Budget:
    """Coverage after every label, and the mean uncertainty that was left before every step that looked at it."""
    number = {name: index for index, name in enumerate(work.names)}
    largest = mean = None
    if work.eyes is not None:
        order = [number[row.name] for row in rows]
        with work.reporter.bar(total=len(order), desc="coverage", unit="label", delay=1) as bar:
            found = coverage(work.features, order, **work.plan.distance, progress=lambda done: bar.update(done - bar.n))
        largest, mean = found.largest, found.mean
    files = {step: work.folder / SCORES / f"{step_name(step)}.npy" for step in sorted({row.step for row in rows})}
    scores = {step: scores_in(path, len(work.names)) for step, path in files.items() if path.is_file()}
    left = [(step, float(np.nanmean(found))) for step, found in scores.items()]
    return Budget(np.arange(1, len(rows) + 1), largest, mean, left)


def _write_pictures(work: Work, rows: Sequence[Chosen]) -> dict[int, str]:
    """Rank -> path of its strip relative to the page; strips that are there, and not cut off, are kept."""
    names = {row.rank: f"{PICTURES}/{row.rank:05d}.jpg" for row in rows}
    missing = [row for row in rows if not is_whole(work.folder / names[row.rank])]
    with work.reporter.bar(total=len(missing), desc="pictures", unit="img", delay=1) as bar:
        for step, group in itertools.groupby(missing, key=lambda row: row.step):
            before = [row for row in rows if row.step < step]
            for row, picture in _strips(work, list(group), before):
                write_picture(work.folder / names[row.rank], picture, quality=QUALITY)
                bar.update()
    return names


Maps = tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]  # teacher, student, error; [h,w] each


def _strips(work: Work, rows: Sequence[Chosen], before: Sequence[Chosen]) -> Iterator[tuple[Chosen, np.ndarray]]:
    """The strips of one step; their errors are drawn on one scale."""
    number = {name: index for index, name in enumerate(work.names)}
    maps_of = _maps(work, [number[row.name] for row in before], rows[0].criterion)
    images, found = [], []
    for row in rows:
        example = work.source.read(int(work.places[number[row.name]]), work.columns)
        image = example["image"]
        size = (round(HEIGHT * image.shape[1] / image.shape[0]), HEIGHT)
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        columns = {key: np.asarray(example[key])[None] for key in ("image", *work.columns)}
        found.append([one if one is None else cv2.resize(one, size) for one in maps_of(columns)])
    errors = [error for *_, error in found if error is not None]
    scale = (0.0, max(float(np.percentile(np.stack(errors), BRIGHT)), 1e-6)) if errors else (0.0, 1.0)
    for row, image, (teacher, student, error) in zip(rows, images, found, strict=True):
        yield row, strip(image, teacher, student, error, scale, "entropy" if row.criterion == ENTROPY else "error")


def _maps(work: Work, chosen: Sequence[int], criterion: str) -> Callable[[dict], Maps]:
    """What there is to show of one image: disparities and what was uncertain."""
    if chosen and criterion in TASKS and criterion != STARTED:
        student = work.student(chosen)
        if criterion == ENTROPY:
            entropy = selection_scores.entropy_map(student.network)
            return lambda columns: (None, None, _one(entropy(student.variables, columns)))
        maps = selection_scores.error_maps(work.teacher.network, student.network, work.plan, work.scale)
        variables = (work.teacher.variables, student.variables)
        return lambda columns: tuple(_one(found) for found in maps(variables, columns))
    if work.teacher is None:
        return lambda columns: (None, None, None)
    disparity = selection_scores.teacher_disparity(work.teacher.network)
    return lambda columns: (_one(disparity(work.teacher.variables, columns)), None, None)


def _one(found) -> np.ndarray:
    return np.asarray(found, np.float32)[0]
