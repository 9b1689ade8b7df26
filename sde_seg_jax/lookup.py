"""Finding things by name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType
from typing import Any


def find_module(package: str, name: str, attribute: str, kind: str) -> ModuleType:
    """The module `package.name` that defines `attribute`. Raises ValueError that lists the known names."""
    folder = importlib.import_module(package)
    names = [m.name for m in pkgutil.iter_modules(folder.__path__) if not m.ispkg]
    if name in names:
        module = importlib.import_module(f"{package}.{name}")
        if hasattr(module, attribute):
            return module
    known = [n for n in names if hasattr(importlib.import_module(f"{package}.{n}"), attribute)]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ValueError(f"unknown {kind} '{name}'; {hint}known: {', '.join(known)}")


def choose(options: dict[str, Any], name: str, key: str) -> Any:
    """options[name]. Raises ValueError that names the configuration key and lists the known values."""
    if name not in options:
        raise ValueError(f"unknown {key} '{name}'; known: {', '.join(options)}")
    return options[name]
