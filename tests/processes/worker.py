"""What one of several processes does in these tests: a command like all, with the flags by which processes meet.

    python worker.py --part=steps --workdir=DIR --coordinator=HOST:PORT --processes=2 --process=0

The first process writes what all have found; the test compares it with what one process finds.
"""

import pathlib
import pickle
import sys

import jax
import numpy as np
from absl import flags as absl_flags

from sde_seg_jax.cli import process_flags
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.processes import together
from sde_seg_jax.training import sharding
from sde_seg_jax.training.checkpoints import read


def steps(folder):
    """Two steps of toy tasks over all devices."""
    import toy_tasks

    return {name: toy_tasks.two_steps(name) for name in toy_tasks.TASKS}


def exact(folder):
    """A task of the benchmarks, and what it mixes."""
    import agreement
    import cases

    with jax.enable_x64(True):
        case = agreement.exact_case(pathlib.Path(folder, "task").read_text(), cases.SETTINGS["tiny"], 4)
        mesh = sharding.make_mesh([4])
        return agreement.steps_on(case, mesh, 2), agreement.mixes_on(case, mesh)


def data(folder):
    """Streams of this process, and scores of all."""
    import toy_data

    return {"streams": together.gathered(toy_data.streams()), "scores": toy_data.scores()}


def scan(folder):
    """What each finds for all samples, and at which it looked."""
    import toy_scan

    return together.gathered(toy_scan.scanned(pathlib.Path(folder) / "files"))


def checkpoint(folder):
    """A state over all devices, saved by all processes and read by one; what they saved."""
    import toy_state

    state = sharding.replicate(toy_state.state(), sharding.make_mesh([4]))
    toy_state.save(pathlib.Path(folder) / "run", 7, state)
    together.barrier()
    if together.index() == 1:  # reads alone: nobody has to come along
        assert read(str(pathlib.Path(folder) / "run"), "student").step == 7
    return jax.tree.map(np.asarray, toy_state.plain(sharding.here(state)))


def train(folder):
    """A run that takes its time."""
    import toy_run

    toy_run.train(pathlib.Path(folder) / "run")


def fails(folder):
    """Process 1 meets an error; the others wait for it."""
    if together.index() == 1:
        raise ValueError("no such file\non this machine")
    together.gathered("waiting")


def flags(values):
    process_flags.define(values)
    absl_flags.DEFINE_string("part", "", "the name of one of the functions here", flag_values=values)


def main(arguments):
    found = globals()[arguments.part](arguments.workdir)
    if together.is_first():
        pathlib.Path(arguments.workdir, arguments.part).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
