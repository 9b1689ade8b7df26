"""Configuration files: those of the package, by name (`quickstart`), and any other by its path (`my/own.py`).

The repository's folder configs/ is installed inside the package. A file imports others by their bare name
(`import base`): looked for beside it, in the folder above if the base.py there is a configuration, in folders put on
`sys.path` since the program started, among those of the package, and then as any import. They stay out of `sys.modules`
under that name, so that a `base` of somebody else is neither found nor hidden.
"""

from __future__ import annotations

import builtins
import contextlib
import difflib
import importlib.util
import pathlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import sde_seg_jax
from sde_seg_jax.experiment.errors import UsageError

SUFFIX = ".py"  # of a path; a name has none
SHARED = "base.py"  # tells that the folder above belongs to a configuration, too
NEAR, CLOSE = 3, 0.7  # names that an error shows, and how alike they are
STARTED = frozenset(sys.path)  # where a program's own modules lie: its `base` is no configuration


def shipped() -> pathlib.Path:
    """The folder of the configurations that come with the package: inside it, or beside it in a checkout."""
    package = pathlib.Path(sde_seg_jax.__file__).resolve().parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def names() -> list[str]:
    """The names of the configurations that come with the package, such as "quickstart" and "paper/semi"."""
    files = sorted(filter(_is_configuration, shipped().rglob(f"*{SUFFIX}")))  # the others are shared by these
    return [file.relative_to(shipped()).with_suffix("").as_posix() for file in files]


def find(reference: str) -> pathlib.Path:
    """The file of a path, which ends in .py, or of a name. Raises UsageError with those that are near."""
    file = pathlib.Path(reference)
    if file.suffix == SUFFIX and file.is_file():
        return file
    if file.suffix != SUFFIX and file.as_posix() in names():
        return shipped() / f"{reference}{SUFFIX}"
    raise UsageError(f"--config={reference}: {_missing(reference)}")


def split(reference: str) -> tuple[str, str]:
    """(path or name, row) of "path:row"; the colon of a drive, as in "C:\\own.py:row", is no such colon."""
    drive = reference[:2] if reference[1:3] in (":\\", ":/") else ""
    path, _, row = reference.removeprefix(drive).partition(":")
    return drive + path, row


def load_module(reference: str) -> types.ModuleType:
    """A configuration file as a module, executed anew. Raises UsageError for a missing file."""
    return _execute(find(reference).resolve(), {})


def _is_configuration(file: pathlib.Path) -> bool:
    return file.is_file() and "def get_config" in file.read_text(encoding="utf-8")


def _missing(reference: str) -> str:
    """What is wrong with a reference, and what was meant."""
    ours, path = names(), pathlib.PurePath(reference)
    beside = sorted(str(file) for file in pathlib.Path("configs").rglob(f"*{SUFFIX}"))
    if path.suffix == SUFFIX:
        name = path.with_suffix("").as_posix().removeprefix("configs/")
        if name in ours:
            return f"no such file; did you mean {name}, which comes with the package?"
        near = difflib.get_close_matches(reference, [*beside, *ours], NEAR, CLOSE)
        return f"no such file; did you mean {_any(near)}?" if near else f"no such file; known: {', '.join(ours)}"
    if pathlib.Path(f"{reference}{SUFFIX}").is_file():
        return f"a path ends in {SUFFIX}; did you mean {reference}{SUFFIX}?"
    near = [name for name in ours if name.rpartition("/")[2] == path.name]
    near = near or difflib.get_close_matches(reference, ours, NEAR, CLOSE)
    hint = f"did you mean {_any(near)}?" if near else f"known: {', '.join(ours)};"
    return f"no configuration of that name; {hint} a path to a file of yours ends in {SUFFIX}"


def _any(near: list[str]) -> str:
    return " or ".join(near)


def _execute(file: pathlib.Path, loaded: dict[pathlib.Path, types.ModuleType]) -> types.ModuleType:
    """Runs a file whose imports by bare name are other configurations; `loaded` holds those of this call."""
    if file in loaded:
        return loaded[file]
    name = f"configuration {file}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = loaded[file] = importlib.util.module_from_spec(spec)

    def find_import(name: str, namespace: Any = None, local: Any = None, wanted: Any = (), level: int = 0) -> Any:
        found = None if level or "." in name else _neighbor(file, name)
        if found is not None:
            return _execute(found, loaded)
        with _on_path(file.parent):  # packages that lie beside it
            return builtins.__import__(name, namespace, local, wanted, level)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": find_import}
    sys.modules[name] = module  # dataclasses and pickle look there
    spec.loader.exec_module(module)
    return module


def _neighbor(file: pathlib.Path, name: str) -> pathlib.Path | None:
    beside, above = file.parents[:2]
    added = [pathlib.Path(entry) for entry in sys.path if entry not in STARTED]
    folders = [beside, *([above] if _is_configuration(above / SHARED) else []), *added, shipped()]
    files = (folder / f"{name}{SUFFIX}" for folder in folders)
    return next((found.resolve() for found in files if found.is_file()), None)


@contextlib.contextmanager
def _on_path(folder: pathlib.Path) -> Iterator[None]:
    entry = str(folder)
    if entry in sys.path:
        yield
        return
    sys.path.append(entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
