"""Published weights in and out: checkpoints of PyTorch become ours, ours become `.safetensors`.

Every name and shape must fit the network of the configuration, in both directions.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.experiment.build import abstract_variables, build_network, network_of
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import UsageError, as_json
from sde_seg_jax.experiment.weights import sources, transfer
from sde_seg_jax.models.import_weights import COUNTER, network_parts, to_torch
from sde_seg_jax.models.weight_files import PART_FILES, WeightsError, write_state
from sde_seg_jax.models.weight_modules import leaf_modules, module_of
from sde_seg_jax.training import checkpoints
from sde_seg_jax.training.workdir_lock import alone
from sde_seg_jax.types import Variables

SUFFIX = ".safetensors"
FILE_OF = {  # names of the joint model -> file of a folder, names there
    "models.encoder.": "encoder",
    "models.depth.": "depth",
    "models.pose_encoder.": "pose_encoder",
    "models.pose.": "pose",
}


def convert_in(
    config: config_dict.ConfigDict, source: str, workdir: str, parts: tuple[str, ...] = (), ignore: str = ""
) -> list[dict[str, Any]]:
    """Writes the weights of `source` as a checkpoint of the configuration's network; returns the table.

    `parts` are the network's to take (default: all). Raises ValueError for names that do not fit, or are left over.
    """
    config.model.init, config.model.transfer = "", ()  # the file is where these weights are from
    if "learn_intrinsics" in config.model:
        config.model.learn_intrinsics = "none"  # published weights have none
    check(config)
    network = abstract_variables(build_network(config), config.data.crop)
    unknown = [part for part in parts if part not in network.params]
    if unknown:
        raise UsageError(f"--parts={','.join(parts)}: the network has no '{unknown[0]}'; {', '.join(network.params)}")
    chosen = parts or tuple(network.params)
    opened = sources.open_source(source, "--input")
    if isinstance(opened, sources.Workdir):
        raise UsageError(f"--input={source} is a checkpoint of ours already; give it as --config.model.init")
    state = opened.weights.state
    if ignore:
        state = {name: value for name, value in state.items() if not _search(ignore, name)}
    _refuse_left_over(state, chosen, bool(parts), opened.path)
    file = sources.WeightsFile(opened.path, opened.weights._replace(state=state))
    params, stats = ({k: v for k, v in t.items() if k in chosen} for t in (network.params, network.batch_stats))
    variables, rows = transfer.transfer(Variables(params, stats), chosen, lambda _: file)
    _save(workdir, variables, file.weights.step, as_json(config))
    return [{**row, "source": f"{row['module']} from {file.path.name}"} for row in rows]


def convert_out(checkpoint: str, output: str, weights: str = "student") -> list[str]:
    """Writes a checkpoint's network in PyTorch's naming; returns the written paths. Raises ValueError."""
    path = pathlib.Path(output).expanduser()
    if path.suffix not in ("", SUFFIX):
        raise UsageError(f"--output={output}: expected a file ending in {SUFFIX}, or a folder")
    found = checkpoints.read(checkpoint, weights)
    stored = found.parts[weights]
    if not stored:
        raise checkpoints.CheckpointError(f"checkpoint {checkpoint} has no {weights}; use --weights=student")
    config, network = network_of(found)
    parts = network_parts(abstract_variables(network, config.data.crop))
    params = {module: tree for module, tree in stored["params"].items() if module != "intrinsics"}
    state = to_torch(Variables(params, stored.get("batch_stats") or {}), parts)
    files = {path: state} if path.suffix else {path / f"{k}{SUFFIX}": v for k, v in _by_file(state, output).items()}
    for file, content in files.items():
        write_state(file, content, found.step)
    return [str(file) for file in files]


def _refuse_left_over(state: dict, chosen: tuple[str, ...], some: bool, path: pathlib.Path) -> None:
    """Every name belongs to a chosen part; if only `some` are wanted, to any known module."""
    wanted = {leaf for part in chosen for leaf in leaf_modules(part)}
    left = [
        name
        for name in state
        if not name.endswith(COUNTER) and (module_of(name) is None if some else module_of(name) not in wanted)
    ]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise WeightsError(
            f"{path}: the network has no place for {', '.join(left[:3])}{more}; use the configuration that the weights "
            "are for, choose with --parts, or leave names out with --ignore=REGEX"
        )


def _search(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise UsageError(f"--ignore={pattern} is no regular expression: {error}") from error


def _save(workdir: str, variables: Variables, step: int, config: dict) -> None:
    with alone(workdir), contextlib.closing(checkpoints.Checkpoints(workdir)) as store:
        if store.latest() is not None:
            raise UsageError(f"--workdir={workdir} holds a checkpoint already; choose another, or delete that folder")
        store.save(step, {"step": np.asarray(step, np.int32), "student": variables}, config)


def _by_file(state: dict[str, np.ndarray], output: str) -> dict[str, dict[str, np.ndarray]]:
    """A folder's files: name -> state under the names that such files have."""
    files: dict[str, dict[str, np.ndarray]] = {}
    for name, value in state.items():
        start = next((start for start in FILE_OF if name.startswith(start)), None)
        if start is None:
            raise UsageError(
                f"--output={output}: '{name}' belongs to none of {', '.join(PART_FILES)}{SUFFIX}; "
                f"write one file instead: --output=FILE{SUFFIX}"
            )
        files.setdefault(FILE_OF[start], {})[name.removeprefix(start)] = value
    return files
