"""Raw files that are others now than when data were prepared from them, or a run was begun: told, never guessed."""

from __future__ import annotations

import pathlib

from ml_collections import config_dict

from sde_seg_jax.data.preparing.prepare import metadata
from sde_seg_jax.data.preparing.raw_state import FRAMES, LABELS, State, changes, raw_state
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import RAW, find_finished
from sde_seg_jax.experiment.begun import read_json
from sde_seg_jax.experiment.cached_depth import streams_read
from sde_seg_jax.state_files import schemas
from sde_seg_jax.state_files.writing import write_json

FILE = "data.json"  # beside a run: the state of the raw files that it was begun with


def reads_labels(config: config_dict.ConfigDict) -> bool:
    """Does a run learn from labels?"""
    return any("label" in fields for fields in streams_read(config).values())


def state_now(config: config_dict.ConfigDict) -> State:
    """Of the raw files; {} where they are gone, or nothing can be told of their data set."""
    return raw_state(find(config.data.dataset), config.data.raw_dir)


def since_prepared(config: config_dict.ConfigDict) -> dict[str, str]:
    """What of the raw files has changed since the data were prepared: "labels", "frames" -> how."""
    return changes(_prepared(config), state_now(config))


def since_begun(folder: pathlib.Path, config: config_dict.ConfigDict) -> dict[str, str]:
    """What of the raw files has changed since the run in a folder was begun; {} if it does not tell."""
    return changes(begun_with(folder), state_now(config))


def begun_with(folder: pathlib.Path) -> State:
    """The state of the raw files that the run in a folder was begun with; {} if it does not tell."""
    path = folder / FILE
    return read_json(path, schemas.RUN_DATA)[RAW] if path.is_file() else {}


def note_begun(folder: pathlib.Path, config: config_dict.ConfigDict) -> None:
    """Records beside a run what its data were prepared from, where that is known."""
    if found := _prepared(config):
        write_json(folder / FILE, {RAW: found})


def warning(config: config_dict.ConfigDict) -> str:
    """A line on prepared data that lack what the raw folder has now; "" if nothing that the task reads has changed."""
    found = since_prepared(config)
    told = [found[key] for key in (LABELS, FRAMES) if key in found and (key == FRAMES or reads_labels(config))]
    if not told:
        return ""
    return (
        f"'{config.data.prepared_dir}' was made of other files than '{config.data.raw_dir}' has now "
        f"({'; '.join(told)}), and is used as it is. For what is there now, choose another "
        "--config.data.prepared_dir and --workdir"
    )


def _prepared(config: config_dict.ConfigDict) -> State:
    folder = find_finished(find(config.data.dataset), config.data.prepared_dir)
    return {} if folder is None else metadata(folder).get(RAW, {})
