"""How often each class occurs in the labels that a run may use."""

from __future__ import annotations

import dataclasses

import numpy as np

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.data.reading.subset import indices_of


def class_shares(data: Data) -> tuple[float, ...]:
    """Each class's share of the labeled pixels of the chosen training samples, sum 1. Reads their labels.

    Raises ValueError if there is none.
    """
    once = dataclasses.replace(data, in_memory=False, opened={})  # few are read, and none is kept
    source, classes = once.source("train", ("label",)), data.space.num_classes
    counts = np.zeros(classes, np.int64)
    for index in indices_of(source, once.labeled_names()):
        counts += np.bincount(np.ravel(source.read(index, ("label",))["label"]), minlength=256)[:classes]
    if not counts.sum():
        raise ValueError(f"no pixel of the chosen labels in '{data.prepared_dir}' has a class (see cli.doctor)")
    return tuple((counts / counts.sum()).tolist())
