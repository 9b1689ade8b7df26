"""Runs that docs/results/NAME.json holds: not run again, and shown where their folders are on another machine.

A run is one of this table if its row, labels, seed and the digest of its configuration are.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.display.result_json import from_json
from sde_seg_jax.display.result_table import Result
from sde_seg_jax.experiment.begun import FREE
from sde_seg_jax.experiment.config import ABSENT, as_json
from sde_seg_jax.experiment.table.file import stages_of
from sde_seg_jax.experiment.table.plan import Key, Plan
from sde_seg_jax.training.log import read_metrics

DIGITS = 16


@dataclasses.dataclass(frozen=True)
class Kept:
    """A finished run, the digest of its configuration, and its validations: {step: score}."""

    result: Result
    config: str
    validations: Mapping[str, float]

    def line(self) -> dict[str, Any]:
        """What the file's list "trained" says of it."""
        run = self.result
        place = {"row": run.row, "labels": run.labels, "seed": run.seed}
        return {**place, "config": self.config, "validations": dict(self.validations)}


def digest(*configs: config_dict.ConfigDict) -> str:
    """The first digits of the SHA-256 of a run's configuration and of those of the stages that it starts from.

    Keys of places and rhythm do not count, nor do those that stand as they do in runs that lack them.
    """
    every = [as_json(config) for config in configs]
    for values in every:
        for key in (*FREE, *ABSENT):
            section, name = key.split(".")
            same = json.dumps(values.get(section, {}).get(name)) == json.dumps(ABSENT.get(key))
            if key in FREE or same:
                values.get(section, {}).pop(name, None)
    return hashlib.sha256(json.dumps(every, sort_keys=True).encode()).hexdigest()[:DIGITS]


def read(path: pathlib.Path, plan: Plan) -> dict[Key, Kept]:
    """The finished runs of a file that were trained as the plan's configurations say; none if there is no file."""
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    results = {(run.row, run.labels, run.seed): run for run in from_json(found).results if run.final is not None}
    kept = {}
    for line in found["trained"]:
        key = line["row"], line["labels"], line["seed"]
        if key in results and line["config"] == _digest_now(plan, key):
            kept[key] = Kept(results[key], line["config"], line["validations"])
    return kept


def _digest_now(plan: Plan, key: Key) -> str:
    if key[0] not in plan.table.rows:
        return ""
    config = plan.file.config(plan.table.argument(*key))
    return digest(config, *stages_of(config, plan.table, plan.file.overrides).values())


def trained_here(plan: Plan, result: Result, metric: str) -> Kept:
    """A run whose folder is here, with its configuration and validations."""
    logged = {str(line["step"]): line[metric] for line in read_metrics(result.folder) if metric in line}
    return Kept(result, _digest_now(plan, (result.row, result.labels, result.seed)), logged)
