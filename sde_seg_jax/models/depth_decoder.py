"""The depth decoder: five levels, coarse (4) to fine (0), with encoder skips and disparity heads.

Channels per level are listed fine to coarse, as published: `(64, 128, 128, 256, 256)` is 64 at level 0.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear, upsample_nearest_2x
from sde_seg_jax.models.aspp import ASPP
from sde_seg_jax.models.layers import Conv, ConvBlock, ConvNormRelu
from sde_seg_jax.models.padding import reflect
from sde_seg_jax.models.precision import at_least_float32
from sde_seg_jax.models.remat import run

LEVELS = (4, 3, 2, 1, 0)
SCALES = (0, 1, 2, 3)  # levels with a disparity head, as published


@struct.dataclass
class Decoded:
    """What a decoder returns. Layer 2k and 2k+1 are the first and second block of level 4-k."""

    layers: tuple[Float[Array, "B h w c"], ...]
    disparity: tuple[Float[Array, "B h w 1"], ...] = ()  # in (0,1), scale 0 (finest) first

    def level(self, level: int) -> Float[Array, "B h w c"]:
        """The features that leave a level (4 coarse .. 0 fine)."""
        return self.layers[2 * (4 - level) + 1]


class Level(nn.Module):
    """One level: block, enlarging to the level's size if needed, concatenation of the skip, block.

    `size` is (height, width) of what comes out; unless given that of the skip, or twice the input's without one.
    """

    features: int
    aspp_rates: tuple[int, ...] = ()  # empty: the first block is a ConvBlock
    image_pooling: bool = True
    skip_features: int | None = None  # project the skip to so many channels first
    batch_norm: bool = False
    dropout_rate: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x, skip, *, train: bool, dropout: bool, size: tuple[int, int] | None = None
    ) -> tuple[Array, Array]:
        if self.aspp_rates:
            aspp = ASPP(self.features, self.aspp_rates, self.image_pooling, self.dropout_rate, self.dtype, name="aspp")
            first = aspp(x, train=train, dropout=dropout)
        else:
            first = ConvBlock(self.features, self.batch_norm, self.dtype, name="first")(x, train=train)
        if size is None:
            size = _doubled(x) if skip is None else skip.shape[1:3]
        x = _enlarged(first, size)
        if skip is not None:
            skip = resize_bilinear(skip, size)
            if self.skip_features is not None:
                project = ConvNormRelu(self.skip_features, 1, use_bias=True, dtype=self.dtype, name="skip")
                skip = project(skip, train=train)
            x = jnp.concatenate([x, skip.astype(x.dtype)], axis=-1)
        return first, ConvBlock(self.features, self.batch_norm, self.dtype, name="second")(x, train=train)


def _doubled(x: Array) -> tuple[int, int]:
    return 2 * x.shape[1], 2 * x.shape[2]


def _enlarged(x: Array, size: tuple[int, int]) -> Array:
    """At `size`; as it is where an encoder repeats a stride, nearest where the size doubles, as published."""
    if x.shape[1:3] == size:
        return x
    return upsample_nearest_2x(x) if _doubled(x) == size else resize_bilinear(x, size)


def levels_of(maps: Sequence[Array], image: tuple[int, int]) -> dict[int, tuple[tuple[int, int], int | None]]:
    """Level -> (its size, index of the map that joins it as a skip or None), of an encoder's maps, fine to coarse.

    Five maps of which the first has half the image's size join levels 1 to 4 and set their sizes, as published. Other
    encoders: level i has 1/2^i of the image, rounded up, or the last map's size if that is larger. A map joins the
    level of its size, from the last but one on; a level without such a map takes the next coarser one that is left,
    enlarged: so the maps of a transformer, all of one size, join one level each.
    """
    sizes = [x.shape[1:3] for x in maps]
    if _as_published(len(maps), image[0] / sizes[0][0]):
        return {level: (sizes[level - 1], level - 1) for level in LEVELS[:-1]} | {LEVELS[-1]: (image, None)}
    left, found = len(maps) - 1, {}
    for level in LEVELS:
        stride = min(2**level, image[0] / sizes[-1][0])
        size = (math.ceil(image[0] / stride), math.ceil(image[1] / stride))
        fitting = [i for i in range(left) if sizes[i] == size]
        coarser = [i for i in range(left) if sizes[i][0] < size[0]]
        skip = max(fitting or coarser, default=None)
        left = left if skip is None else skip
        found[level] = size, skip
    return found


def _as_published(maps: int, first_stride: float) -> bool:
    return maps == len(LEVELS) and first_stride == 2


class DepthDecoder(nn.Module):
    """Features and disparities of an encoder's maps.

    `strides` are those that the encoder declares. `scales` are the levels that get a disparity head: (0, 1, 2, 3)
    as published, () for the copy in the segmentation network. `disparity_bias` is the heads' initial bias (None:
    PyTorch's default).
    `aspp_rates=()` puts a ConvBlock in ASPP's place. With `remat` a level's inside is computed again in the
    backward pass instead of being kept.
    """

    channels: tuple[int, ...] = (64, 128, 128, 256, 256)  # fine to coarse
    aspp_rates: tuple[int, ...] = (6, 12, 18)
    image_pooling: bool = True
    skip_features: int | None = None
    batch_norm: bool = False
    dropout_rate: float = 0.5
    scales: tuple[int, ...] = SCALES
    disparity_bias: float | None = None
    dtype: Any = None
    remat: bool = False
    strides: tuple[int, ...] = (2, 4, 8, 16, 32)

    def setup(self):
        self.level = [
            Level(
                features=self.channels[i],
                aspp_rates=self.aspp_rates if i == LEVELS[0] else (),
                image_pooling=self.image_pooling,
                skip_features=self.skip_features,
                batch_norm=self.batch_norm,
                dropout_rate=self.dropout_rate,
                dtype=self.dtype,
            )
            for i in sorted(LEVELS)
        ]
        self.disparity = [Conv(1, pad=reflect, bias_start=self.disparity_bias, dtype=self.dtype) for _ in self.scales]

    def decode(
        self, x: Array, maps: Sequence[Array], levels: Iterable[int], *, train: bool, dropout: bool
    ) -> list[Array]:
        """The layers of consecutive `levels` (coarse to fine) from the input `x` of the first."""
        layers, plan = [], levels_of(maps, self.image_size(maps))
        for i in levels:
            size, index = plan[i]
            skip = None if index is None else maps[index]
            layers += run(self.level[i], x, skip, remat=self.remat, train=train, dropout=dropout, size=size)
            x = layers[-1]
        return layers

    def image_size(self, maps: Sequence[Array]) -> tuple[int, int]:
        """(height, width) of the image that the maps are of."""
        return self.strides[0] * maps[0].shape[1], self.strides[0] * maps[0].shape[2]

    @property
    def least(self) -> int:
        """The smallest height and width of an image, in pixels.

        Reflection padding needs two pixels: on the coarsest map, or, where ASPP comes first and what it gives is
        enlarged before the next convolution, on the map after it.
        """
        last = self.strides[-1]
        published = _as_published(len(self.strides), self.strides[0])
        enlarged = last > (self.strides[-2] if published else 2 ** LEVELS[0])
        return last if self.aspp_rates and enlarged else 2 * last

    def __call__(
        self, maps: Sequence[Float[Array, "B h w c"]], *, train: bool = False, dropout: bool | None = None
    ) -> Decoded:
        """`maps` are the encoder's, fine to coarse. `dropout` follows `train` unless given."""
        dropout = train if dropout is None else dropout
        decoded = Decoded(tuple(self.decode(maps[-1], maps, LEVELS, train=train, dropout=dropout)))
        return decoded.replace(disparity=self.disparities(decoded))

    def disparities(self, decoded: Decoded) -> tuple[Float[Array, "B h w 1"], ...]:
        """Sigmoid disparities of the levels that have a head, fine to coarse."""
        heads = zip(self.scales, self.disparity, strict=True)
        return tuple(jax.nn.sigmoid(at_least_float32(head(decoded.level(s)))) for s, head in heads)
