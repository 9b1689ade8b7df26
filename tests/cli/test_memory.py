"""What cli.train says about memory before it trains."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.experiment import train
from sde_seg_jax.experiment.config import load_config, load_module
from sde_seg_jax.training import memory, sharding
from sde_seg_jax.training.memory import REMEDIES
from sde_seg_jax.types import Batch, Intrinsics, Streams

MIB = 2**20


def step(state, streams):
    """Sorting needs a second copy of the parameters."""
    total = jnp.sum(streams.labeled.image.astype(jnp.float32))
    return {"w": state["w"] + jnp.sort(state["w"]), "key": state["key"]}, {"total": total}


def batch(value):
    one = np.ones(1, np.float32)
    return Streams(labeled=Batch(np.full((1, 1, 1, 1), value, np.uint8), Intrinsics(one, one, one, one)))


@pytest.fixture
def compiled():
    mesh = sharding.make_mesh([1])
    state = sharding.replicate({"w": jnp.ones(MIB, jnp.float32), "key": jax.random.key(0)}, mesh)
    told, data = [], sharding.to_devices(iter(map(batch, range(4))), mesh)
    found, batches = memory.compile_and_tell(step, mesh, state, data, told.append)
    return found, batches, state, "".join(f"{line}\n" for line in told)


def test_the_line_tells_state_and_activations(compiled):
    found, _, state, out = compiled
    measured = memory.measure(found, state)
    assert measured.state == 4 * MIB + 8  # and the random key
    assert 4 * MIB <= measured.activations < 9 * MIB
    assert measured.limit is None  # a CPU does not tell
    assert out == memory.lines(measured)[0] + "\n"


def test_no_batch_is_lost_and_the_step_runs_on_all_of_them(compiled):
    found, batches, state, _ = compiled
    totals = []
    for streams in batches:
        state, logs = found(state, streams)
        totals.append(float(logs["total"]))
    assert totals == [0, 1, 2, 3]


def test_a_step_that_exceeds_the_device_names_the_remedies():
    lines = memory.lines(memory.Memory(state=6 * 2**30, activations=21 * 2**29, limit=16 * 2**30))
    assert lines == [
        "memory per device: 16.5 GiB (parameters and optimiser 6, activations 10.5)",
        "warning: the device offers 16 GiB; if memory runs out, raise train.micro_batches, set model.remat=true, "
        "lower data.batch_size, or use model.dtype=bfloat16",
    ]
    assert len(memory.lines(memory.Memory(2**30, 2**30, limit=2**31))) == 1


def test_a_batch_that_cannot_be_split_is_refused_before_any_work(refused, tiny, tmp_path):
    line = refused("train", tiny("supervised"), "--config.train.micro_batches=3", f"--workdir={tmp_path}")
    assert "a batch of 2 cannot be split into 3 equal parts" in line
    assert not list(tmp_path.iterdir())


class Device:
    """A device that offers so many bytes, or does not tell."""

    def __init__(self, limit):
        self.limit = limit

    def memory_stats(self):
        return None if self.limit is None else {"bytes_limit": self.limit}


@pytest.mark.parametrize(
    ("preset", "gib", "line"),
    [
        (80, 59.4, "the device offers 59.4 GiB: the preset memory=80 fits"),
        (24, 17.6, "the device offers 17.6 GiB: the preset memory=24 fits"),
        (16, 105, "the device offers 105 GiB: the preset memory=80 fits; memory=16 is for smaller ones"),
        (80, 11.8, "warning: the device offers 11.8 GiB: memory=80 may not fit, the preset memory=16 does"),
        (80, 5.9, f"warning: the device offers 5.9 GiB, and the smallest preset, memory=16, may need more: {REMEDIES}"),
        (24, None, ""),  # a CPU does not tell
        (0, 59.4, ""),  # a configuration without presets
    ],
)
def test_a_device_that_tells_its_memory_is_given_the_preset_that_fits(preset, gib, line):
    device = Device(None if gib is None else int(gib * 2**30))
    assert memory.preset_hint(preset, device) == line


def test_training_tells_the_preset_before_it_compiles(tiny, tmp_path, monkeypatch):
    class Reached(Exception):
        pass

    def compile_nothing(*_):
        raise Reached

    def told(preset, device):
        path, _, row = tiny("supervised").removeprefix("--config=").partition(":")
        config, lines = load_config(path, row), []
        config.train.memory = preset
        run = types.SimpleNamespace(config=config, training=types.SimpleNamespace(step=None), state=None, batches=None)
        run.mesh = types.SimpleNamespace(local_devices=[device])
        with pytest.raises(Reached):
            train._loop(run, str(tmp_path), 0, None, "", types.SimpleNamespace(tell=lines.append))
        return lines

    monkeypatch.setattr(train, "compile_and_tell", compile_nothing)
    assert told(24, Device(80 * 2**30)) == [memory.preset_hint(24, Device(80 * 2**30))]
    assert told(24, jax.devices("cpu")[0]) == told(0, Device(80 * 2**30)) == []


def test_a_preset_that_there_is_not_is_refused(refused, tiny, tmp_path):
    line = refused("train", tiny("supervised"), "--config.train.memory=40", f"--workdir={tmp_path}")
    assert line == "error: config.train.memory=40: presets are for 80, 24, 16 GB; 0: no preset"


def test_the_presets_of_the_modern_table_are_the_known_ones():
    table = load_module("modern")
    assert tuple(map(int, table.OPTIONS["memory"])) == memory.PRESETS
    for preset in table.OPTIONS["memory"]:
        assert load_config("modern", f"unimatch,memory={preset}").train.memory == int(preset)
