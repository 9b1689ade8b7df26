"""A run in one's hands: state, step and batches of a configuration, for a training loop of one's own.

`train.train` is such a loop, with checkpoints, log and pictures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.experiment import cached_depth, matching, monitor
from sde_seg_jax.experiment.begun import CONFIG, EXTENDABLE, refuse_other_config
from sde_seg_jax.experiment.build import Training, build_training
from sde_seg_jax.experiment.check import check, check_depth_networks
from sde_seg_jax.experiment.config import UsageError, as_json
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.matched_pairs import Pairs
from sde_seg_jax.experiment.prepare import prepare_domains
from sde_seg_jax.experiment.schedule import spell_out
from sde_seg_jax.experiment.source_data import check_target_labels, class_lines, open_streams
from sde_seg_jax.experiment.spaces import note_classes
from sde_seg_jax.experiment.weights import transfer
from sde_seg_jax.models.network import Network
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training import sharding
from sde_seg_jax.training.checkpoints import Checkpoints
from sde_seg_jax.training.log import write_text
from sde_seg_jax.training.micro_batches import part_size
from sde_seg_jax.training.step import Loss, parameter_count
from sde_seg_jax.training.workdir_lock import alone
from sde_seg_jax.types import Streams, TrainState

Step = Callable[[TrainState, Streams], tuple[TrainState, dict[str, jax.Array]]]


@dataclasses.dataclass(repr=False)
class Run:
    """What training a configuration needs; `start` makes one.

    Attributes:
      config: with folders instead of "@stage".
      data: the prepared data, opened.
      training: network, optimiser and task as they were built.
      mesh: the devices.
      state: parameters, optimiser, teacher; `step` gives a new one, and the old one's memory is gone then.
      step: compiled when it is first called: (state, batch) -> (state, logs).
      batches: device batches from the state's step on, as many as config.train.steps asks for.
      pairs: the crops that Matching Geometry Sampling pairs; None without.
    """

    config: config_dict.ConfigDict
    data: Data
    training: Training
    mesh: Mesh
    state: TrainState
    step: Step
    batches: Iterator[Streams]
    pairs: Pairs | None = None

    def __repr__(self) -> str:
        return f"Run(task {self.config.task.name!r} on {self.config.data.dataset!r}, {self.mesh.size} device(s))"

    @property
    def network(self) -> Network:
        """The flax module."""
        return self.training.network

    @property
    def loss(self) -> Loss:
        """The task's: (params, state, batch, rng) -> (value, Aux); `compile` takes another of this kind."""
        return self.training.loss

    def compile(self, loss: Loss) -> Step:
        """A step like `step` that follows another loss: a pure (params, state, streams, rng) -> (value, aux).

        `aux` is what `loss` returns beside its value, `training.step.Aux`: aux.replace(logs={**aux.logs, "mine": x}).
        """
        return sharding.compile_step(self.training.step_of(loss), self.mesh)

    def evaluate(self) -> dict[str, float]:
        """Validation scores of the state now, the teacher's under `teacher/...`."""
        return monitor.make_evaluate(self.config, self.data, self.network)(self.state)

    def pictures(self, batch: Streams) -> dict[str, np.ndarray]:
        """What the state makes of a batch, as RGB uint8 pictures by name: mixing, depth, prediction, matching."""
        return self._draw(self.state, batch)

    def mix(self, batch: Streams) -> dict[str, Any]:
        """What the task mixes of a batch: name -> `tasks` Mix record in NumPy; {} if it does not mix.

        "mixing": within the target, "cross_mixing": source images on target images.
        """
        if self._mixer is None:
            return {}
        key = jax.random.fold_in(self.state.key, self.state.step)
        return jax.device_get(self._mixer(self.state, batch, key))

    def save(self, workdir: str | pathlib.Path) -> None:
        """Writes a checkpoint that `load` and the commands read.

        Raises UsageError if the folder has another run's, or this step or a later one already; Busy if a run goes on
        there.
        """
        folder, config = pathlib.Path(workdir).expanduser(), as_json(self.config)
        step = int(jax.device_get(self.state.step))
        with alone(folder), contextlib.closing(Checkpoints(str(folder))) as checkpoints:
            refuse_other_config(config, folder, EXTENDABLE)
            newest = checkpoints.latest()
            if newest is not None and newest >= step:
                raise UsageError(f"{folder} holds step {newest} already, this is step {step}: save into another folder")
            write_config(folder, config)
            checkpoints.save(step, self.state, config)

    def __post_init__(self) -> None:
        self._draw = monitor.make_pictures(self.config, self.data, self.network, self.training.mixer, self.pairs)
        self._mixer: Callable | None = None if self.training.mixer is None else jax.jit(self.training.mixer)


def start(config: config_dict.ConfigDict, runs: str | pathlib.Path | None = None, reporter: Reporter = SILENT) -> Run:
    """Prepares what is not prepared yet, and returns a run at step 0.

    Args:
      config: a configuration; it is not changed.
      runs: the folder of runs where "@stage" is looked for.
      reporter: is told what goes on.

    Raises:
      ValueError: the configuration cannot be used; names key and remedy.
    """
    config = resolve(config.copy_and_resolve_references(), None if runs is None else pathlib.Path(runs).expanduser())
    check(config)
    check_depth_networks(config)
    config = spell_out(config, {}, reporter.tell)
    prepare_domains(config, reporter=reporter)
    note_classes(config)
    run, lines = open_run(config, reporter=reporter)
    for line in lines:
        reporter.tell(line)
    return run


def open_run(
    config: config_dict.ConfigDict,
    *,
    begun: int = 0,
    restore: Callable[[TrainState], TrainState] | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Run, list[str]]:
    """A run of checked and prepared data from step `begun` on, and lines about it.

    `restore` gives the state of that step for an abstract one; then sources of weights are not read.
    """
    data = open_streams(config, reporter.tell)
    check_target_labels(config, data)
    told = [*class_lines(config), *cached_depth.origins(config, data)]
    training, table = build_training(config, data, read_sources=restore is None)
    mesh = sharding.make_mesh([part_size(config.data.batch_size, config.train.micro_batches)])
    lines = [_headline(training, mesh, begun), *told, *transfer.table(table)]
    state = sharding.replicate(training.state, mesh)
    if restore is not None:
        state = restore(jax.tree.map(_abstract, state))
    streams = cached_depth.streams_read(config)
    pairs = together.first_before_others(lambda: matching.open_matching(config, data, streams, reporter))
    if pairs is not None:
        lines.append(pairs.line())
    batches = data.training(streams, config.seed, begun, None if pairs is None else pairs.picks())
    wanted = itertools.islice(sharding.to_devices(batches, mesh), max(0, config.train.steps - begun))
    step = sharding.compile_step(training.step, mesh)
    return Run(config, data, training, mesh, state, step, wanted, pairs), lines


def write_config(workdir: str | pathlib.Path, config: dict) -> None:
    """The configuration of a run, beside its checkpoints."""
    write_text(pathlib.Path(workdir).expanduser() / CONFIG, json.dumps(config, indent=2) + "\n")


def _abstract(x: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)


def _headline(training: Training, mesh: Mesh, begun: int) -> str:
    count = parameter_count(training.state.student.params)
    devices = f"{mesh.size} of {len(jax.devices())} {jax.devices()[0].platform} device(s)"
    if together.count() > 1:
        devices += f" of {together.count()} processes"
    return f"{count / 1e6:.2f} M parameters on {devices}" + (f", continuing at step {begun}" if begun else "")
