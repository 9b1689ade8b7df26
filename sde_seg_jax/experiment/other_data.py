"""A checkpoint scored on other data than its own: classes of another data set are mapped by name."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.data.reading.relabel import BY_NAME, Relabeled, describe
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import find_finished, metadata
from sde_seg_jax.evaluation.protocols.protocol import file_part
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.label_spaces import LabelSpace


@dataclasses.dataclass(frozen=True)
class MappedData(Data):
    """Data whose labels are told in the classes of a network."""

    target: LabelSpace | None = None

    @property
    def space(self) -> LabelSpace:
        """The network's classes."""
        return self.target if self.target is not None else super().space


def fit(config: config_dict.ConfigDict) -> None:
    """Makes a configuration that has just been given another data.dataset fit it, in place.

    Options and size are those that the prepared data have; of data that are not prepared yet, the defaults and the
    size of the checkpoint. Its classes and its true camera belong to the other data.
    """
    spec = find(config.data.dataset)
    folder = find_finished(spec, config.data.prepared_dir)
    recipe = {} if folder is None else metadata(folder)["recipe"]
    with config.unlocked(), config.ignore_type():
        config.dataset = config_dict.ConfigDict(recipe.get("options") or spec.complete({}))
        config.data.size = tuple(recipe.get("size") or config.data.size)
        config.data.classes = ()
        config.data.label_file = ""
        config.data.field_of_view = 0.0


def name_of(config: config_dict.ConfigDict, trained_on: config_dict.ConfigDict) -> str:
    """How the scores of other data than a run's are called, DATASET_SPLIT or FOLDER_SPLIT; "" for the run's own.

    Prepared data that have moved are still the run's: another folder whose contents are known to differ is not.
    """
    if config.data.dataset != trained_on.data.dataset:
        return f"{config.data.dataset}_{config.data.val_split}"
    options = _completed(config) == _completed(trained_on)
    if options and not _told_apart(config, config.data.prepared_dir, trained_on.data.prepared_dir):
        return ""
    return f"{file_part(config.data.prepared_dir.rstrip('/').rsplit('/', 1)[-1])}_{config.data.val_split}"


def _completed(config: config_dict.ConfigDict) -> dict[str, Any]:
    return find(config.data.dataset).complete(config.get("dataset", {}))


def _told_apart(config: config_dict.ConfigDict, prepared: str, own: str) -> bool:
    """Do both folders hold prepared data, of which the validation splits are not the same?"""
    spec, split = find(config.data.dataset), config.data.val_split
    if os.path.realpath(prepared) == os.path.realpath(own):
        return False
    try:
        folders = find_finished(spec, prepared), find_finished(spec, own)
        if None in folders:
            return folders[1] is not None
        one, other = (
            {key: facts[key].get(split) for key in ("splits", "class_pixels", "shards")}
            for facts in map(metadata, folders)
        )
    except ValueError:  # damaged, or of another version: nobody can tell
        return True
    return one != other


def in_classes_of(trained: config_dict.ConfigDict, data: Data, tell: Callable[[str], None]) -> Data:
    """The data with labels in the classes that a network was trained with; tells which classes do not meet.

    Raises ValueError if no class of the one is one of the other.
    """
    target = space_of(trained)
    if target is None or not target.num_classes or not data.space.num_classes:
        return data
    source = data.space
    for line in describe(source, target, (BY_NAME,)):
        tell(line.replace("the source", f"'{source.name}'").replace("the target", "the network"))
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(Data)}
    fields |= {"wrap": lambda samples: Relabeled(samples, target, (BY_NAME,)), "opened": {}}
    return MappedData(**fields, target=target)


def of_common_classes(scores: dict[str, Any], own: LabelSpace, network: LabelSpace) -> dict[str, Any]:
    """Scores whose mIoU is the mean over the classes that both have: of the others no pixel can be right.

    Means over subsets of the classes (`eval.classes`) are left out. What is predicted as one of the others still
    counts as a mistake.
    """
    if "miou" not in scores:
        return scores
    common = [name for name in network.classes if name in own.classes]
    left = {f"iou/{name}": math.nan for name in network.classes if name not in common}
    values = np.array([scores[f"iou/{name}"] for name in common], np.float64)
    known = values[np.isfinite(values)]
    scores = {key: value for key, value in scores.items() if not key.startswith("miou_")}
    return {**scores, **left, "miou": float(known.mean()) if known.size else math.nan, "common_classes": len(common)}
