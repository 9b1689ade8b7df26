"""What a person labels next: the commands that a pipeline ends with."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Mapping, Sequence

from ml_collections import config_dict

from sde_seg_jax.data.preparing.prepare import metadata
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import find_finished
from sde_seg_jax.experiment.begun import begun
from sde_seg_jax.experiment.config import ConfigFile
from sde_seg_jax.experiment.selection.files import read_chosen

NEXT = 8  # frames of another round of labelling


def next_step(file: ConfigFile, folder: pathlib.Path, configs: Mapping[str, config_dict.ConfigDict]) -> list[str]:
    """Lines on how to go on where there are no labels yet: frames for a labelling tool, then the same command.

    configs: what the stages were run with, by name.
    """
    chosen = next((stage for stage in configs if "select" in stage), list(configs)[-1])
    steps = configs[chosen].select.steps if "select" in configs[chosen] else ()
    raw_dir = file.overrides.get("data.raw_dir", "the raw folder")
    return [
        f"no labels yet: {folder / chosen / 'page.html'} shows which frames are worth labelling, the best first. Next "
        "(with --export_count=8 the first 8 alone):",
        f"  {_export(file, folder / chosen, steps)} --classes=CLASSES.json",
        f"then put labels/ and classes.json into {raw_dir} (docs/own_data.md) and give the same command again",
    ]


def more_labels(
    file: ConfigFile, folder: pathlib.Path, stages: Sequence[str], configs: Mapping[str, config_dict.ConfigDict]
) -> list[str]:
    """Lines on the next round where frames were chosen: what to label next, with a first guess; [] if all are labeled.

    stages: those of the time without labels. configs: what the runs with labels were made with, by name.
    """
    rows = {stage: read_chosen(folder / stage) for stage in stages}
    stage = next((stage for stage in stages if rows[stage]), "")
    run, config = list(configs.items())[-1]
    labeled = labeled_names(config)
    done = max((row.rank for row in rows.get(stage, ()) if row.name in labeled), default=0)
    left = len(rows.get(stage, ())) - done
    if not left:
        return []
    steps = tuple(begun(folder / stage)["select"]["steps"])
    more = [f"--export_from={done}", f"--export_count={min(NEXT, left)}", f"--model={folder / run}"]
    more.append(f"--output={folder / stage / f'export_after_{done}'}")
    return [
        f"more labels? The next best frames, with labels drawn by {run} to be corrected:",
        f"  {_export(file, folder / stage, steps)} {shlex.join(more)}",
        "then put them into labels/, too, and give the same command again: it trains anew beside what is there",
    ]


def labeled_names(config: config_dict.ConfigDict) -> set[str]:
    """Of the samples of prepared data that have a label, in any split."""
    folder = find_finished(find(config.data.dataset), config.data.prepared_dir)
    splits = {} if folder is None else metadata(folder)["splits"]
    return {
        name
        for entry in splits.values()
        for name, labeled in zip(entry["names"], entry["labeled"], strict=True)
        if labeled
    }


def _export(file: ConfigFile, folder: pathlib.Path, steps: Sequence[int]) -> str:
    """The command that exports a selection, which was made with these select.steps."""
    keys = file.overrides_of(folder.name)
    if steps and tuple(steps) != tuple(file.config(folder.name).select.steps):
        keys["select.steps"] = str(tuple(steps)).replace(" ", "")
    words = ["python", "-m", "sde_seg_jax.cli.select", f"--config={file.path}:{folder.name}"]
    words += [f"--config.{key}={value}" for key, value in keys.items()]
    return shlex.join([*words, f"--workdir={folder}", "--export=cvat,label_studio,folder"])
