"""Rounds of labelling: what is trained after labels have changed lies beside what was trained before."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator, Mapping

from ml_collections import config_dict

from sde_seg_jax.experiment import raw_changes
from sde_seg_jax.experiment.begun import begun

Configs = Mapping[str, config_dict.ConfigDict]  # by name


def open_rounds(configs: Configs, folder: pathlib.Path) -> dict[str, config_dict.ConfigDict]:
    """The configurations of stages, by the name of their run in `folder`.

    Of a stage that learns from labels the run is STAGE_2, with data prepared in config.data.prepared_dir + "_2", where
    the raw files have changed since STAGE was begun; STAGE_3 where they have again. All stages have one number: the
    highest round that was begun with the raw files as they are, else a new one. Nothing that is there is touched.
    """
    learning = {
        name: _with_current_data(config)
        for name, config in configs.items()
        if "select" not in config and raw_changes.reads_labels(config)
    }
    used = [int(path.name.removeprefix(f"{name}_")) for name in learning for path in folder.glob(f"{name}_[0-9]*")]
    highest = max([*used, *(1 for name in learning if (folder / name).exists())], default=0)
    fitting = (number for number in range(highest, 0, -1) if _fits(number, learning, folder))
    number = next(fitting, highest + 1)
    return {_run(name, number) if name in learning else name: learning.get(name, configs[name]) for name in configs}


def about_rounds(stages: Configs, runs: Configs, folder: pathlib.Path) -> list[str]:
    """A line on why new runs begin beside earlier ones, if some do; stages: as they went into `open_rounds`."""
    both = zip(stages, runs, strict=True)
    new = [(stage, run) for stage, run in both if stage != run and not raw_changes.begun_with(folder / run)]
    if not new:
        return []
    stage, run = new[0]
    number = int(run.removeprefix(f"{stage}_"))
    earlier = [_run(stage, other) for other in range(number - 1, 0, -1)]
    before = next((name for name in earlier if raw_changes.begun_with(folder / name)), stage)
    how = "; ".join(raw_changes.since_begun(folder / before, runs[run]).values())
    names = ", ".join(run for _, run in new)
    return [
        f"{runs[run].data.raw_dir} has changed since {before} ({how}): now {names}; earlier runs stay. Their scores "
        "are of other validation images, unless dataset.val_clips names some whose labels are the same"
    ]


def _fits(number: int, configs: Configs, folder: pathlib.Path) -> bool:
    """Has a round begun, and with the raw files as they are?"""
    runs = {folder / _run(name, number): config for name, config in configs.items()}
    return any(run.exists() for run in runs) and not any(raw_changes.since_begun(*item) for item in runs.items())


def _run(stage: str, number: int) -> str:
    return stage if number == 1 else f"{stage}_{number}"


def later_round(run: pathlib.Path) -> pathlib.Path | None:
    """The run beside this one that was begun with other raw files, NAME_2 of NAME, NAME_3 of NAME_2; None without."""
    stem, _, number = run.name.rpartition("_")
    later = run.with_name(f"{stem}_{int(number) + 1}" if stem and number.isdecimal() else f"{run.name}_2")
    states = [raw_changes.begun_with(folder) for folder in (run, later)]
    if not all(states) or states[0] == states[1]:
        return None
    raw_dirs = {begun(folder)["data"].get("raw_dir") for folder in (run, later)}
    return later if len(raw_dirs) == 1 else None


def _with_current_data(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """With the first of the numbered prepared_dirs that is free, or was made of the raw files as they are."""
    found = config_dict.ConfigDict(config.to_dict())
    for where in _numbered(config.data.prepared_dir.rstrip("/")):
        found.data.prepared_dir = where
        if not raw_changes.since_prepared(found):
            break
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))
