"""Checkpoints: everything training needs to continue, and the configuration that built it. A thin layer over orbax.

A save writes to a temporary folder and renames it, so an interrupted save never damages an earlier checkpoint. What
is restored is first compared, key by key and shape by shape, with what is expected: orbax alone may restore a part of
a tree silently. Its values are compared with the digests of what was saved.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from sde_seg_jax.training.checkpoint_errors import CheckpointError, damaged, save_failed, untouched
from sde_seg_jax.training.checkpoint_folder import Folder
from sde_seg_jax.training.digests import NotFinite, changed, digest_of_json, digests
from sde_seg_jax.training.tree_shapes import require_same, shapes

__all__ = [
    "FOLDER",
    "CheckpointError",
    "Checkpoints",
    "Stored",
    "locate",
    "newest_step",
    "read",
    "require_same",
    "shapes",
]

FOLDER = "checkpoints"  # inside a workdir
DIGESTS, CONFIG_DIGEST = "digests", "config_digest"  # beside the configuration; older checkpoints have none


def locate(path: str) -> pathlib.Path:
    """The folder that holds the numbered steps, for a workdir or its `checkpoints` folder.

    Raises CheckpointError if no checkpoint lies there.
    """
    folder = pathlib.Path(path).expanduser().resolve()
    for candidate in (folder / FOLDER, folder):
        if candidate.is_dir() and any(step.name.isdigit() for step in candidate.iterdir()):
            return candidate
    raise CheckpointError(f"no checkpoint in {folder}: a folder that training has written to is expected")


class Checkpoints:
    """The checkpoints of one workdir. `save` returns at once and writes in the background.

    Several processes write and restore together: all have to come to every call. Reading (`read`) each does alone.
    """

    def __init__(self, workdir: str, keep: int = 2):
        self.directory = pathlib.Path(workdir).expanduser().resolve() / FOLDER
        policy = ocp.training.preservation_policies.LatestN(keep)
        self._folder = Folder(self.directory, preservation_policy=policy, cleanup_tmp_directories=True)
        self._pending: tuple[int, Any] | None = None

    def latest(self) -> int | None:
        """The newest finished step, or None."""
        return self._folder.latest()

    def continues(self) -> bool:
        """Does the newest checkpoint hold what training needs to go on, and not converted weights alone?"""
        step = self.latest()
        return step is not None and "opt_state" in self._folder.metadata(step)[0]

    def save(self, step: int, state: Any, config: dict) -> None:
        """Starts saving (after the previous save has ended).

        Raises CheckpointError if the previous one failed, or a number of the state is not finite.
        """
        self.wait()
        if self.latest() == step:
            return
        try:
            beside = {"config": config, DIGESTS: digests(state), CONFIG_DIGEST: digest_of_json(config)}
            saving = self._folder.orbax.save_async(step, state, force=True, custom_metadata=beside)
        except NotFinite as error:
            raise CheckpointError(f"step {step} is not saved, since {error}; {untouched(self.latest())}") from error
        except (OSError, ValueError) as error:
            raise save_failed(self.directory, error, self.latest()) from error
        self._pending = step, saving

    def wait(self) -> None:
        """Blocks until the running save has ended and can be read; raises CheckpointError if it failed."""
        if self._pending is None:
            return
        (step, saving), self._pending = self._pending, None
        try:
            saving.result()
        except Exception as error:  # orbax wraps the writers' errors in several types
            raise save_failed(self.directory, error, self.latest()) from error
        _, beside = self._folder.metadata(step)
        if "config" not in beside:
            raise damaged(self._folder.where(step), "what was written cannot be read")

    def restore(self, abstract: Any) -> Any:
        """The newest checkpoint in the structure, shapes and shardings of `abstract`."""
        step = self.latest()
        if step is None:
            raise CheckpointError(f"no checkpoint in {self.directory}")
        stored, beside = self._folder.metadata(step)
        require_same(shapes(stored), shapes(abstract), self._folder.where(step))
        return _verified(self._folder.load(step, abstract), stored, beside, self._folder.where(step))

    def close(self) -> None:
        """Waits for the running save and releases the threads."""
        try:
            self.wait()
        finally:
            with contextlib.suppress(Exception):  # it tells of a failed save once more
                self._folder.close()


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
    with Folder(locate(path), alone=True) as folder:
        step = _finished(folder)
        stored, beside = folder.metadata(step)
        if not isinstance(beside.get("config"), dict):
            raise damaged(folder.where(step), "it lacks its configuration")
        if beside.get(CONFIG_DIGEST) not in (None, digest_of_json(beside["config"])):
            raise damaged(folder.where(step), "its configuration is not what was saved")
        wanted = {k: v if k in names else jax.tree.map(lambda _: ocp.PLACEHOLDER, v) for k, v in stored.items()}
        abstract = jax.tree.map(_host_abstract, wanted, is_leaf=lambda x: hasattr(x, "shape"))
        loaded = folder.load(step, abstract) if names else {}
        parts = {name: loaded.get(name) for name in names}
        return Stored(path, step, beside["config"], _verified(parts, stored, beside, folder.where(step)))


def newest_step(path: str) -> int:
    """The step number of the newest checkpoint under `path`."""
    with Folder(locate(path), alone=True) as folder:
        return _finished(folder)


def _finished(folder: Folder) -> int:
    step = folder.latest()
    if step is None:
        raise CheckpointError(f"no finished checkpoint in {folder.directory}: train again, or give another")
    return step


def _verified(tree: Any, stored: Any, beside: dict[str, Any], where: pathlib.Path) -> Any:
    """The tree, if its arrays are those that were saved."""
    known = beside.get(DIGESTS) or {}
    if not isinstance(known, dict):
        raise damaged(where, "its digests are none")
    if name := changed(tree, known, stored):
        raise damaged(where, f"{name} is not what was saved")
    return tree


def _host_abstract(leaf):
    return leaf if leaf is ocp.PLACEHOLDER or not hasattr(leaf, "shape") else np.empty(leaf.shape, leaf.dtype)
