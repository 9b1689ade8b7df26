"""What every number of a configuration must be, whoever reads it: finite, and no larger than the device can count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.bounds import Count, CountOrNone, Seed, complaint
from sde_seg_jax.experiment.errors import UsageError

LARGEST = float(np.finfo(np.float32).max)
MOST = int(np.iinfo(np.int32).max)  # steps are counted so
# Read by no single function, or by more than those that check their section.
OWN = {"seed": Seed, "data.label_seed": Seed, "train.steps": CountOrNone, "eval.batch_size": Count}


def check_numbers(config: Any, under: str = "") -> None:
    """Raises UsageError that names the first key whose value, or a part of it, is no such number.

    `config` is all of a configuration, or what stands in it under the key `under`.
    """
    for key, value in _leaves(under, config):
        expected = complaint(OWN[key], value) if key in OWN else ""
        if isinstance(value, float) and not abs(value) <= LARGEST:  # NaN is not, either
            expected = expected or "a finite number of 32 bits"
        if isinstance(value, int) and abs(value) > MOST and OWN.get(key) != Seed:
            expected = f"a whole number up to {MOST}"
        if expected:
            raise UsageError(f"config.{key}={value!r}: expected {expected}")


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """("losses.berhu.weight", 0.1) of everything inside, members of a sequence under its own name."""
    if isinstance(value, (Mapping, config_dict.ConfigDict)):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(name, inner)
    else:
        yield name, value
