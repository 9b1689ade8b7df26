"""Compiled predictors: uint8 images of one size in, class ids or depth out."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from sde_seg_jax.geometry.depth import disparity_to_depth
from sde_seg_jax.imaging.resize import resize_bilinear, resize_bilinear_corners
from sde_seg_jax.models.network import Network
from sde_seg_jax.tasks.parts import predict, to_float
from sde_seg_jax.types import Variables


@functools.lru_cache
def class_predictor(network: Network) -> Callable[[Variables, jax.Array], jax.Array]:
    """(variables, uint8 [B,H,W,3]) -> class ids [B,H,W], running statistics, logits resized to the image."""

    @jax.jit
    def classes(variables, image):
        logits = predict(network, variables, to_float(image)).logits
        if logits.shape[1:3] != image.shape[1:3]:
            logits = resize_bilinear_corners(logits, image.shape[1:3])
        return jnp.argmax(logits, axis=-1).astype(jnp.uint8)

    return classes


@functools.lru_cache
def disparity_predictor(network: Network) -> Callable[[Variables, jax.Array], jax.Array]:
    """(variables, uint8 [B,H,W,3]) -> disparity [B,H,W] in (0,1) at the image's size."""

    @jax.jit
    def disparity(variables, image):
        finest = predict(network, variables, to_float(image)).disparity[0]
        return resize_bilinear(finest, image.shape[1:3])[..., 0]

    return disparity


def in_batches(function: Callable, variables: Variables, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A predictor on batches of any size up to `batch_size`: smaller ones are padded, so it compiles once."""

    def call(image: np.ndarray) -> np.ndarray:
        return np.asarray(function(variables, padded(image, batch_size)))[: len(image)]

    return call


def padded(image: np.ndarray, batch_size: int) -> np.ndarray:
    """A batch of exactly `batch_size`: the last image is repeated where some are missing."""
    missing = batch_size - len(image)
    return np.concatenate([image, np.repeat(image[-1:], missing, axis=0)]) if missing > 0 else image


def depth_of(disparity: Callable, min_depth: float, max_depth: float) -> Callable[[np.ndarray], np.ndarray]:
    """Turns a disparity predictor into one of depth, in the range that the network was trained with."""
    return lambda image: np.asarray(disparity_to_depth(disparity(image), min_depth, max_depth))
