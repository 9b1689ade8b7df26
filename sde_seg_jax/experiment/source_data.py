"""The source domain of a configuration: labeled images of another data set, which join for domain adaptation.

The section `source_data` names them, `source_dataset` holds the options of their description. What reads the data of a
run asks `open_streams`; what prepares or caches one data set at a time takes `source_config`, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ml_collections import config_dict

from sde_seg_jax.data.reading.augment import check_crop
from sde_seg_jax.data.reading.dataset import Data, open_data
from sde_seg_jax.data.reading.relabel import Relabeled, describe
from sde_seg_jax.experiment.cached_depth import SOURCE, reads_cache, streams_read
from sde_seg_jax.experiment.config import UsageError, call, value_of
from sde_seg_jax.experiment.spaces import source_space, space_of
from sde_seg_jax.reporter import SILENT
from sde_seg_jax.tasks.known_disparity import DISPARITY_REMEDIES
from sde_seg_jax.tasks.task import find_task


def has_source(config: Mapping[str, Any]) -> bool:
    """Does a configuration name a source domain?"""
    return SOURCE in config


def source_section(
    *,
    dataset: str,
    prepared_dir: str,
    size: Sequence[int],
    raw_dir: str = "",
    split: str = "train",
    depth_cache: str = "",
    class_map: Sequence[str] = (),
) -> dict[str, Any]:
    """The data section of the source domain; see configs/base.py for units."""
    del class_map
    return {
        "dataset": dataset,
        "prepared_dir": prepared_dir,
        "size": tuple(size),
        "raw_dir": raw_dir,
        **dict.fromkeys(("train_split", "video_split", "val_split"), split),
        "unlabeled_split": "",
        "depth_cache": depth_cache,
        "classes": (),
        "labels": 0,
        "label_file": "",
        "field_of_view": 0.0,
    }


def source_config(config: config_dict.ConfigDict) -> config_dict.ConfigDict:
    """A configuration whose data are the source domain's. Raises UsageError if there is none."""
    if not has_source(config):
        raise UsageError("the configuration has no source domain (config.source_data): see base.domain_adaptation")
    copy = config.copy_and_resolve_references()
    with copy.unlocked(), copy.ignore_type():
        copy.data.update(call(SOURCE, source_section, config.source_data))
        copy.dataset = config_dict.ConfigDict(config.source_dataset)
        del copy[SOURCE], copy["source_dataset"]
    return copy


def domains(config: config_dict.ConfigDict) -> list[config_dict.ConfigDict]:
    """Configurations of the data sets that a run reads, each as if there were no other: what is to be prepared."""
    return [config, source_config(config)] if has_source(config) else [config]


def open_streams(config: config_dict.ConfigDict, tell: Callable[[str], None] = SILENT.tell) -> Data:
    """What a run reads: its data section, with the source domain if it has one.

    Raises ValueError for a crop that does not fit both, and for classes that differ without a class_map that says how.
    """
    data = call("data", open_data, config.data, tell)
    check_crop(data.crop, data.size, data.dataset)
    if not has_source(config):
        return data
    source = call("data", open_data, source_config(config).data, tell)
    if source.crop[0] > source.size[0] or source.crop[1] > source.size[1]:
        raise UsageError(
            f"crop {source.crop} exceeds the source images {source.size} of '{source.dataset}'; lower data.crop or "
            "raise source_data.size"
        )
    class_map = tuple(config.source_data.class_map)

    def in_target_classes(samples):
        return Relabeled(samples, data.space, class_map)

    return dataclasses.replace(data, source_domain=dataclasses.replace(source, wrap=in_target_classes))


def check_source_domain(config: config_dict.ConfigDict) -> None:
    """Raises UsageError for a task that reads a source domain where none is named, or its disparities are missing.

    And ValueError for classes that differ without a class_map that says how, as far as they are known yet.
    """
    streams = streams_read(config)
    if "source" not in streams:
        return
    if not has_source(config):
        raise UsageError(
            f"task '{config.task.name}' reads labeled images of a source domain: name them in config.source_data, see "
            "base.domain_adaptation"
        )
    for stream in find_task(config.task.name).cached(config.losses, config.task):
        domain = SOURCE if stream == "source" else "data"
        network = "source_depth" if domain == SOURCE else "depth"
        if not reads_cache(config, domain) and not value_of(config, f"task.{network}_checkpoint"):
            raise UsageError(DISPARITY_REMEDIES[network])
    class_lines(config)


def check_target_labels(config: config_dict.ConfigDict, data: Data) -> None:
    """Raises UsageError if an adaptation is to learn target labels, and the prepared target has none."""
    if has_source(config) and "labeled" in streams_read(config) and not data.has("train", "label"):
        raise UsageError(
            f"'{data.dataset}' has no labels in '{data.prepared_dir}'; adapt without them: config.task.target=0, or "
            "label some images and prepare again, into another data.prepared_dir"
        )


def class_lines(config: config_dict.ConfigDict) -> list[str]:
    """Lines on how the source's classes become the target's; none while one of the two is not known, or there is none.

    Raises ValueError if they differ and source_data.class_map does not say how.
    """
    source, target = source_space(config), space_of(config)
    if source is None or target is None:
        return []
    return describe(source, target, tuple(config.source_data.class_map))
