"""Packages that only an export needs: imported when they are used, missed in one line."""

from __future__ import annotations

import importlib
from types import ModuleType

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.choices import EXTRA


def needed(module: str, purpose: str) -> ModuleType:
    """The module. Raises UsageError that names what to install if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"{purpose} needs the package {module.partition('.')[0]} ({error}): {EXTRA}") from error
