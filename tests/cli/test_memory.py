"""What cli.train says about memory before it trains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training import memory, sharding
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
