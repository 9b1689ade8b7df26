"""The loop, with steps of one line."""

import itertools
import os
import signal

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.tasks.depth import collapsed
from sde_seg_jax.training import loop
from sde_seg_jax.training.checkpoints import Checkpoints, read
from sde_seg_jax.training.log import Log, read_metrics
from sde_seg_jax.training.loop import Diverged, Interrupted, train
from sde_seg_jax.types import TrainState, Variables


def start(step=0):
    student = Variables({"w": jnp.zeros(())}, {})
    return TrainState(step=jnp.int32(step), student=student, opt_state=(), key=jnp.zeros(()))


def count(state, streams, **logs):
    """Adds the batch to w."""
    number = state.step + 1
    state = state.replace(step=number, student=Variables({"w": state.student.params["w"] + streams}, {}))
    return state, {"loss": jnp.float32(1), "number": number.astype(jnp.float32), **logs}


def run(folder, step=count, state=None, **options):
    checkpoints, log = Checkpoints(str(folder)), Log(str(folder))
    settings = {"steps": 6, "log_every": 2, "save_every": 3, "images_per_step": 4, **options}
    batches = map(float, itertools.count(1))
    try:
        return train(state or start(), step, batches, checkpoints=checkpoints, config={"a": 1}, log=log, **settings)
    finally:
        log.close()
        checkpoints.close()


def saved(folder):
    return sorted(int(p.name) for p in (folder / "checkpoints").iterdir() if p.name.isdigit())


def test_it_runs_to_the_last_step_and_saves_it(tmp_path):
    state = run(tmp_path, steps=5)
    assert state.step == 5
    assert state.student.params["w"] == 1 + 2 + 3 + 4 + 5
    assert saved(tmp_path) == [3, 5]
    assert read(str(tmp_path), "student").parts["student"]["params"]["w"] == 15


def test_it_starts_at_the_step_of_its_state(tmp_path):
    assert run(tmp_path, state=start(4)).step == 6
    assert saved(tmp_path) == [6]


def test_lines_are_means_since_the_line_before_and_tell_speed_and_rates(tmp_path):
    run(tmp_path, rates=lambda n: {"learning_rate/default": 0.1 * n})
    lines = read_metrics(str(tmp_path))
    # every 2 steps, and before the save at step 3
    assert [(line["step"], line["number"]) for line in lines] == [(2, 1.5), (3, 3), (4, 4), (6, 5.5)]
    for line in lines:
        assert {"loss", "images_per_second", "seconds", "learning_rate/default"} <= line.keys()
        assert line["images_per_second"] > 0
        np.testing.assert_allclose(line["learning_rate/default"], 0.1 * (line["step"] - 1))


def test_evaluation_and_pictures_come_when_due_and_at_the_end(tmp_path):
    seen = []
    pictures = lambda state, streams: seen.append(int(state.step)) or {"p": np.zeros((2, 2, 3), np.uint8)}  # noqa: E731
    scores = lambda state: {"miou": float(state.step)}  # noqa: E731
    run(tmp_path, evaluate=scores, pictures=pictures, eval_every=4, picture_every=5)
    assert seen == [5, 6]
    assert [line["val/miou"] for line in read_metrics(str(tmp_path)) if "val/miou" in line] == [4, 6]


def bad_loss(state, streams):
    state, logs = count(state, streams)
    return state, {**logs, "loss": jnp.where(logs["number"] == 5, jnp.nan, 1.0)}


def test_a_loss_that_is_not_finite_stops_with_the_step_and_what_to_try_and_is_never_saved(tmp_path):
    with pytest.raises(Diverged, match=r"the loss is nan at step 5: lower optim.learning_rate"):
        run(tmp_path, bad_loss, log_every=100)
    assert saved(tmp_path) == [3]


def bad_state(state, streams):
    """The loss is finite at every step; what step 5 makes of the state is not."""
    state, logs = count(state, streams)
    return state, {**logs, "state_finite/student": logs["number"] != 5, "state_finite/teacher": jnp.bool_(True)}


