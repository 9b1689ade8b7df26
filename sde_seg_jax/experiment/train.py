"""One training run: from a configuration to checkpoints, metrics and pictures in a folder."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable

from ml_collections import config_dict

from sde_seg_jax.experiment import monitor, raw_changes
from sde_seg_jax.experiment.begun import EXTENDABLE, begun, refuse_other_config, steps_done
from sde_seg_jax.experiment.build import loop_section
from sde_seg_jax.experiment.cached_depth import streams_read
from sde_seg_jax.experiment.check import check, check_depth_networks
from sde_seg_jax.experiment.config import UsageError, as_json, call, value_of
from sde_seg_jax.experiment.configuration.references import resolve
from sde_seg_jax.experiment.evaluated import PICTURES
from sde_seg_jax.experiment.labels_seen import told_of_labels
from sde_seg_jax.experiment.prepare import prepare_domains
from sde_seg_jax.experiment.run import Run, open_run, write_config
from sde_seg_jax.experiment.schedule import spell_out
from sde_seg_jax.experiment.spaces import note_classes
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.state_files.writing import write_picture
from sde_seg_jax.training import loop
from sde_seg_jax.training.checkpoints import Checkpoints
from sde_seg_jax.training.digests import digest_of_json
from sde_seg_jax.training.log import Log, NoLog
from sde_seg_jax.training.memory import compile_and_tell, preset_hint
from sde_seg_jax.training.workdir_lock import alone


def train(config: config_dict.ConfigDict, workdir: str, title: str = "train", reporter: Reporter = SILENT) -> None:
    """Trains until config.train.steps, going on where the workdir's newest checkpoint ends; at once if that is done.

    Raises Interrupted after SIGINT or SIGTERM, with everything saved; Diverged; UsageError if the workdir's checkpoint
    is of another configuration (only begun.EXTENDABLE may differ); Busy if another run writes there. Of several
    processes all call this; the first writes what they do not write together.
    """
    asked = as_json(config)  # "@stage", not yet a path: a folder of runs may have moved
    folder = pathlib.Path(workdir).expanduser().resolve()
    config = resolve(config, folder.parent)
    done = steps_done(workdir)
    check(config, sources=not done)
    if done < config.train.steps:
        check_depth_networks(config)
    together.require_same(digest_of_json(asked), "the configuration", "start all with the same command")
    together.require_same(done, f"the newest step in {folder}", "--workdir has to be on a disk that all processes see")
    with alone(folder) if together.is_first() else contextlib.nullcontext():
        _train(config, asked, workdir, title, reporter)


def _train(config: config_dict.ConfigDict, asked: dict, workdir: str, title: str, reporter: Reporter) -> None:
    """What `train` does in a workdir of its own, after checking."""
    checkpoints = Checkpoints(workdir)
    try:
        done = _steps_done(checkpoints, asked, workdir)
        if done >= config.train.steps:
            reporter.tell(f"{title}: {done} steps are done in {workdir}")
            return
        config = spell_out(config, begun(workdir) if done else {}, reporter.tell)
        prepare_domains(config, reporter=reporter)
        asked["data"]["classes"] = note_classes(config)
        if done:
            refuse_other_config(asked, workdir, EXTENDABLE)
        restore = checkpoints.restore if done else None
        run, lines = open_run(config, begun=done, restore=restore, reporter=reporter)
        for line in (f"{title}: {lines[0]}", *lines[1:]):
            reporter.tell(line)
        if together.is_first():
            write_config(workdir, as_json(config))
            if not done:
                raw_changes.note_begun(pathlib.Path(workdir).expanduser(), config)
        _loop(run, workdir, done, checkpoints, title, reporter)
    finally:
        checkpoints.close()


def _steps_done(checkpoints: Checkpoints, asked: dict, workdir: str) -> int:
    """The newest step of a folder that may go on with this configuration; 0 if nothing is there."""
    newest = checkpoints.latest()
    if newest is not None and not checkpoints.continues():
        raise UsageError(
            f"{workdir} holds converted weights, not a run to continue: choose another --workdir and give "
            f"--config.model.init={workdir}"
        )
    if newest:
        refuse_other_config(asked, workdir, EXTENDABLE)
    return newest or 0


def _loop(run: Run, workdir: str, done: int, checkpoints: Checkpoints, title: str, reporter: Reporter) -> None:
    config, training = run.config, run.training
    log = Log(workdir, done) if together.is_first() else NoLog()
    try:
        if hint := preset_hint(value_of(config, "train.memory"), run.mesh.local_devices[0]):
            reporter.tell(hint)
        step, batches = compile_and_tell(training.step, run.mesh, run.state, run.batches, reporter.tell)
        together.barrier()  # some compile for longer than a collective waits
        batches = told_of_labels(batches, reporter.warn)
        call(
            "train",
            loop.train,
            loop_section(config),
            run.state,
            step,
            batches,
            images_per_step=config.data.batch_size * len(streams_read(config)),
            checkpoints=checkpoints,
            config=as_json(config),
            log=log,
            problem=training.task.problem,
            rates=lambda n: {f"learning_rate/{k}": v for k, v in training.optimizer.learning_rates(n).items()},
            evaluate=monitor.make_evaluate(config, run.data, run.network),
            pictures=_keep(monitor.make_pictures(config, run.data, run.network, training.mixer, run.pairs), workdir),
            title=title,
            reporter=reporter,
        )
    finally:
        log.close()


def _keep(draw: Callable, workdir: str) -> Callable:
    """Pictures go to TensorBoard; the newest of each also lies in the workdir, where the report finds it."""

    def pictures(state, streams):
        found = draw(state, streams)
        if not together.is_first():
            return {}
        folder = pathlib.Path(workdir).expanduser() / PICTURES
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in found.items():
            write_picture(folder / f"training_{name}.png", picture)
        return found

    return pictures
