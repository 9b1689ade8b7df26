"""A training loop on a toy network, which takes some seconds: to be stopped, killed and continued."""

import itertools
import pathlib
import time

import optax
import toy
import toy_state
from agreement import own_part

from sde_seg_jax.processes import together
from sde_seg_jax.reporter import CONSOLE
from sde_seg_jax.tasks import supervised
from sde_seg_jax.training import loop, sharding
from sde_seg_jax.training.checkpoints import Checkpoints
from sde_seg_jax.training.log import Log, NoLog
from sde_seg_jax.training.step import make_step
from sde_seg_jax.types import Streams

STEPS, BATCH, PAUSE = 60, 12, 0.05  # 12 images: for 1, 2, 3 or 4 processes


def batches(start):
    """Batch t is a function of t; each takes PAUSE seconds, so that there is time to kill."""
    for number in range(start, STEPS):
        time.sleep(PAUSE)
        yield own_part(Streams(labeled=toy.batch(BATCH, number)))


def train(folder):
    """Trains, or goes on, to the end; what `experiment.train` does without configuration and data."""
    network, optimizer = toy.Toy(), optax.sgd(1e-2, momentum=0.9)
    mesh = sharding.make_mesh([BATCH])
    state = sharding.replicate(toy.state_of(network, optimizer), mesh)
    store = Checkpoints(str(folder), keep=3)
    done = store.latest() or 0
    if done:
        state = store.restore(toy_state.abstract(state))
    loss = supervised.make_loss(network, losses={"cross_entropy": 1.0})
    batches_ahead = sharding.to_devices(batches(done), mesh)
    first = next(batches_ahead)
    step = sharding.compile_step(make_step(loss, optimizer), mesh).lower(state, first).compile()
    log = Log(str(folder), done) if together.is_first() else NoLog()
    wanted = itertools.chain([first], batches_ahead)
    options = {"steps": STEPS, "images_per_step": BATCH, "save_every": 10, "log_every": 1, "collapse_after": 0}
    try:
        together.barrier()
        loop.train(state, step, wanted, checkpoints=store, config={"name": "toy"}, log=log, reporter=CONSOLE, **options)
    finally:
        store.close()
        log.close()


def steps(folder):
    """Those that are logged."""
    path = pathlib.Path(folder) / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0