def test_a_state_that_is_not_finite_stops_with_part_step_and_the_checkpoint_before_and_is_never_saved(tmp_path):
    with pytest.raises(Diverged) as error:
        run(tmp_path, bad_state, log_every=100)
    message = str(error.value)
    assert "numbers of the student are not finite after step 5, though its loss was: lower optim." in message
    assert (
        f"the last checkpoint, step 3, is from before: another --workdir and --config.model.init={tmp_path} " in message
    )
    assert saved(tmp_path) == [3]


def test_the_last_state_of_all_is_checked_too_and_with_nothing_saved_the_message_says_so(tmp_path):
    with pytest.raises(Diverged, match=r"not finite after step 5, .*; nothing has been saved yet$"):
        run(tmp_path, bad_state, steps=5, save_every=0, log_every=0)
    assert saved(tmp_path) == []


def test_without_lines_and_saves_there_is_the_last_state_alone_and_what_diverges_is_seen_soon(tmp_path, monkeypatch):
    run(tmp_path / "fine", log_every=0, save_every=0)
    assert saved(tmp_path / "fine") == [6]
    assert read_metrics(str(tmp_path / "fine")) == []
    monkeypatch.setattr(loop, "UNLOGGED", 3)
    done = []

    def bad_at_two(state, streams):
        done.append(1)
        state, logs = count(state, streams)
        return state, {**logs, "loss": jnp.where(logs["number"] == 2, jnp.inf, 1.0)}

    with pytest.raises(Diverged, match="the loss is inf at step 2"):
        run(tmp_path / "bad", bad_at_two, log_every=0, save_every=0, steps=50)
    assert len(done) == 3


def test_answers_about_the_state_are_no_quantities_to_log(tmp_path):
    run(tmp_path, bad_state, steps=4)
    assert not any("finite" in key for line in read_metrics(str(tmp_path)) for key in line)


def flat_depth(spread):
    return lambda state, streams: count(state, streams, disparity_spread=jnp.float32(spread))


def test_a_collapsed_depth_stops_with_what_to_try(tmp_path):
    with pytest.raises(Diverged, match=r"collapsed to a constant map .*model.disparity_bias=-4"):
        run(tmp_path, flat_depth(1e-5), collapse_after=3, problem=collapsed)


@pytest.mark.parametrize(("spread", "after"), [(1e-5, 100), (0.1, 0)])
def test_depth_that_varies_or_is_young_goes_on(tmp_path, spread, after):
    assert run(tmp_path, flat_depth(spread), collapse_after=after, problem=collapsed).step == 6


def test_a_task_without_depth_has_nothing_that_collapses(tmp_path):
    assert run(tmp_path, collapse_after=0, problem=collapsed).step == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_says_so(tmp_path, number, capfd):
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def step(state, streams):
        if state.step == 3:
            os.kill(os.getpid(), number)
        return count(state, streams)

    with pytest.raises(Interrupted, match=r"stopped after step 4 of 6; saved; the same command continues"):
        run(tmp_path, step, save_every=100)
    assert "stopping after this step, with everything saved; the same signal again" in capfd.readouterr().err
    assert saved(tmp_path) == [4]
    assert read_metrics(str(tmp_path))[-1]["step"] == 4
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_signal_between_step_and_save_stops_after_the_next_step_which_is_saved(tmp_path):
    def evaluate(state):
        os.kill(os.getpid(), signal.SIGINT)
        return {}

    with pytest.raises(Interrupted, match="after step 3 of 6"):
        run(tmp_path, evaluate=evaluate, eval_every=2, save_every=100)
    assert saved(tmp_path) == [3]


def test_a_second_signal_acts_at_once(tmp_path):
    def step(state, streams):
        if state.step == 3:
            signal.raise_signal(signal.SIGINT)  # to this thread: two that another thread gets may count as one
            signal.raise_signal(signal.SIGINT)
        return count(state, streams)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, step)
    assert saved(tmp_path) == [3]
