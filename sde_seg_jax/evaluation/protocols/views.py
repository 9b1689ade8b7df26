"""Class probabilities of images under a protocol: views of the image, their logits, the mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from sde_seg_jax.evaluation.protocols.protocol import Protocol, view_size
from sde_seg_jax.evaluation.protocols.sizes import SizeRule
from sde_seg_jax.evaluation.protocols.sliding import slide
from sde_seg_jax.imaging.resize import resize_bilinear


class Segmentation(NamedTuple):
    """What a protocol gives.

    Attributes:
      classes: ids, the largest probability; of a single view the largest logit.
      probabilities: in [0,1], sum 1.
    """

    classes: UInt8[Array, "B H W"]
    probabilities: Float[Array, "B H W C"]


def segment(
    logits: Callable[[Float[Array, "B h w 3"]], Float[Array, "B h w C"]],
    image: Float[Array, "B H W 3"],
    protocol: Protocol,
    rule: SizeRule,
) -> Segmentation:
    """Classes and probabilities of images at their size.

    `logits` gives those of an image of a valid size, at that size. Each view is the image resized (bilinear) and maybe
    mirrored; its logits are resized back (bilinear), turned into probabilities, mirrored back, and averaged over the
    views, as mmsegmentation's test-time augmentation does.
    """
    size, total = image.shape[1:3], None
    for scale in protocol.scales:
        scaled = resize_bilinear(image, view_size(size, scale, protocol, rule))
        for mirrored in (False, True)[: 1 + protocol.flip]:
            view = scaled[:, :, ::-1] if mirrored else scaled
            found = logits(view) if protocol.window is None else slide(logits, view, protocol.window, protocol.stride)
            found = resize_bilinear(found, size)
            if protocol.views == 1:
                return Segmentation(_largest(found), jax.nn.softmax(found, axis=-1))
            found = jax.nn.softmax(found, axis=-1)
            found = found[:, :, ::-1] if mirrored else found
            total = found if total is None else total + found
    mean = total / protocol.views
    return Segmentation(_largest(mean), mean)


def _largest(values: Float[Array, "B H W C"]) -> UInt8[Array, "B H W"]:
    return jnp.argmax(values, axis=-1).astype(jnp.uint8)
