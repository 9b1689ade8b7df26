"""Which camera a network with learnt intrinsics has found: focal lengths, field of view, and a camera.json for it."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.geometry import camera
from sde_seg_jax.models.network import Network
from sde_seg_jax.processes import together
from sde_seg_jax.tasks.motion import known_camera
from sde_seg_jax.training.log import write_text
from sde_seg_jax.types import Intrinsics, Variables

FILE = "camera.json"
KEYS = ("fx", "fy", "cx", "cy")


def check_learnt_camera(learn: str, flip: float) -> None:
    """Raises ValueError if the centre is to be learnt from images of which some are mirrored.

    Their centre lies on the other side of the nominal one, which one set of numbers cannot say.
    """
    if learn == "all" and flip:
        raise UsageError(
            f"model.learn_intrinsics=all learns where the centre is, but data.flip={flip} mirrors images: set "
            f"data.flip=0, or learn the focal length alone: model.learn_intrinsics=focal"
        )


def measure(network: Network, variables: Variables, data: Data, batch_size: int) -> dict[str, float]:
    """The learnt camera of the validation samples, in pixels of the stored image; {} if nothing is learnt of it.

    For each of fx, fy, cx, cy: camera/fx, the mean; camera/fx_spread, the standard deviation over samples, which is
    that of their nominal cameras; camera/fx_nominal, what training was given. camera/field_of_view: degrees across;
    camera/width, camera/height: of the image.
    """
    if network.intrinsics is None:
        return {}
    found, nominal = [], []
    for batch in data.validation((), batch_size):
        found.append(_columns(known_camera(network, variables.params, batch.intrinsics)))
        nominal.append(_columns(batch.intrinsics))
    found, nominal = (np.concatenate(together.in_order(columns)) for columns in (found, nominal))
    scores = {}
    for key, learnt, given in zip(KEYS, found.T, nominal.T, strict=True):
        scores |= {f"camera/{key}": learnt.mean(), f"camera/{key}_spread": learnt.std()}
        scores[f"camera/{key}_nominal"] = given.mean()
    scores["camera/field_of_view"] = camera.field_of_view(Intrinsics(*found.mean(0)), data.size)[0]
    height, width = data.size
    return {key: float(value) for key, value in scores.items()} | {"camera/width": width, "camera/height": height}


def tell(scores: dict[str, Any]) -> list[str]:
    """What `measure` found, in a line for people; [] if it found nothing."""
    if "camera/fx" not in scores:
        return []
    texts = [
        f"{key} {scores[f'camera/{key}']:.1f} +- {scores[f'camera/{key}_spread']:.1f} "
        f"(nominal {scores[f'camera/{key}_nominal']:.1f})"
        for key in KEYS
    ]
    size = f"{scores['camera/width']}x{scores['camera/height']}"
    across = f"{scores['camera/field_of_view']:.1f} degrees across"
    return [f"learnt camera, in pixels of {size}: {', '.join(texts)}; {across}"]


def write(folder: pathlib.Path, scores: dict[str, Any]) -> None:
    """Writes camera.json as the data set `folder` reads it; nothing if `measure` found nothing.

    Stored images may be squeezed, and the nominal fy / fx tells how much: the file is for the image as wide as the
    stored one with square pixels, so that it has the shape of the raw images.
    """
    if "camera/fx" not in scores:
        return
    height, width = scores["camera/height"], scores["camera/width"]
    squeezed = scores["camera/fy_nominal"] / scores["camera/fx_nominal"]
    square = (max(1, round(height / squeezed)), width)
    found = camera.resize(Intrinsics(*(scores[f"camera/{key}"] for key in KEYS)), (height, width), square)
    values = {key: round(float(getattr(found, key)), 3) for key in KEYS}
    write_text(folder / FILE, json.dumps({**values, "width": width, "height": square[0]}) + "\n")


def _columns(intrinsics: Intrinsics) -> np.ndarray:
    return np.stack([np.asarray(getattr(intrinsics, key), np.float64) for key in KEYS], axis=1)
