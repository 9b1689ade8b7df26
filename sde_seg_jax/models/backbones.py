"""Backbones by name: a module of this package with `ENCODERS` and `make_encoder` offers those names."""

import difflib
import importlib
import pkgutil
from types import ModuleType

from flax import linen as nn

from sde_seg_jax import models


def backbone_modules() -> dict[str, ModuleType]:
    """Encoder name -> the module that makes it; found by looking, so a new file needs no registration."""
    found = {}
    for info in pkgutil.iter_modules(models.__path__):
        module = importlib.import_module(f"{models.__name__}.{info.name}")
        if hasattr(module, "ENCODERS"):
            found |= dict.fromkeys(module.ENCODERS, module)
    return found


def make_encoder(name: str, **options) -> nn.Module:
    """The encoder `name`: returns five maps, fine to coarse, and declares their `channels` and `strides`.

    `options` are those of the module's `make_encoder`. Raises ValueError for an unknown name and lists the
    known.
    """
    modules = backbone_modules()
    if name not in modules:
        near = difflib.get_close_matches(name, modules, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"encoder {name!r} is unknown{hint} known: {', '.join(sorted(modules))}")
    return modules[name].make_encoder(name, **options)
