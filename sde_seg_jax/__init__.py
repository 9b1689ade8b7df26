"""Semi-supervised and domain-adaptive semantic segmentation with self-supervised depth, in JAX.

    import sde_seg_jax as sds
    model = sds.load("runs/mine")
    out = model.predict("street.jpg")
    out.show()

The public names, imported when they are first used (`help(sds.start)` explains one):

    configure            a configuration by name, with values replaced
    prepare              its data, once
    train                trains it in a folder; returns the network
    start                a run in your hands: state, step, batches, evaluate, mix
    load                 a trained network: predict, features, classes
    evaluate, report     its scores; a page about runs
    examples             validation samples, for pictures
    label_space          the classes of a configuration
    pictures, curves     pictures of labels, disparities, errors; training curves
    warp, camera, photometric, View, Outputs, Intrinsics      the geometry of depth from video
    Model, Prediction, Run                                    what load, predict and start return
    Reporter, CONSOLE, SILENT, Collected                      who is told what goes on
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sde_seg_jax.api import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    from sde_seg_jax.lookup import suggest

    api = importlib.import_module("sde_seg_jax.api")
    if name in api.__all__:
        return getattr(api, name)
    known = suggest(name, api.__all__)
    raise AttributeError(f"module 'sde_seg_jax' has no attribute {name!r}; {known}")


def __dir__() -> list[str]:
    return ["__version__", *importlib.import_module("sde_seg_jax.api").__all__]
