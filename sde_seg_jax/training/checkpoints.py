"""Checkpoints: everything training needs to continue, and the configuration that built it. A thin layer over orbax.

A save writes to a temporary folder and renames it, so an interrupted save never damages an earlier checkpoint. What
is restored is first compared, key by key and shape by shape, with what is expected: orbax alone may restore a part of
a tree silently.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

FOLDER = "checkpoints"  # inside a workdir
SHOWN_DIFFERENCES = 5


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or of another architecture; the message names the folder and the remedy."""


def locate(path: str) -> pathlib.Path:
    """The folder that holds the numbered steps, for a workdir or its `checkpoints` folder.

    Raises CheckpointError if no checkpoint lies there.
    """
    folder = pathlib.Path(path).expanduser().resolve()
    for candidate in (folder / FOLDER, folder):
        if candidate.is_dir() and any(step.name.isdigit() for step in candidate.iterdir()):
            return candidate
    raise CheckpointError(f"no checkpoint in {folder}: give a --workdir that cli.train has written to")


def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """'student/params/encoder/...' -> shape, for arrays, abstract arrays and orbax metadata alike."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))
    return {"/".join(_part(p) for p in path): _stored_shape(leaf) for path, leaf in flat if hasattr(leaf, "shape")}


def _stored_shape(leaf) -> tuple[int, ...]:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):  # stored as its raw words
        return tuple(jax.eval_shape(jax.random.key_data, leaf).shape)
    return tuple(leaf.shape)


def _part(entry) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    return str(entry)


def differences(found: dict, expected: dict) -> list[str]:
    """Readable lines, one for each key that is missing, left over or of another shape."""
    lines = [f"{k}: missing in the checkpoint" for k in expected if k not in found]
    lines += [f"{k}: only in the checkpoint" for k in found if k not in expected]
    both = [k for k in expected if k in found and found[k] != expected[k]]
    return lines + [f"{k}: {found[k]} in the checkpoint, {expected[k]} expected" for k in both]


def require_same(found: dict, expected: dict, where: Any) -> None:
    """Raises CheckpointError that lists the first differing parameters."""
    lines = sorted(differences(found, expected), key=lambda line: not line.startswith("student/params/"))
    if lines:  # parameters first: the optimiser's and the teacher's differ as they do
        more = f"; and {len(lines) - SHOWN_DIFFERENCES} more" if len(lines) > SHOWN_DIFFERENCES else ""
        shown = "; ".join(lines[:SHOWN_DIFFERENCES])
        raise CheckpointError(
            f"checkpoint {where} is of another architecture: {shown}{more}. Use the config it was trained with"
        )


class Checkpoints:
    """The checkpoints of one workdir. `save` returns at once and writes in the background."""

    def __init__(self, workdir: str, keep: int = 2):
        self.directory = pathlib.Path(workdir).expanduser().resolve() / FOLDER
        policy = ocp.training.preservation_policies.LatestN(keep)
        self._checkpointer = ocp.training.Checkpointer(
            self.directory, preservation_policy=policy, cleanup_tmp_directories=True
        )
        self._pending = None

    def latest(self) -> int | None:
        """The newest finished step, or None."""
        found = self._checkpointer.latest
        return None if found is None else int(found.step)

    def continues(self) -> bool:
        """Does the newest checkpoint hold what training needs to go on, and not converted weights alone?"""
        step = self.latest()
        return step is not None and "opt_state" in _stored(self._checkpointer, step, self.directory / str(step))

    def save(self, step: int, state: Any, config: dict) -> None:
        """Starts saving (after the previous save has ended). Raises CheckpointError if the previous one failed."""
        self.wait()
        if self.latest() == step:
            return
        try:
            self._pending = self._checkpointer.save_async(step, state, force=True, custom_metadata={"config": config})
        except (OSError, ValueError) as error:
            raise self._failed(error) from error

    def wait(self) -> None:
        """Blocks until the running save has ended; raises CheckpointError if it failed."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            pending.result()
        except Exception as error:  # orbax wraps the writers' errors in several types
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> CheckpointError:
        reason = str(error).strip().splitlines()[0][:200]
        return CheckpointError(
            f"saving to {self.directory} failed ({reason}): free disk space and start again; "
            f"the last good checkpoint (step {self.latest()}) is untouched"
        )

    def restore(self, abstract: Any) -> Any:
        """The newest checkpoint in the structure, shapes and shardings of `abstract`."""
        step = self.latest()
        if step is None:
            raise CheckpointError(f"no checkpoint in {self.directory}")
        where = self.directory / str(step)
        require_same(shapes(_stored(self._checkpointer, step, where)), shapes(abstract), where)
        return _load(self._checkpointer, step, abstract, where)

    def close(self) -> None:
        """Waits for the running save and releases the threads."""
        try:
            self.wait()
        finally:
            with contextlib.suppress(Exception):  # it tells of a failed save once more
                self._checkpointer.close()


