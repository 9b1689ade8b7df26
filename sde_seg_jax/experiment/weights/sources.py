"""Where starting weights come from: a workdir of cli.train, a file or folder of published weights, or the hub.

A source is found before any work (`find`), read when a rule first names it (`open_source`), and gives single modules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.models.backbones import torch_names
from sde_seg_jax.models.weight_files import KNOWN, Weights, WeightsError, holds_weights, kind_of, read_weights, shards
from sde_seg_jax.models.weight_modules import leaf_modules, module_from_torch, repeat_for_images
from sde_seg_jax.models.weight_readers import INDEX
from sde_seg_jax.training import checkpoints
from sde_seg_jax.types import Variables

HUB = "hf://"
PACKAGE = "package://"  # a file that came with an installed Python package
STAGE = "@"  # cli.train makes a path of it
INIT = "model.init"
UNUSED_HEADS = r"(.*/)?disparity(_\d+)?(/|$)"  # what a segmentation decoder leaves of a depth decoder


@dataclasses.dataclass(frozen=True)
class Workdir:
    """A checkpoint of ours; no network is built to read it, so one that holds only an encoder is enough."""

    path: pathlib.Path
    variables: Variables

    def module(self, name: str, like: Variables) -> Variables:
        """A module in the shapes of `like`. Raises CheckpointError that lists what differs."""
        taken = []
        for tree, wanted in ((self.variables.params, like.params), (self.variables.batch_stats, like.batch_stats)):
            expected = checkpoints.shapes(wanted)
            found = {k.removeprefix(f"{name}/"): v for k, v in flat(tree).items() if k.startswith(f"{name}/")}
            found = {k: v for k, v in found.items() if k in expected or not re.match(UNUSED_HEADS, k)}
            for first in (f"{names.first}/kernel" for names in torch_names()):
                if first in found and first in expected:
                    found[first] = repeat_for_images(found[first], expected[first][2], axis=2)
            shapes = {f"{name}/{k}": tuple(v.shape) for k, v in found.items()}
            where = f"{self.path} (module '{name}')"
            checkpoints.require_same(shapes, {f"{name}/{k}": v for k, v in expected.items()}, where)
            taken.append(nested(found))
        return Variables(*taken)


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """Weights under the published names."""

    path: pathlib.Path
    weights: Weights

    def module(self, name: str, like: Variables) -> Variables:
        """A module in the shapes of `like`. Raises WeightsError that lists what differs."""
        if not leaf_modules(name):
            raise UsageError(f"{self.path} gives whole modules (encoder, depth_decoder, pose, ...), not '{name}'")
        try:
            return module_from_torch(self.weights.state, name, like)
        except ValueError as error:
            raise WeightsError(f"{self.path}, module '{name}': {error}") from error


Source = Workdir | WeightsFile


def find(value: str, flag: str) -> None:
    """Raises ValueError, naming the remedy, for a value that cannot be a source; `flag` is where it was given."""
    if value.startswith(HUB):
        _hub_parts(value, flag)
    elif not value:
        raise UsageError(f"{flag} is empty; name a workdir, a weights file ({', '.join(KNOWN)}) or {HUB}org/name/file")
    elif not value.startswith(STAGE):
        path = _local(value, flag)
        if _is_file(path):
            if not path.is_file():
                raise WeightsError(f"{path}: no such file; correct {flag}")
        elif not holds_weights(path):
            try:
                checkpoints.locate(value)
            except checkpoints.CheckpointError as error:
                raise checkpoints.CheckpointError(
                    f"{error}; {flag} needs it: train it first (cli.table trains a table's stages), or name another"
                ) from None


def open_source(value: str, flag: str) -> Source:
    """Reads a source. Raises ValueError for one that is missing, damaged or no weights."""
    find(value, flag)
    if value.startswith(HUB):
        return _open_weights(_download(value, flag))
    path = _local(value, flag)
    if _is_file(path) or (holds_weights(path) and not is_workdir(path)):
        return _open_weights(path)
    stored = checkpoints.read(value, "student").parts["student"]
    if not stored:
        raise checkpoints.CheckpointError(f"checkpoint {path} holds no network; choose a workdir of cli.train")
    return Workdir(path, Variables(stored["params"], stored.get("batch_stats") or {}))


def opener(config: config_dict.ConfigDict) -> Callable[[str], Source]:
    """open("imagenet") reads config.sources.imagenet, open("") config.model.init; each once."""

    @functools.cache
    def open_named(name: str) -> Source:
        return open_source(*named(config, name))

    return open_named


def named(config: config_dict.ConfigDict, name: str) -> tuple[str, str]:
    """(value, flag) of a source by name; "" is model.init."""
    return (config.sources[name], f"--config.sources.{name}") if name else (config.model.init, f"--config.{INIT}")


def flat(tree: Any) -> dict[str, np.ndarray]:
    """{"encoder/conv1/kernel": array} of a nested dict."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def nested(leaves: Mapping[str, Any]) -> dict:
    """The inverse of `flat`."""
    tree: dict = {}
    for name, leaf in leaves.items():
        *path, last = name.split("/")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = leaf
    return tree


