"""The segmentation decoder: a copy of the depth decoder, a projection and a classifier on its features.

Feature layers have the published numbers: 0..4 are the encoder's maps, fine to coarse (as many as it has); 5..9 are the
decoder's levels 4..0, so 9 is the finest and 8 its predecessor.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear, resize_bilinear_corners
from sde_seg_jax.models.depth_decoder import LEVELS
from sde_seg_jax.models.layers import Conv, ConvNormRelu
from sde_seg_jax.models.precision import at_least_float32

FINEST_LAYER = 9


class SegmentationHead(nn.Module):
    """Logits of full image size from feature layers.

    Each layer is projected to `channels` by a 1x1 convolution and resized to 1/`stride` of the image; they
    are concatenated and classified, with a 3x3 convolution of `inter_channels`, batch norm, ReLU and dropout
    before the classifier unless it is None. The logits are resized to the image.
    """

    num_classes: int
    layers: tuple[int, ...] = (FINEST_LAYER,)
    channels: int = 64
    stride: int = 1
    inter_channels: int | None = None
    dropout_rate: float = 0.0
    dtype: Any = None

    @nn.compact
    def __call__(
        self, features: dict[int, Array], size: tuple[int, int], *, train: bool, dropout: bool
    ) -> Float[Array, "B H W classes"]:
        """`features` maps layer numbers to maps; `size` is the image's (height, width)."""
        small = (size[0] // self.stride, size[1] // self.stride)
        projected = []
        for layer in self.layers:
            x = features[layer]
            x = Conv(self.channels, kernel=1, use_bias=False, dtype=self.dtype, name=f"project_{layer}")(x)
            projected.append(resize_bilinear(x, small))
        x = jnp.concatenate(projected, axis=-1)
        if self.inter_channels is not None:
            x = ConvNormRelu(self.inter_channels, dtype=self.dtype, name="inter")(x, train=train)
            x = nn.Dropout(self.dropout_rate, deterministic=not dropout)(x)
        logits = Conv(self.num_classes, kernel=1, dtype=self.dtype, name="classifier")(x)
        return resize_bilinear(at_least_float32(logits), size)


class ConvolutionHead(nn.Module):
    """Logits of full image size from one feature layer, as UniMatch V2 (Yang et al. 2024) has them on DPT.

    A 3x3 convolution of as many channels, ReLU, the classifier; then the image's size, with aligned corners.
    """

    num_classes: int
    layer: int = FINEST_LAYER
    dtype: Any = None

    @nn.compact
    def __call__(
        self, features: dict[int, Array], size: tuple[int, int], *, train: bool, dropout: bool
    ) -> Float[Array, "B H W classes"]:
        """As `SegmentationHead`. There is no dropout."""
        x = features[self.layer]
        x = nn.relu(Conv(x.shape[-1], dtype=self.dtype, name="conv")(x))
        logits = Conv(self.num_classes, kernel=1, dtype=self.dtype, name="classifier")(x)
        return resize_bilinear_corners(at_least_float32(logits), size)


class SegmentationDecoder(nn.Module):
    """Logits from the encoder's maps. `decoder` has no disparity heads."""

    decoder: nn.Module  # of `decoders`
    head: SegmentationHead | ConvolutionHead

    def __call__(
        self, maps: Sequence[Float[Array, "B h w c"]], *, train: bool = False, dropout: bool | None = None
    ) -> Float[Array, "B H W classes"]:
        """`maps` are fine to coarse. `dropout`: as `train` unless given."""
        dropout = train if dropout is None else dropout
        decoded = self.decoder(maps, train=train, dropout=dropout)
        own = {FINEST_LAYER - i: decoded.level(i) for i in LEVELS}
        features = dict(enumerate(maps[: min(own)])) | own
        return self.head(features, self.decoder.image_size(maps), train=train, dropout=dropout)
