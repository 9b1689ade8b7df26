"""The disparity of a trained network, which tasks mix by or imitate: cached in the batch, or of a frozen network."""

from __future__ import annotations

from typing import Any

import jax

from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.types import Batch, TrainState

# frozen network -> how to do with or without it
DISPARITY_REMEDIES = {
    "depth": (
        "the task needs a depth network: set task.depth_checkpoint, or mix without: task.mix=class (and "
        "task.cross_mix=class, if it has one), or name its cached disparities: data.depth_cache"
    ),
    "source_depth": (
        "the task needs a depth network of the source domain: set task.source_depth_checkpoint, or mix the domains "
        "without: task.cross_mix=class (and no losses.berhu), or name its cached disparities: source_data.depth_cache"
    ),
}


def known_disparity(depth_network: Any, state: TrainState, batch: Batch, name: str = "depth") -> jax.Array:
    """Disparity [B,h,w,1] of a trained network: cached in the batch, else from state.frozen[name].

    name: one of DISPARITY_REMEDIES. Raises ValueError that names the remedy if there is neither.
    """
    if batch.disparity is not None:
        return batch.disparity[..., None]
    if depth_network is None or name not in state.frozen:
        raise ValueError(DISPARITY_REMEDIES[name])
    return predict(depth_network, state.frozen[name], to_float(batch.image)).disparity[0]
