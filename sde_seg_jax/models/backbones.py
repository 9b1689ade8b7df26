"""Backbones by name: a module with `ENCODERS` and `make_encoder` offers those names."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from flax import linen as nn

from sde_seg_jax import models
from sde_seg_jax.lookup import load, offered, suggest
from sde_seg_jax.models.own_options import checked
from sde_seg_jax.models.torch_names import EncoderNames

SHARED = ("width", "dilate", "num_images", "dtype", "remat")  # options with keys of their own in the configuration
GROUP = "sde_seg_jax.encoders"  # entry points of other packages: name of an encoder -> module


def backbone_modules() -> dict[str, ModuleType]:
    """Encoder name -> the module that makes it; found by looking, so a new file needs no registration."""
    elsewhere = {name: load(entry, "encoder", "make_encoder") for name, entry in offered(GROUP).items()}
    return elsewhere | _own_modules()


def torch_names() -> list[EncoderNames]:
    """How files of PyTorch name the backbones' modules, of those that say so."""
    modules = dict.fromkeys(backbone_modules().values())
    return [module.NAMES for module in modules if hasattr(module, "NAMES")]


def make_encoder(name: str, **options) -> nn.Module:
    """The encoder `name`: returns maps, fine to coarse, and declares their `channels` and `strides` (`maps.declared`).

    `options` are those of the module's `make_encoder`. Raises ValueError for an unknown name and lists the
    known.
    """
    return _module(name).make_encoder(name, **options)


def configured_encoder(name: str, own: Mapping[str, Any], *, dilate: Sequence[bool], **shared) -> nn.Module:
    """The encoder with the options `shared` by all, and its `own`. `dilate` goes to those that have strides to replace.

    Raises ValueError for an unknown name, and for an option of its own that it does not have or that cannot be so.
    """
    maker = _module(name).make_encoder
    parameters = inspect.signature(maker).parameters
    if "dilate" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        shared["dilate"] = tuple(dilate)
    return make_encoder(name, **shared, **checked(maker, own, "model.encoder_options", f"encoder '{name}'", SHARED))


def _module(name: str) -> ModuleType:
    own = _own_modules()
    modules = own if name in own else backbone_modules()
    if name not in modules:
        raise ValueError(f"encoder {name!r} is unknown; {suggest(name, sorted(modules))}")
    return modules[name]


def _own_modules() -> dict[str, ModuleType]:
    found = {}
    for info in pkgutil.iter_modules(models.__path__):
        module = importlib.import_module(f"{models.__name__}.{info.name}")
        if hasattr(module, "ENCODERS"):
            found |= dict.fromkeys(module.ENCODERS, module)
    return found
