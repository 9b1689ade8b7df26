"""Opens what a selection looks at: its samples, the depth network, or the encoder that compares images."""

from __future__ import annotations

import pathlib

from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import open_data
from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.cached_depth import FIELD, depth_fingerprint, reads_cache
from sde_seg_jax.experiment.config import UsageError, call, value_of
from sde_seg_jax.experiment.selection.files import digest, keep_facts
from sde_seg_jax.experiment.selection.plan import CORESET, Plan
from sde_seg_jax.experiment.selection.starting_encoder import starting_encoder
from sde_seg_jax.experiment.selection.work import Work
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.training.fingerprint import SHOWN, fingerprint


def open_work(config: config_dict.ConfigDict, plan: Plan, folder: pathlib.Path, reporter: Reporter = SILENT) -> Work:
    """Opens data and teacher. Raises UsageError if the folder was begun with others."""
    fields = (FIELD,) if value_of(config, "task.depth_checkpoint") and reads_cache(config) else ()
    data = call("data", open_data, config.data, reporter.tell)
    source = data.source("train", fields)
    names = sorted(source.names)
    teacher, facts = None, {"samples": f"{len(names)}, digest {digest(names)}"}
    if value_of(config, "task.depth_checkpoint"):
        teacher = build.load_trained(config.task.depth_checkpoint)
        if teacher.network.depth_decoder is None:
            raise UsageError(f"task.depth_checkpoint={config.task.depth_checkpoint} holds no depth network")
        teacher.network.check_size(*data.size)
        _check_level(teacher, plan)
        weights = depth_fingerprint(teacher.variables.params, teacher.variables.batch_stats)
        facts["teacher weights"] = weights[:SHOWN]
    eyes = teacher
    if plan.criterion == CORESET:
        eyes = starting_encoder(config)
        eyes.network.check_size(*data.size)
        facts["encoder weights"] = fingerprint([eyes.variables.params, eyes.variables.batch_stats])[:SHOWN]
    keep_facts(folder, facts)
    return Work(config, plan, folder, source, names, teacher, eyes, fields, reporter)


def _check_level(teacher: build.Trained, plan: Plan) -> None:
    exchange = teacher.network.distillation
    if exchange is not None and plan.level <= exchange.level:
        raise UsageError(
            f"config.select.level={plan.level}: task.depth_checkpoint is a multi-task network, whose depth features "
            f"depend on those of the classes from level {exchange.level} on: choose a level above, or a depth run"
        )
