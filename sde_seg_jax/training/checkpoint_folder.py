"""A folder of numbered checkpoints, as orbax opens it."""

from __future__ import annotations

import contextlib
import glob
import pathlib
import tempfile
import types
from typing import Any

from orbax.checkpoint import v1 as ocp

from sde_seg_jax.processes import together
from sde_seg_jax.training.checkpoint_errors import CheckpointError, damaged


class Folder:
    """Opens and closes it. `options` go to orbax's Checkpointer.

    Of several processes all have to call all methods, unless it was opened `alone`.
    """

    def __init__(self, directory: pathlib.Path, *, alone: bool = False, **options: Any):
        self.directory = directory
        self._links = contextlib.ExitStack()
        if alone and together.count() > 1:
            self.orbax: Any = _Alone(self._plain())
        else:
            self.orbax = ocp.training.Checkpointer(self._plain(), **options)

    def _plain(self) -> pathlib.Path:
        """The folder under a name without `[`, `*` and `?`: orbax takes paths for patterns and leaves arrays out."""
        if glob.escape(str(self.directory)) == str(self.directory):
            return self.directory
        if together.count() > 1:  # which would need a link of the same name
            raise CheckpointError(f"{self.directory} has one of '[*?' in its path: rename it, or train by one process")
        made = self._links.enter_context(tempfile.TemporaryDirectory(prefix="sde_seg_checkpoints_"))
        link = pathlib.Path(made) / "checkpoints"
        try:
            if glob.escape(made) != made:
                raise OSError("so has the folder of temporary files")
            self.directory.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.directory, target_is_directory=True)
        except OSError as error:
            self._links.close()
            raise CheckpointError(
                f"{self.directory} has one of '[*?' in its path, and no link to it can be made ({error}): "
                "rename that folder, or choose another --workdir"
            ) from error
        return link

    def where(self, step: int) -> pathlib.Path:
        """The folder of a step."""
        return self.directory / str(step)

    def latest(self) -> int | None:
        """The newest finished step, or None."""
        found = self.orbax.latest
        return None if found is None else int(found.step)

    def metadata(self, step: int) -> tuple[Any, dict[str, Any]]:
        """(the tree with shapes for arrays, what was written beside it). Raises CheckpointError if it is damaged."""
        try:
            found = self.orbax.metadata(step)
        except Exception as error:
            raise damaged(self.where(step), error) from error
        if found.metadata is None:  # what orbax returns for unreadable metadata
            raise damaged(self.where(step), "unreadable metadata")
        return found.metadata, found.custom_metadata or {}

    def load(self, step: int, abstract: Any) -> Any:
        """The arrays, in the structure of `abstract`. Raises CheckpointError if they cannot be read."""
        try:
            return self.orbax.load(step, abstract)
        except Exception as error:
            raise damaged(self.where(step), error) from error

    def close(self) -> None:
        """Releases the threads."""
        try:
            self.orbax.close()
        finally:
            self._links.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Alone:
    """Reads what `ocp.training.Checkpointer` reads, for one of several processes: that class waits for all of them."""

    def __init__(self, directory: pathlib.Path):
        self._directory = directory
        self._context = ocp.Context()
        self._context.multiprocessing.primary_host = together.index()
        self._context.multiprocessing.active_processes = {together.index()}

    @property
    def latest(self) -> Any:
        """An unfinished step has another name until it is finished."""
        steps = [int(path.name) for path in self._directory.iterdir() if path.name.isdecimal()]
        return types.SimpleNamespace(step=max(steps)) if steps else None

    def metadata(self, step: int) -> Any:
        with self._context:
            return ocp.metadata(self._directory / str(step))

    def load(self, step: int, abstract: Any) -> Any:
        with self._context:
            return ocp.load(self._directory / str(step), abstract)

    def close(self) -> None:
        """Holds nothing."""