def fetch_beside(value: str, name: str, flag: str) -> None:
    """Puts another file of a hub's repository beside the one that was fetched, if there is such a file."""
    import huggingface_hub

    repository, file = _hub_parts(value, flag)
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        huggingface_hub.hf_hub_download(repository, str(pathlib.PurePosixPath(file).with_name(name)))


def _local(value: str, flag: str) -> pathlib.Path:
    """Where a source lies on this machine. Raises UsageError if it is of a package that is not installed."""
    if not value.startswith(PACKAGE):
        return pathlib.Path(value).expanduser()
    name, _, file = value.removeprefix(PACKAGE).partition("/")
    if not name.isidentifier() or not file:
        raise UsageError(f"{flag}={value}: expected {PACKAGE}NAME/file, NAME as Python imports it")
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        project = name.replace("_", "-")
        raise UsageError(f"{flag}={value}: the package is not installed; pip install {project}, or give {flag}=FILE")
    return pathlib.Path(found.submodule_search_locations[0]) / file


def _is_file(path: pathlib.Path) -> bool:
    return path.is_file() or (not path.is_dir() and kind_of(path) != "")


def is_workdir(path: pathlib.Path) -> bool:
    """Does a folder hold a checkpoint of ours?"""
    try:
        checkpoints.locate(str(path))
    except checkpoints.CheckpointError:
        return False
    return True


def _open_weights(path: pathlib.Path) -> WeightsFile:
    return WeightsFile(path, read_weights(path))


def _hub_parts(value: str, flag: str) -> tuple[str, str]:
    """(repository, file)."""
    owner, name, *rest = [*value.removeprefix(HUB).split("/"), "", ""]
    file = "/".join(rest).rstrip("/")
    if not (owner and name and file) or not kind_of(file):
        raise UsageError(f"{flag}={value}: expected {HUB}org/name/file with one of {', '.join(KNOWN)}")
    return f"{owner}/{name}", file


def in_cache(value: str, flag: str) -> bool:
    """Is a file of the hub on this machine? Nothing is asked of the network."""
    import huggingface_hub

    return isinstance(huggingface_hub.try_to_load_from_cache(*_hub_parts(value, flag)), str)


def _download(value: str, flag: str) -> pathlib.Path:
    """The file of the hub in its local cache. Raises WeightsError that describes the manual way."""
    import huggingface_hub
    from huggingface_hub.utils import logging

    repository, file = _hub_parts(value, flag)
    logging.set_verbosity_error()  # one line tells it all
    try:
        found = pathlib.Path(huggingface_hub.hf_hub_download(repository, file))
        if kind_of(found) == INDEX:
            for part in shards(found):  # they lie beside it then
                huggingface_hub.hf_hub_download(repository, str(pathlib.PurePosixPath(file).with_name(part)))
        return found
    except WeightsError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120].rstrip(". ")
        raise WeightsError(
            f"{value} cannot be fetched ({reason}): open https://huggingface.co/{repository}/resolve/main/{file} in a "
            f"browser, save the file, and give {flag}=FILE"
        ) from error
