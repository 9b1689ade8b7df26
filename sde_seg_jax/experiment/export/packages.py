"""Packages that only an export needs: imported when they are used, missed in one line, and so are their errors."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from types import ModuleType

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.export.choices import EXTRA

FIXED = "give --batch=1 and a fixed --input_size"  # what depends on an unknown number is then known


def needed(module: str, purpose: str) -> ModuleType:
    """The module. Raises UsageError that names what to install if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"{purpose} needs the package {module.partition('.')[0]} ({error}): {EXTRA}") from error


@contextlib.contextmanager
def told(what: str, remedy: str) -> Iterator[None]:
    """Raises UsageError, `what`, why and `remedy` in one line, for whatever a converter raises inside.

    Each operation of a converter raises what it likes. What is told already stays as it is.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"{what} ({reason}): {remedy}") from error
