"""The training loop, read top to bottom. It knows neither data sets nor models: it gets an iterator and functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from sde_seg_jax.bounds import CountOrNone
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training.finished_steps import FinishedSteps
from sde_seg_jax.training.finite import PREFIX, not_finite
from sde_seg_jax.training.interrupted import Interrupted
from sde_seg_jax.training.stopping import stopping_of
from sde_seg_jax.types import Streams, TrainState

if TYPE_CHECKING:  # what they write with may be missing where only steps are timed
    from sde_seg_jax.training.checkpoints import Checkpoints
    from sde_seg_jax.training.log import Log, NoLog


REMEDIES = "lower optim.learning_rate, check the intrinsics and labels of the data, or use model.dtype=float32"


UNLOGGED = 500  # so often are logs looked at that are not written


class Diverged(ValueError):
    """A loss or state that is not finite, or depth that collapsed to a constant map; the message says what to try."""


def train(
    state: TrainState,
    step: Callable[[TrainState, Streams], tuple[TrainState, dict]],
    batches: Iterator[Streams],
    *,
    steps: CountOrNone,
    images_per_step: int,
    checkpoints: Checkpoints,
    config: dict,
    log: Log | NoLog,
    problem: Callable[[dict[str, float], int], str] = lambda means, step: "",
    rates: Callable[[int], dict[str, float]] = lambda n: {},
    evaluate: Callable[[TrainState], dict[str, float]] | None = None,
    pictures: Callable[[TrainState, Streams], dict[str, np.ndarray]] | None = None,
    log_every: CountOrNone = 50,
    save_every: CountOrNone = 500,
    eval_every: CountOrNone = 0,
    picture_every: CountOrNone = 0,
    collapse_after: CountOrNone = 200,
    title: str = "train",
    reporter: Reporter = SILENT,
) -> TrainState:
    """Runs updates until `steps` have been done; returns the last state, saved.

    `batches` yields device arrays and starts at the state's step. Logs are fetched every `log_every` steps only, so
    that the device never waits for the host, and before every save. `*_every=0` switches a thing off: no lines, no
    saves but at the end; logs are looked at every so often all the same. `problem` is shown the means of the logs
    and the first of their steps, once that is after `collapse_after`; what it answers, if anything, stops the run.
    Raises Interrupted, Diverged.
    """
    start = int(jax.device_get(state.step))
    pending: list[dict] = []
    clock = time.perf_counter()
    with stopping_of() as stop, reporter.bar(total=steps, initial=start, desc=title, unit="step", mininterval=1) as bar:
        finished = FinishedSteps(bar)
        for number in range(start + 1, steps + 1):
            streams = next(batches)
            state, logs = step(state, streams)
            pending.append(logs)
            finished.started(logs["loss"])
            stopping = stop.after(number) and number < steps  # asked once: a later signal stops after the next step
            last = number == steps or stopping
            saving = last or _due(number, save_every, steps)
            if saving or _due(number, log_every or UNLOGGED, steps):  # before every save, so that no NaN is ever saved
                first = number - len(pending) + 1
                finished.wait()
                values = _mean_logs(pending, first, lambda: _begin_from(checkpoints))
                if first > collapse_after and (found := problem(values, first)):
                    raise Diverged(found)
                speed = len(pending) * images_per_step / (time.perf_counter() - clock)
                if log_every:
                    log.scalars(number, {**values, "images_per_second": speed, **rates(number - 1)})
                bar.set_postfix(loss=f"{values['loss']:.4f}", refresh=False)
                pending = []
            if _due(number, picture_every, steps) and pictures is not None:
                for name, image in pictures(state, streams).items():
                    log.picture(number, name, image)
            if _due(number, eval_every, steps) and evaluate is not None and not stopping:
                log.scalars(number, {f"val/{k}": v for k, v in evaluate(state).items()})
            if saving:
                checkpoints.save(number, state, config)
            if not pending:
                clock = time.perf_counter()  # evaluation, pictures and saving don't count as training time
            if stopping:
                checkpoints.wait()
                raise Interrupted(f"stopped after step {number} of {steps}; saved; the same command continues")
    checkpoints.wait()
    return state


def _due(number: int, every: int, steps: int) -> bool:
    return every > 0 and (number % every == 0 or number == steps)


def _mean_logs(pending: list[dict], first: int, before: Callable[[], str]) -> dict[str, float]:
    """Means over the steps since the last call, after checking every one of them and the states they made."""
    fetched: list[dict[str, Any]] = jax.device_get(pending)
    for number, logs in enumerate(fetched, start=first):
        if not np.isfinite(logs["loss"]):
            raise Diverged(f"the loss is {float(logs['loss'])} at step {number}: {REMEDIES}; {before()}")
        if found := not_finite(logs):
            raise Diverged(f"{found} are not finite after step {number}, though its loss was: {REMEDIES}; {before()}")
    names = [name for name in fetched[0] if not name.startswith(PREFIX)]
    return {name: float(np.mean([logs[name] for logs in fetched])) for name in names}


def _begin_from(checkpoints: Checkpoints) -> str:
    """Where a run that diverged can begin again: what it saved was checked, so that it is finite."""
    checkpoints.wait()
    step = checkpoints.latest()
    if step is None:
        return "nothing has been saved yet"
    return (
        f"the last checkpoint, step {step}, is from before: another --workdir and "
        f"--config.model.init={checkpoints.directory.parent} begin with its weights"
    )
