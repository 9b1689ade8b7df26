"""Nothing compiles after the first step, and nothing goes to or comes from the device unasked.

Two guards, since neither sees everything. JAX's transfer guard refuses what goes to a device, or from one to another,
without having been placed there explicitly. What comes from a device it sees on accelerators only: on a CPU an array is
host memory. So a stand-in step returns values that note when they are fetched.
"""

import itertools
import pathlib
import sys

import jax
import numpy as np
import optax
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tasks"))
import toy

from sde_seg_jax.tasks import semi_supervised
from sde_seg_jax.training import ema, sharding
from sde_seg_jax.training.loop import train
from sde_seg_jax.training.step import make_step
from sde_seg_jax.types import Batch, Intrinsics, Streams, TrainState, Variables

COMPILING = ("/jax/core/compile/jaxpr_trace_duration", "/jax/core/compile/backend_compile_duration")


class Nowhere:
    """Checkpoints and log that keep nothing but the numbers of logged steps."""

    def __init__(self):
        self.logged = []

    def save(self, number, state, config):
        pass

    def wait(self):
        pass

    def scalars(self, step, values):
        self.logged.append(step)


def run(state, step, batches, **options):
    """The training loop; returns the last state and the numbers of logged steps."""
    nowhere = Nowhere()
    settings = {"images_per_step": 4, "checkpoints": nowhere, "config": {}, "log": nowhere, **options}
    return train(state, step, batches, **settings), nowhere.logged


def training(mesh):
    """(state on the mesh, compiled step, batches without end) of semi-supervised training with a teacher."""
    network, optimizer = toy.Toy(), optax.sgd(1e-2, momentum=0.9)
    state = toy.state_of(network, optimizer, teacher=True, frozen={"depth": toy.variables(network, 5)})
    loss = semi_supervised.make_loss(network, losses={"cross_entropy": 1.0}, depth_network=network)
    step = sharding.compile_step(make_step(loss, optimizer, ema.update_rule("batch_stats")), mesh)
    batches = (toy.streams(4, seed, [True, False] * 2) for seed in itertools.count())
    return sharding.replicate(state, mesh), step, batches


@pytest.fixture
def compiling():
    """Names of tracing and compiling as they happen."""
    events = []

    def listen(name, seconds, **_):
        if name in COMPILING:
            events.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)


def test_fresh_batches_neither_compile_after_the_first_step_nor_travel_unasked(compiling):
    mesh = sharding.make_mesh([4])
    state, step, batches = training(mesh)
    after = []

    def counted(state, streams):
        result = step(state, streams)
        after.append(len(compiling))
        return result

    compiling.clear()
    # from the first step on: reading batches, placing them, steps, logs
    with jax.transfer_guard("disallow"):
        state, logged = run(state, counted, sharding.to_devices(batches, mesh), steps=6, log_every=2)
    heard = list(compiling)
    assert set(heard) == set(COMPILING)
    assert after == [len(heard)] * 6  # all of it in the first step
    assert logged == [2, 4, 6]
    assert state.step == 6


def plain_step(mesh):
    """(state on the mesh, compiled step that sums the pixels)."""
    state = sharding.replicate({"w": np.ones(3, np.float32)}, mesh)
    return state, sharding.compile_step(lambda state, streams: (state, {"sum": streams.labeled.image.sum()}), mesh)


def batch_of(size):
    zero = np.zeros(size, np.float32)
    image = np.ones((size, 1, 1, 3), np.uint8)
    return Streams(labeled=Batch(image=image, intrinsics=Intrinsics(zero, zero, zero, zero)))


def test_a_batch_of_another_size_is_heard_to_compile(compiling):
    mesh = sharding.make_mesh([4])
    state, step = plain_step(mesh)
    state, _ = step(state, sharding.put(batch_of(4), mesh))
    compiling.clear()
    state, _ = step(state, sharding.put(batch_of(4), mesh))
    assert compiling == []
    step(state, sharding.put(batch_of(2), mesh))
    assert set(compiling) == set(COMPILING)


@pytest.mark.parametrize("wrong", ["host-to-device", "device-to-device"])
def test_what_was_not_placed_on_the_mesh_is_refused_under_the_guard(wrong):
    mesh = sharding.make_mesh([4])
    state, step = plain_step(mesh)
    state, _ = step(state, sharding.put(batch_of(4), mesh))
    batch = batch_of(4)
    if wrong == "device-to-device":
        state, batch = jax.device_put(state, jax.devices()[0]), sharding.put(batch, mesh)
    with jax.transfer_guard("disallow"), pytest.raises(jax.errors.JaxRuntimeError, match=f"Disallowed {wrong}"):
        step(state, batch)


class Noted:
    """A scalar "on the device" that notes when it is fetched; whatever else one would do with it raises TypeError."""

    def __init__(self, value, fetched):
        self.value, self.fetched = value, fetched

    def __array__(self, dtype=None, copy=None):
        self.fetched()
        return np.asarray(self.value, dtype)

    def item(self):
        self.fetched()
        return self.value

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        return bool(self.item())


def noted_steps():
    """(state, step, list that gets the number of steps done at every fetch); all that a step returns is Noted."""
    done, fetches = itertools.count(), []
    now = next(done)

    def note():
        fetches.append(now)

    def state(number):
        return TrainState(
            step=Noted(number, note), student=Variables({"w": Noted(1.0, note)}, {}), opt_state=(), key=Noted(0, note)
        )

    def step(before, streams):
        nonlocal now
        now = next(done)
        return state(now), {"loss": Noted(1.0, note), "disparity_spread": Noted(0.1, note)}

    return state(0), step, fetches


def test_the_loop_fetches_the_logs_of_all_steps_when_they_are_due_and_nothing_else():
    state, step, fetches = noted_steps()
    _, logged = run(state, step, itertools.repeat(None), steps=7, log_every=3, save_every=5)
    assert logged == [3, 5, 6, 7]  # before a save, too, and at the end
    start, *due = fetches
    assert start == 0  # where the state stands
    assert due == [3] * 6 + [5] * 4 + [6] * 2 + [7] * 2  # two values of every step


@pytest.mark.parametrize("look", [float, bool, int, np.asarray, np.isfinite, jax.device_get, lambda x: x.item()])
def test_every_way_of_fetching_is_noted(look):
    state, step, fetches = noted_steps()
    _, logs = step(state, None)
    look(logs["loss"])
    assert fetches == [1]


@pytest.mark.parametrize("look", ["{:.3f}".format, lambda x: x < 1, lambda x: x + 1])
def test_every_other_use_raises(look):
    state, step, _ = noted_steps()
    with pytest.raises(TypeError):
        look(step(state, None)[1]["loss"])
