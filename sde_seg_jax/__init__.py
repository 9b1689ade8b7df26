"""Semi-supervised and domain-adaptive semantic segmentation with self-supervised depth, in JAX.

    import sde_seg_jax as sds
    model = sds.load("runs/mine")
    out = model.predict("street.jpg")
    out.show()

The public names are those of `sde_seg_jax.api`, imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sde_seg_jax.api import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    api = importlib.import_module("sde_seg_jax.api")
    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'sde_seg_jax' has no attribute {name!r}; its names: {', '.join(api.__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *importlib.import_module("sde_seg_jax.api").__all__])
