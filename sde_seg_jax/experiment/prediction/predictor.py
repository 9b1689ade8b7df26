"""Compiled predictors: uint8 images of one size in, class ids or depth out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sde_seg_jax.evaluation.calibration import tempered
from sde_seg_jax.evaluation.protocols.protocol import WHOLE, Protocol
from sde_seg_jax.evaluation.protocols.sizes import SizeRule, valid_size
from sde_seg_jax.evaluation.protocols.views import Segmentation, segment
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.imaging.resize import resize_bilinear, resize_bilinear_corners
from sde_seg_jax.models.network import Network
from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.types import Variables


@functools.lru_cache
def class_predictor(network: Network) -> Callable[[Variables, jax.Array], jax.Array]:
    """(variables, uint8 [B,H,W,3]) -> class ids [B,H,W], running statistics, logits resized to the image.

    A transformer sees the image at the nearest size of whole patches.
    """

    @jax.jit
    def classes(variables, image):
        logits = predict(network, variables, fitted(network, to_float(image))).logits
        if logits.shape[1:3] != image.shape[1:3]:
            logits = resize_bilinear_corners(logits, image.shape[1:3])
        return jnp.argmax(logits, axis=-1).astype(jnp.uint8)

    return classes


@functools.lru_cache
def disparity_predictor(network: Network) -> Callable[[Variables, jax.Array], jax.Array]:
    """(variables, uint8 [B,H,W,3]) -> disparity [B,H,W] in [0,1] at the image's size.

    A transformer sees the image at the nearest size of whole patches.
    """

    @jax.jit
    def disparity(variables, image):
        finest = predict(network, variables, fitted(network, to_float(image))).disparity[0]
        return resize_bilinear(finest, image.shape[1:3])[..., 0]

    return disparity


def fitted(network: Network, image: jax.Array) -> jax.Array:
    """Images [B,H,W,3] at the nearest size of whole patches; as they are for a network without patches."""
    size = network.fitting_size(*image.shape[1:3])
    return image if size == tuple(image.shape[1:3]) else resize_bilinear(image, size)


def size_rule(network: Network) -> SizeRule:
    """Which sizes the network takes."""
    return SizeRule(network.stride, -(-network.least // network.stride) * network.stride)


@functools.lru_cache
def segmenter(network: Network, protocol: Protocol = WHOLE) -> Callable[[Variables, jax.Array], Segmentation]:
    """(variables, uint8 [B,H,W,3]) -> classes and probabilities under a protocol, at the images' size.

    The published protocol gives the classes of `class_predictor`.
    """

    @jax.jit
    def segmented(variables, image):
        def logits(view):
            return _logits_at(predict(network, variables, view).logits, view.shape[1:3])

        return segment(logits, to_float(image), protocol, size_rule(network))

    return segmented


@functools.lru_cache
def maps_predictor(
    network: Network, parts: tuple[str, ...], protocol: Protocol = WHOLE, temperature: float = 1.0
) -> Callable[[Variables, jax.Array], dict[str, jax.Array]]:
    """(variables, uint8 [B,H,W,3]) -> maps at the images' size, those named in `parts`.

    probabilities [B,H,W,C] under the protocol, of logits divided by the temperature; disparity [B,H,W] in (0,1), always
    of the whole image: what an enlarged or cut view has near is not what the image has.
    """

    @jax.jit
    def predicted(variables, image):
        image, found = to_float(image), {}
        size, rule = image.shape[1:3], size_rule(network)
        view = resize_bilinear(image, valid_size(size, rule))
        whole = predict(network, variables, view)  # what of it is not used is not computed
        if "probabilities" in parts:

            def logits(one):
                outputs = whole if one is view else predict(network, variables, one)
                return _logits_at(outputs.logits, one.shape[1:3])

            if protocol == WHOLE:
                probabilities = jax.nn.softmax(resize_bilinear(logits(view), size), axis=-1)
            else:
                probabilities = segment(logits, image, protocol, rule).probabilities
            found["probabilities"] = probabilities if temperature == 1 else tempered(probabilities, temperature)
        if "disparity" in parts:
            found["disparity"] = resize_bilinear(whole.disparity[0], size)[..., 0]
        return found

    return predicted


def _logits_at(logits: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Logits of an image at its size, as the published code resizes them."""
    return logits if logits.shape[1:3] == tuple(size) else resize_bilinear_corners(logits, size)


@functools.lru_cache
def features_at(network: Network, level: int) -> Callable[[Variables, jax.Array], jax.Array]:
    """(variables, uint8 [B,H,W,3]) -> the encoder's map at a level, 0 fine to 4 coarse."""

    @jax.jit
    def features(variables, image):
        stored = {"params": variables.params, "batch_stats": variables.batch_stats}
        return network.apply(stored, to_float(image), method=lambda net, x: net.encoder(x))[level]

    return features


def in_batches(function: Callable, variables: Variables, batch_size: int) -> Callable[[np.ndarray], Any]:
    """A predictor on batches of any size up to `batch_size`: smaller ones are padded, so it compiles once."""

    def call(image: np.ndarray) -> Any:
        found = jax.device_get(function(variables, padded(image, batch_size)))
        return jax.tree.map(lambda values: values[: len(image)], found)

    return call


def padded(image: np.ndarray, batch_size: int) -> np.ndarray:
    """A batch of exactly `batch_size`: the last image is repeated where some are missing."""
    missing = batch_size - len(image)
    return np.concatenate([image, np.repeat(image[-1:], missing, axis=0)]) if missing > 0 else image


def depth_of(disparity: Callable, depths: DepthRange) -> Callable[[np.ndarray], np.ndarray]:
    """Turns a disparity predictor into one of depth, in the range that the network was trained with."""
    return lambda image: np.asarray(disparity_to_depth(disparity(image), depths.min_depth, depths.max_depth))
