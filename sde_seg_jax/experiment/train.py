"""One training run: from a configuration to checkpoints, metrics and pictures in a folder."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import jax
from ml_collections import config_dict
from PIL import Image

from sde_seg_jax.experiment import cached_depth, matching, monitor
from sde_seg_jax.experiment.begun import CONFIG, EXTENDABLE, begun, refuse_other_config, steps_done
from sde_seg_jax.experiment.build import Training, build_training, loop_section
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import UsageError, as_json, call
from sde_seg_jax.experiment.prepare import prepare_domains
from sde_seg_jax.experiment.schedule import spell_out
from sde_seg_jax.experiment.source_data import check_target_labels, class_lines, open_streams
from sde_seg_jax.experiment.spaces import note_classes
from sde_seg_jax.experiment.weights import transfer
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training import loop, sharding
from sde_seg_jax.training.checkpoints import Checkpoints
from sde_seg_jax.training.log import Log, write_text
from sde_seg_jax.training.memory import compile_and_tell
from sde_seg_jax.training.micro_batches import part_size
from sde_seg_jax.training.step import parameter_count

PICTURES = "pictures"


def train(config: config_dict.ConfigDict, workdir: str, title: str = "train", reporter: Reporter = SILENT) -> None:
    """Trains until config.train.steps, going on where the workdir's newest checkpoint ends; at once if that is done.

    Raises Interrupted after SIGINT or SIGTERM, with everything saved; Diverged; UsageError if the workdir's checkpoint
    is of another configuration (only begun.EXTENDABLE may differ).
    """
    asked = as_json(config)  # "@stage", not yet a path: a folder of runs may have moved
    config = resolve(config, pathlib.Path(workdir).expanduser().resolve().parent)
    check(config, sources=not steps_done(workdir))
    checkpoints = Checkpoints(workdir)
    start = checkpoints.latest() or 0
    if checkpoints.latest() is not None and not checkpoints.continues():
        raise UsageError(
            f"{workdir} holds converted weights, not a run to continue: choose another --workdir and give "
            f"--config.model.init={workdir}"
        )
    if start:
        refuse_other_config(asked, workdir, EXTENDABLE)
    if start >= config.train.steps:
        reporter.tell(f"{title}: {start} steps are done in {workdir}")
        checkpoints.close()
        return
    config = spell_out(config, begun(workdir) if start else {}, reporter.tell)
    config_json = as_json(config)
    prepare_domains(config, reporter=reporter)
    asked["data"]["classes"] = config_json["data"]["classes"] = note_classes(config)
    if start:
        refuse_other_config(asked, workdir, EXTENDABLE)
    data = open_streams(config, reporter.tell)
    check_target_labels(config, data)
    told = [*class_lines(config), *cached_depth.origins(config, data)]
    training, table = build_training(config, data, read_sources=not start)
    state = training.state
    mesh = sharding.make_mesh([part_size(config.data.batch_size, config.train.micro_batches)])
    for line in [*_headline(title, training, mesh, start), *told, *transfer.table(table)]:
        reporter.tell(line)
    state = sharding.replicate(state, mesh)
    if start:
        state = checkpoints.restore(jax.tree.map(_abstract, state))
    _write_config(workdir, config_json)
    streams = cached_depth.streams_read(config)
    pairs = matching.open_matching(config, data, streams, reporter)
    if pairs is not None:
        reporter.tell(pairs.line())
    batches = data.training(streams, config.seed, start, pairs and pairs.picks())
    log = Log(workdir, start)
    try:
        step, batches = compile_and_tell(training.step, mesh, state, sharding.to_devices(batches, mesh), reporter.tell)
        call(
            "train",
            loop.train,
            loop_section(config),
            state,
            step,
            batches,
            images_per_step=config.data.batch_size * len(streams),
            checkpoints=checkpoints,
            config=config_json,
            log=log,
            rates=lambda n: {f"learning_rate/{k}": v for k, v in training.optimizer.learning_rates(n).items()},
            evaluate=monitor.make_evaluate(config, data, training.network),
            pictures=_keep(monitor.make_pictures(config, data, training.network, training.mixer, pairs), workdir),
            title=title,
            reporter=reporter,
        )
    finally:
        log.close()
        checkpoints.close()


def _keep(draw: Callable, workdir: str) -> Callable:
    """Pictures go to TensorBoard; the newest of each also lies in the workdir, where the report finds it."""

    def pictures(state, streams):
        found = draw(state, streams)
        folder = pathlib.Path(workdir).expanduser() / PICTURES
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in found.items():
            Image.fromarray(picture).save(folder / f"training_{name}.png")
        return found

    return pictures


def resolve(config: config_dict.ConfigDict, siblings: pathlib.Path) -> config_dict.ConfigDict:
    """Replaces "@stage" by the folder of that stage, which lies beside this run's workdir; "@stage/file" likewise."""
    keys = ("model.init", "task.depth_checkpoint", "task.source_depth_checkpoint", "data.label_file", "select.start")
    for key in (*keys, *(f"sources.{name}" for name in config.sources)):
        section, name = key.split(".")
        value = config.get(section, {}).get(name) or ""
        if value.startswith("@"):
            config[section][name] = str(siblings / value[1:])
    return config


def _abstract(x):
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)


def _headline(title: str, training: Training, mesh, start: int) -> list[str]:
    count = parameter_count(training.state.student.params)
    devices = f"{mesh.size} of {len(jax.devices())} {jax.devices()[0].platform} device(s)"
    begun = f", continuing at step {start}" if start else ""
    return [f"{title}: {count / 1e6:.2f} M parameters on {devices}{begun}"]


def _write_config(workdir: str, config: dict) -> None:
    write_text(pathlib.Path(workdir).expanduser() / CONFIG, json.dumps(config, indent=2) + "\n")