@dataclasses.dataclass(frozen=True)
class Stored:
    """What was read of the newest checkpoint under `path`."""

    path: str
    step: int
    config: dict
    parts: dict[str, Any]  # the top-level fields that were asked for, as NumPy trees; None where it has none


def read(path: str, *names: str) -> Stored:
    """The newest checkpoint under `path` with some of its fields, e.g. `read(workdir, "student", "teacher")`.

    Only those are read from disk. Raises CheckpointError.
    """
    folder = locate(path)
    with _reader(folder) as (checkpointer, step):
        where = folder / str(step)
        stored = _stored(checkpointer, step, where) if names else {}
        wanted = {k: v if k in names else jax.tree.map(lambda _: ocp.PLACEHOLDER, v) for k, v in stored.items()}
        try:
            config = (checkpointer.metadata(step).custom_metadata or {}).get("config")  # another program's has none
            abstract = jax.tree.map(_host_abstract, wanted, is_leaf=lambda x: hasattr(x, "shape"))
            loaded = checkpointer.load(step, abstract) if names else {}
        except Exception as error:
            raise _damaged(where, error) from error
    return Stored(path, step, config, {name: loaded.get(name) for name in names})


def newest_step(path: str) -> int:
    """The step number of the newest checkpoint under `path`."""
    with _reader(locate(path)) as (_, step):
        return step


class _reader:
    """Opens a folder of steps for reading and closes it again."""

    def __init__(self, folder: pathlib.Path):
        self._checkpointer = ocp.training.Checkpointer(folder)

    def __enter__(self):
        latest = self._checkpointer.latest
        if latest is None:
            folder = self._checkpointer.directory
            raise CheckpointError(f"no finished checkpoint in {folder}: train again, or give another")
        return self._checkpointer, int(latest.step)

    def __exit__(self, *_):
        self._checkpointer.close()


def _host_abstract(leaf):
    return leaf if leaf is ocp.PLACEHOLDER or not hasattr(leaf, "shape") else np.empty(leaf.shape, leaf.dtype)


def _stored(checkpointer, step: int, where: pathlib.Path) -> Any:
    """The tree of a checkpoint with shapes for arrays."""
    try:
        stored = checkpointer.metadata(step).metadata
    except Exception as error:
        raise _damaged(where, error) from error
    if stored is None:  # what orbax returns for unreadable metadata
        raise _damaged(where, ValueError("unreadable metadata"))
    return stored


def _load(checkpointer, step: int, abstract: Any, where: pathlib.Path) -> Any:
    try:
        return checkpointer.load(step, abstract)
    except Exception as error:
        raise _damaged(where, error) from error


def _damaged(where: pathlib.Path, error: Exception) -> CheckpointError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return CheckpointError(
        f"checkpoint {where} is damaged or incomplete ({reason}): delete it, the one before is used then"
    )
