"""What a task is: one record at the end of its module, found by the module's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from sde_seg_jax.lookup import Kind
from sde_seg_jax.tasks.loss_terms import Losses

TASKS = Kind("task", "sde_seg_jax.tasks", attribute="TASK", group="sde_seg_jax.tasks")

Options = Mapping[str, Any]  # keyword arguments of make_loss: the section task of a configuration


def always(value: Any) -> Callable[[Losses, Options], Any]:
    """(losses, options) -> the value, whatever they are: for what a task reads or needs in any case."""
    return lambda losses, options: value


def no_problem(means: Mapping[str, float], step: int) -> str:
    """For a task that cannot collapse."""
    return ""


NOTHING_CACHED, NO_TEACHER = always(()), always(False)


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of training. All but the makers are functions of (losses, options); `always` makes one of a constant.

    make_loss: (network, *, losses, ...) -> loss(params, state, streams, rng) -> (value, `training.step.Aux`). Its
      keyword arguments are the section task of a configuration.
    streams: stream of `types.Streams` -> optional fields of `types.Batch` that are read of it.
    needs: parts of the network, of "depth", "segmentation", "pose".
    cached: streams that may carry cached disparities, which take the place of a frozen depth network's.
    teacher: whether an EMA teacher is kept.
    problem: (means of the logs, step) -> what is wrong and what to try, which stops the run; "" while all is well.
    make_mixer: (network, **options) -> mixer(state, streams, rng) -> {name: `pictures.Mix`}, for pictures; None where
      nothing is mixed.
    """

    make_loss: Callable[..., Callable]
    streams: Callable[[Losses, Options], Mapping[str, tuple[str, ...]]]
    needs: Callable[[Losses, Options], tuple[str, ...]]
    cached: Callable[[Losses, Options], tuple[str, ...]] = NOTHING_CACHED
    teacher: Callable[[Losses, Options], bool] = NO_TEACHER
    make_mixer: Callable[..., Callable] | None = None
    problem: Callable[[Mapping[str, float], int], str] = no_problem


def find_task(name: str) -> Task:
    """The task of a name. Raises ValueError that lists the known ones."""
    return TASKS.find(name).TASK
