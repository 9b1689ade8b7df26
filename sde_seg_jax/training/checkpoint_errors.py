"""What is said of a checkpoint that cannot be used, or could not be written."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from sde_seg_jax import disk

METADATA = "_CHECKPOINT_METADATA"  # orbax's file of what it calls custom metadata, inside a checkpoint
SHOWN = 200


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or of another architecture; the message names the folder and the remedy."""


def damaged(where: pathlib.Path, error: Exception | str) -> CheckpointError:
    """Of a checkpoint that cannot be read: why, and which one is older.

    To delete it is advised only where it is known to be of this run: its configuration is that of the workdir.
    """
    before = [int(p.name) for p in where.parent.glob("*") if p.name.isdecimal() and int(p.name) < int(where.name)]
    older = f"the one before is used then (step {max(before)})" if before else "there is none before it: train again"
    ours = of_this_run(where)
    advice = f"delete it, {older}" if ours else f"if it is of this run, delete it, {older}; else give another"
    return CheckpointError(f"checkpoint {where} is damaged or incomplete ({_reason(error)}): {advice}")


def save_failed(directory: pathlib.Path, error: Exception, latest: int | None) -> CheckpointError:
    """Of a checkpoint that was not written, with the remedy for its reason and the one that stays."""
    remedy = disk.remedy(error, "make the folder writable, or choose another --workdir")
    return CheckpointError(f"saving to {directory} failed ({_reason(error)}): {remedy}; {untouched(latest)}")


def untouched(latest: int | None) -> str:
    """What is left where nothing was written."""
    return f"the last good checkpoint (step {latest}) is untouched" if latest is not None else "there is none before it"


def of_this_run(where: pathlib.Path) -> bool:
    """Does a checkpoint hold a configuration, and is it that of the workdir, if there is one?"""
    beside = _read(where / METADATA).get("custom_metadata")
    config = beside.get("config") if isinstance(beside, dict) else None
    if not isinstance(config, dict):
        return False
    run = _read(where.parent.parent / "config.json")
    return not run or _identity(config) == _identity(run)


def _identity(config: dict[str, Any]) -> tuple[Any, ...]:
    """What no two checkpoints of one run differ in; paths may, in a folder that was moved."""
    task = config.get("task")
    name = task.get("name") if isinstance(task, dict) else task
    return (name, *(config.get(key) for key in ("name", "seed", "losses")))


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(error: Exception | str) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:SHOWN]
