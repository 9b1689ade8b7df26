"""Rounds of labelling: what is trained after labels have changed lies beside what was trained before."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator, Mapping

from ml_collections import config_dict

from sde_seg_jax.experiment import raw_changes

Configs = Mapping[str, config_dict.ConfigDict]  # by name


def open_rounds(configs: Configs, folder: pathlib.Path) -> dict[str, config_dict.ConfigDict]:
    """The configurations of stages, by the name of their run in `folder`.

    Of a stage that learns from labels the run is STAGE_2, with data prepared in config.data.prepared_dir + "_2", where
    the raw files have changed since STAGE was begun and its data were prepared; STAGE_3 where they have again. Nothing
    that is there is touched. Data sets that notice no changes have one round.
    """
    found = {}
    for name, config in configs.items():
        if "select" in config or not raw_changes.reads_labels(config):
            found[name] = config
            continue
        anew = _with_current_data(config)
        run = next(run for run in _numbered(name) if not raw_changes.since_begun(folder / run, anew))
        found[run] = anew
    return found


def about_rounds(stages: Configs, runs: Configs, folder: pathlib.Path) -> list[str]:
    """A line on why new runs begin beside earlier ones, if some do; stages: as they went into `open_rounds`."""
    both = zip(stages, runs, strict=True)
    new = [(stage, run) for stage, run in both if stage != run and not raw_changes.begun_with(folder / run)]
    if not new:
        return []
    stage, run = new[0]
    before = list(itertools.takewhile(lambda name: name != run, _numbered(stage)))[-1]
    how = "; ".join(raw_changes.since_begun(folder / before, runs[run]).values())
    names = ", ".join(run for _, run in new)
    return [
        f"{runs[run].data.raw_dir} has changed since {before} ({how}): now {names}; earlier runs stay. Their scores "
        "are of other validation images, unless dataset.val_clips names some whose labels are the same"
    ]


def later_round(run: pathlib.Path) -> pathlib.Path | None:
    """The run beside this one that was begun with other raw files, NAME_2 of NAME, NAME_3 of NAME_2; None without."""
    stem, _, number = run.name.rpartition("_")
    later = run.with_name(f"{stem}_{int(number) + 1}" if stem and number.isdecimal() else f"{run.name}_2")
    states = [raw_changes.begun_with(folder) for folder in (run, later)]
    return later if all(states) and states[0] != states[1] else None


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
