"""What a step of a selection chooses, from features and uncertainties that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sde_seg_jax.display.selection_choice import STARTED
from sde_seg_jax.evaluation.bootstrap import clips_of
from sde_seg_jax.experiment.selection.plan import BOTH, CORESET, DIVERSITY, RANDOM
from sde_seg_jax.experiment.selection.work import Work
from sde_seg_jax.selection import choose, farthest_point
from sde_seg_jax.selection.spread import Spread, highest, in_order

Found = tuple[str, int, float | None, float | None, float | None]  # what chose it, sample, score, distance, error


def choose_step(
    work: Work, started: Sequence[int], chosen: Sequence[int], count: int, scores: np.ndarray | None
) -> list[Found]:
    """The step after those that are chosen; it ends at `count` labels."""
    found = _next(work, chosen, count - len(chosen), scores) if chosen else _first(work, started, count)
    return list(found)


def _first(work: Work, started: Sequence[int], count: int) -> Iterator[Found]:
    """The first step: what is labeled already; else the random order, or farthest points from its first (published)."""
    if started:
        yield from ((STARTED, index, None, None, None) for index in started)
        return
    at_random = 1 if work.plan.farthest else count
    first = _at_random(work, [], at_random)
    yield from ((RANDOM, index, None, None, None) for index in first)
    yield from _farthest(work, first, count - at_random)


def _next(work: Work, chosen: Sequence[int], count: int, scores: np.ndarray | None) -> Iterator[Found]:
    """A later step."""
    if work.plan.criterion == RANDOM:
        yield from ((RANDOM, index, None, None, None) for index in _at_random(work, chosen, count))
    elif work.plan.criterion in (DIVERSITY, CORESET):
        yield from _farthest(work, chosen, count)
    elif work.plan.criterion == BOTH:
        yield from _farthest(work, chosen, count, scores)
    else:
        left = np.flatnonzero(~np.isin(np.arange(len(scores)), chosen))
        spread = _spread(work, chosen)
        if spread is None:
            picks = choose.most_uncertain(scores, count, left).tolist()
        else:
            picks = highest(scores, count, spread, left)
        for index in picks:
            yield work.plan.criterion, index, float(scores[index]), None, float(scores[index])


def _spread(work: Work, chosen: Sequence[int]) -> Spread | None:
    """Over the clips of the samples, `chosen` counted; None unless the plan asks for it."""
    if not work.plan.spread:
        return None
    _, groups = np.unique(clips_of(work.names), return_inverse=True)
    return Spread(groups, chosen)


def _at_random(work: Work, chosen: Sequence[int], count: int) -> list[int]:
    """The next of the seed's random order."""
    spread = _spread(work, chosen)
    if spread is not None:
        return in_order(work.order.tolist(), count, spread, chosen)
    return work.order[~np.isin(work.order, chosen)][:count].tolist()


def _farthest(work: Work, chosen: Sequence[int], count: int, errors: np.ndarray | None = None) -> Iterator[Found]:
    """Farthest points, by distance + bias * error where there are errors; labeled samples have none.

    As published: Q36 in docs/record/differences.md.
    """
    if not count:
        return
    bias = candidates = None
    if errors is not None:
        bias = np.nan_to_num(errors * np.float32(work.plan.bias))
        if work.plan.preselect:
            left = np.flatnonzero(~np.isin(np.arange(len(errors)), chosen))
            wanted = min(int(work.plan.preselect * count), len(left))
            candidates = choose.preselect(np.nan_to_num(errors), wanted, left)
    alone = CORESET if work.plan.criterion == CORESET else DIVERSITY  # the first step of BOTH has no errors yet
    options = {"bias": bias, "candidates": candidates, "spread": _spread(work, chosen), **work.plan.distance}
    features = work.features
    with work.reporter.bar(total=count, desc="farthest points", unit="label", delay=1) as bar:
        options["progress"] = lambda done: bar.update(done - bar.n)
        picks = farthest_point.sample(features, chosen, count, **options)
    for index, score in zip(picks.indices.tolist(), picks.distances.tolist(), strict=True):
        distance = score if bias is None else score - float(bias[index])
        yield (
            alone if errors is None else BOTH,
            index,
            score,
            distance,
            None if bias is None else float(errors[index]),
        )
