"""A trained network as others can use it: a folder with the layout of a Hugging Face repository, there or on the disk.

model.safetensors has PyTorch's names, so it also starts other runs (`model.init=hf://org/name/model.safetensors`) and
PyTorch's networks; config.json is the configuration, classes.json the classes, README.md the model card.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.experiment.annotation.classes import classes_text
from sde_seg_jax.experiment.build import Trained, abstract_variables, build_network, load_trained, own_config
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.evaluated import scores_in
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.experiment.table.runs import commits_of
from sde_seg_jax.experiment.weights import card, sources
from sde_seg_jax.experiment.weights.convert import convert_out
from sde_seg_jax.experiment.weights.transfer import transfer
from sde_seg_jax.models.weight_files import read_weights
from sde_seg_jax.state_files.reading import read_json
from sde_seg_jax.state_files.schemas import CONFIG, record
from sde_seg_jax.state_files.writing import write_json, write_text
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.training import checkpoints
from sde_seg_jax.types import Variables

WEIGHTS, CONFIGURATION, CLASSES, CARD = "model.safetensors", "config.json", "classes.json", "README.md"
SHARED = record({"config": CONFIG})
PARTS = {"segmentation": "semantic segmentation", "depth": "depth"}  # of a task -> what a card says that it gives
UNSHARED = ("intrinsics",)  # parts that have no name in PyTorch


def push(checkpoint: str, to: str, weights: str = "student", license_text: str = "") -> str:
    """Writes a checkpoint's network into a folder, or into a repository hf://org/name; returns where it is.

    Raises UsageError for a folder that is not empty, another address, or what was pushed already; WeightsError, with
    the way by hand, if the hub refuses.
    """
    require_run(checkpoint, "cli.push")
    if not to.startswith(sources.HUB):
        folder = pathlib.Path(to).expanduser()
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise UsageError(f"--to={to} exists already; delete it, or choose another folder")
        _write(checkpoint, folder, weights, license_text)
        return str(folder)
    repository = _repository(to, "--to")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / repository.rpartition("/")[2]
        _write(checkpoint, folder, weights, license_text)
        return _upload(folder, repository)


def is_shared(path: str) -> bool:
    """Is this the address of a repository, or a folder as `push` writes it?"""
    folder = pathlib.Path(path).expanduser()
    return path.startswith(sources.HUB) or all((folder / name).is_file() for name in (WEIGHTS, CONFIGURATION))


def read_trained(path: str, weights: str = "student") -> Trained:
    """The network of a run, of a folder that `push` wrote, or of a repository hf://org/name.

    Raises CheckpointError, or as `load_shared`.
    """
    if is_shared(path):
        return load_shared(path, weights)
    return load_trained(str(pathlib.Path(path).expanduser()), weights)


def require_run(path: str, command: str) -> None:
    """Raises UsageError if this is what `push` wrote, which `command` does not take."""
    if is_shared(path):
        raise UsageError(
            f"--checkpoint={path} is what cli.push wrote, which cli.predict, cli.export and sds.load take; {command} "
            "needs the run's own folder, with its checkpoints"
        )


def load_shared(path: str, weights: str = "student") -> Trained:
    """The network of a repository hf://org/name, which is fetched once, or of such a folder.

    Raises WeightsError if it cannot be fetched or does not fit, UsageError if it holds other weights, DamagedFile.
    """
    folder = _fetched(path) if path.startswith(sources.HUB) else pathlib.Path(path).expanduser()
    shared = read_json(folder / CONFIGURATION, SHARED, "fetch it again")
    if shared.get("weights", "student") != weights:
        raise UsageError(f"{path} holds the {shared['weights']}: give --weights={shared['weights']}")
    config = config_dict.ConfigDict(shared["config"])
    network = build_network(config)
    if weights == "teacher":
        network = network.clone(pose_network=None, intrinsics=None)
    shapes = abstract_variables(network, config.data.crop)
    found = read_weights(folder / WEIGHTS)
    file = sources.WeightsFile(folder / WEIGHTS, found)
    trees = ({k: v for k, v in tree.items() if k not in UNSHARED} for tree in (shapes.params, shapes.batch_stats))
    wanted = Variables(*trees)
    variables, _ = transfer(wanted, tuple(wanted.params), lambda _: file)
    return Trained(network.clone(intrinsics=None), variables, config, found.step)


def _write(checkpoint: str, folder: pathlib.Path, weights: str, license_text: str) -> None:
    """The folder, whole or not at all."""
    stored = checkpoints.read(checkpoint)
    config = own_config(stored)
    run = checkpoints.locate(checkpoint).parent
    unfinished = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        convert_out(checkpoint, str(unfinished / WEIGHTS), weights)
        plain = without_places(config.to_dict())
        write_json(unfinished / CONFIGURATION, {"config": plain, "step": stored.step, "weights": weights})
        parts = find_task(config.task.name).needs(config.losses, config.task)
        gives = tuple(name for part, name in PARTS.items() if part in parts)
        space = space_of(config) if "segmentation" in parts else None
        if space is not None:
            write_text(unfinished / CLASSES, classes_text(space))
        scores = scores_in(run, stored.step) or {}
        known = (scores, space, license_text, gives, commits_of(run))
        facts = card.Facts(folder.name, plain, stored.step, weights, *known)
        write_text(unfinished / CARD, card.text(facts))
        if folder.is_dir():
            folder.rmdir()  # it is empty
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def without_places(section: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without the folders of the machine: of a path from its root or `~` the last part is left."""
    found: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            value = without_places(value)
        elif isinstance(value, str) and (value.startswith("~") or pathlib.PurePath(value).is_absolute()):
            value = pathlib.PurePath(value).name
        found[key] = value
    return json.loads(json.dumps(found))


def _repository(address: str, flag: str) -> str:
    owner, separator, name = address.removeprefix(sources.HUB).rstrip("/").partition("/")
    if not (owner and separator and name) or "/" in name:
        raise UsageError(f"{flag}={address}: expected {sources.HUB}org/name, or a folder")
    return f"{owner}/{name}"


def _fetched(address: str) -> pathlib.Path:
    import huggingface_hub

    repository = _repository(address, "--checkpoint")
    try:
        return pathlib.Path(huggingface_hub.snapshot_download(repository, allow_patterns=[WEIGHTS, CONFIGURATION]))
    except (OSError, ValueError, RuntimeError) as error:
        raise sources.WeightsError(
            f"{address} cannot be fetched ({_reason(error)}): save {WEIGHTS} and {CONFIGURATION} of "
            f"https://huggingface.co/{repository}/tree/main into a folder, and give --checkpoint=FOLDER"
        ) from error


def _upload(folder: pathlib.Path, repository: str) -> str:
    import huggingface_hub

    try:
        huggingface_hub.create_repo(repository, exist_ok=True)
        return str(huggingface_hub.upload_folder(repo_id=repository, folder_path=folder))
    except (OSError, ValueError, RuntimeError) as error:
        raise sources.WeightsError(
            f"hf://{repository} cannot be written ({_reason(error)}): log in with 'hf auth login', or push --to=FOLDER "
            f"and upload its files at https://huggingface.co/{repository}"
        ) from error


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120].rstrip(". ")
