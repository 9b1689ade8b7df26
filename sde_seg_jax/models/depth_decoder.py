"""The depth decoder: five levels, coarse (4) to fine (0), with encoder skips and disparity heads.

Channels per level are listed fine to coarse, as published: `(64, 128, 128, 256, 256)` is 64 at level 0.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import upsample_nearest_2x
from sde_seg_jax.models.aspp import ASPP
from sde_seg_jax.models.layers import Conv, ConvBlock, ConvNormRelu
from sde_seg_jax.models.padding import reflect
from sde_seg_jax.models.precision import at_least_float32
from sde_seg_jax.models.remat import run

LEVELS = (4, 3, 2, 1, 0)


@struct.dataclass
class Decoded:
    """What a decoder returns. Layer 2k and 2k+1 are the first and second block of level 4-k."""

    layers: tuple[Float[Array, "B h w c"], ...]
    disparity: tuple[Float[Array, "B h w 1"], ...] = ()  # in (0,1), scale 0 (finest) first

    def level(self, level: int) -> Float[Array, "B h w c"]:
        """The features that leave a level (4 coarse .. 0 fine)."""
        return self.layers[2 * (4 - level) + 1]


class Level(nn.Module):
    """One level: block, nearest 2x upsampling if needed, concatenation of the skip, block."""

    features: int
    aspp_rates: tuple[int, ...] = ()  # empty: the first block is a ConvBlock
    image_pooling: bool = True
    skip_features: int | None = None  # project the skip to so many channels first
    batch_norm: bool = False
    dropout_rate: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x, skip, *, train: bool, dropout: bool) -> tuple[Array, Array]:
        if self.aspp_rates:
            aspp = ASPP(self.features, self.aspp_rates, self.image_pooling, self.dropout_rate, self.dtype, name="aspp")
            first = aspp(x, train=train, dropout=dropout)
        else:
            first = ConvBlock(self.features, self.batch_norm, self.dtype, name="first")(x, train=train)
        x = first
        # a dilated encoder repeats a stride: then the skip is as large already
        if skip is None or skip.shape[2] > x.shape[2]:
            x = upsample_nearest_2x(x)
        if skip is not None:
            if self.skip_features is not None:
                project = ConvNormRelu(self.skip_features, 1, use_bias=True, dtype=self.dtype, name="skip")
                skip = project(skip, train=train)
            x = jnp.concatenate([x, skip.astype(x.dtype)], axis=-1)
        return first, ConvBlock(self.features, self.batch_norm, self.dtype, name="second")(x, train=train)


class DepthDecoder(nn.Module):
    """Features and disparities of an encoder's five maps.

    `scales` are the levels that get a disparity head: (0, 1, 2, 3) as published, () for the copy in the
    segmentation network. `disparity_bias` is the heads' initial bias (None: PyTorch's default).
    `aspp_rates=()` puts a ConvBlock in ASPP's place. With `remat` a level's inside is computed again in the
    backward pass instead of being kept.
    """

    channels: tuple[int, ...] = (64, 128, 128, 256, 256)  # fine to coarse
    aspp_rates: tuple[int, ...] = (6, 12, 18)
    image_pooling: bool = True
    skip_features: int | None = None
    batch_norm: bool = False
    dropout_rate: float = 0.5
    scales: tuple[int, ...] = (0, 1, 2, 3)
    disparity_bias: float | None = None
    dtype: Any = None
    remat: bool = False

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
        layers = []
        for i in levels:
            skip = maps[i - 1] if i > 0 else None
            layers += run(self.level[i], x, skip, remat=self.remat, train=train, dropout=dropout)
            x = layers[-1]
        return layers

    def __call__(
        self, maps: Sequence[Float[Array, "B h w c"]], *, train: bool = False, dropout: bool | None = None
    ) -> Decoded:
        """`maps` are the encoder's five, fine to coarse. `dropout` follows `train` unless given."""
        dropout = train if dropout is None else dropout
        decoded = Decoded(tuple(self.decode(maps[-1], maps, LEVELS, train=train, dropout=dropout)))
        return decoded.replace(disparity=self.disparities(decoded))

    def disparities(self, decoded: Decoded) -> tuple[Float[Array, "B h w 1"], ...]:
        """Sigmoid disparities of the levels that have a head, fine to coarse."""
        heads = zip(self.scales, self.disparity, strict=True)
        return tuple(jax.nn.sigmoid(at_least_float32(head(decoded.level(s)))) for s, head in heads)
