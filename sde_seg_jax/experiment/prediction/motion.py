"""The motion of the camera between two frames, as a network that learnt depth from video tells it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from sde_seg_jax.evaluation.protocols.sizes import valid_size
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.predictor import size_rule
from sde_seg_jax.geometry import se3
from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.models.network import Network
from sde_seg_jax.tasks.forward import to_float
from sde_seg_jax.types import Variables


@dataclasses.dataclass(frozen=True)
class Mover:
    """A network as it is asked about motion.

    Attributes:
      call: uint8 RGB [B,h,w,3] of earlier frames and of later ones -> earlier_from_later [B,4,4], in the unit of the
        network's depth.
    """

    call: Callable[[np.ndarray, np.ndarray], Any]


def mover_of(trained: Trained, flag: str, checkpoint: str) -> Mover:
    """The pose part of a network. Raises UsageError, naming the flag that needs it, if there is none."""
    network = trained.network
    if getattr(network, "pose_network", None) is None:
        raise UsageError(
            f"{flag} needs a network that tells the camera's motion, and {checkpoint} has no pose part; give one that "
            f"learnt depth from video (a run's student) as --depth_checkpoint=DIR"
        )
    return Mover(functools.partial(_motion(network), jax.device_put(trained.variables, jax.local_devices()[0])))


@functools.lru_cache
def _motion(network: Network) -> Callable[[Variables, np.ndarray, np.ndarray], jax.Array]:
    """(variables, earlier, later) -> earlier_from_later [B,4,4], as `tasks.motion` has it of the frame before."""

    @jax.jit
    def motion(variables, earlier, later):
        size = valid_size(earlier.shape[1:3], size_rule(network))
        views = (resize_bilinear(to_float(image), size) for image in (earlier, later))
        stored = {"params": variables.params, "batch_stats": variables.batch_stats}
        return se3.inverse_transform(*network.apply(stored, *views, method="pose"))

    return motion
