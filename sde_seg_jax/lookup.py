"""Finding things by name: a file of ours, or what another installed package offers.

Nothing is registered. A module of ours is found by its file's name; a module elsewhere by an entry point of the package
that it comes with, as a lab's own data set beside its own code (pyproject.toml of that package):

    [project.entry-points."sde_seg_jax.datasets"]
    our_streets = "our_lab.streets"

That module reads like one of ours. Our own names cannot be taken: a stored configuration means the same everywhere.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.metadata
import keyword
import pkgutil
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any


@dataclasses.dataclass(frozen=True)
class Kind:
    """Modules that can be named, of one kind.

    noun: what errors call it. package: where ours lie. attribute: what such a module defines; one without is a helper.
    group: the entry points of other packages.
    """

    noun: str
    package: str
    attribute: str
    group: str

    def names(self) -> list[str]:
        """All names that `find` knows, in alphabetical order."""
        own = [name for name in self._files() if hasattr(self._own(name), self.attribute)]
        return sorted({*own, *offered(self.group)})

    def find(self, name: str) -> ModuleType:
        """The module of a name. Raises ValueError for an unknown one, with the nearest and all known names."""
        found = self.look(name)
        if found is None:
            raise ValueError(f"unknown {self.noun} '{name}'; {suggest(name, self.names())}")
        return found

    def look(self, name: str) -> ModuleType | None:
        """The module of a name; None for an unknown one."""
        if name in self._files() and hasattr(self._own(name), self.attribute):
            return self._own(name)
        elsewhere = offered(self.group)
        return load(elsewhere[name], self.noun, self.attribute) if name in elsewhere else None

    def _files(self) -> list[str]:
        folder = importlib.import_module(self.package)
        return [_name_of(m.name) for m in pkgutil.iter_modules(folder.__path__) if not m.ispkg and m.name[0] != "_"]

    def _own(self, name: str) -> ModuleType:
        file = f"{name}_" if keyword.iskeyword(name) else name
        return importlib.import_module(f"{self.package}.{file}")


def _name_of(file: str) -> str:
    """A name that Python keeps for itself has an underscore behind it in the file's: class_.py."""
    return file[:-1] if file[-1] == "_" and keyword.iskeyword(file[:-1]) else file


def offered(group: str) -> dict[str, EntryPoint]:
    """Name -> entry point of what other installed packages offer.

    Raises ValueError if two offer the same name: which one a configuration means would depend on the order.
    """
    found: dict[str, EntryPoint] = {}
    for entry in importlib.metadata.entry_points(group=group):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise ValueError(
                f"'{entry.name}' of '{group}' is offered by {_package(other)} and by {_package(entry)}: uninstall one, "
                "or rename it there"
            )
    return found


def load(entry: EntryPoint, noun: str, attribute: str = "") -> Any:
    """What an entry point names. Raises ValueError, naming the package, if it cannot be imported or lacks something."""
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{noun} '{entry.name}' of {_package(entry)} cannot be imported ({error}): mend or reinstall that package"
        ) from error
    if attribute and not hasattr(found, attribute):
        raise ValueError(f"{noun} '{entry.name}' of {_package(entry)}: '{entry.value}' has no {attribute}; add it")
    return found


def _package(entry: EntryPoint) -> str:
    return f"package '{entry.dist.name}'" if entry.dist is not None else f"'{entry.value}'"


def suggest(name: str, known: Collection[str]) -> str:
    """The end of an error about an unknown name: the nearest known one, if one is near, and all of them."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}known: {', '.join(known)}"


def known(name: str, options: Collection[str]) -> str:
    """The same with all names first: few enough to read."""
    return f"known: {', '.join(options)}{nearest(name, options)}"


def nearest(name: str, options: Collection[str]) -> str:
    """The last words of an error that has named the options: "; did you mean 'x'?", or none if none is near."""
    near = difflib.get_close_matches(name, options, 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def choose(options: Mapping[str, Any], name: str, key: str) -> Any:
    """options[name]. Raises ValueError that names the configuration key, the nearest value and all known ones."""
    if name not in options:
        raise ValueError(f"unknown {key} '{name}'; {known(name, options)}")
    return options[name]
