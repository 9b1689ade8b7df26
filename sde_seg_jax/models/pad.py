"""Multi-task decoding (PAD): depth and segmentation exchange features through attention at one decoder level.

After Xu et al., PAD-Net (2018), as used by Hoyer et al.; METHOD 2 in docs/reference/method.md.
"""

from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.models.depth_decoder import LEVELS, Decoded
from sde_seg_jax.models.init import ZEROS
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.models.precision import at_least_float32


class Gate(nn.Module):
    """conv(x) * sigmoid(attention(x)): what one task passes on to the other. The attention starts at 1/2."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w C"]:
        passed = Conv(x.shape[-1], use_bias=False, dtype=self.dtype, name="conv")(x)
        attention = Conv(x.shape[-1], use_bias=False, start=lambda _: ZEROS, dtype=self.dtype, name="attention")(x)
        return passed * jax.nn.sigmoid(attention)


class Distillation(nn.Module):
    """Features of both tasks at decoder `level`, each with the other's gated features added."""

    level: int = 2
    dtype: Any = None

    def setup(self):
        self.depth = Gate(self.dtype)
        self.segmentation = Gate(self.dtype)

    def __call__(
        self, depth: Float[Array, "B h w C"], segmentation: Float[Array, "B h w C"]
    ) -> tuple[Float[Array, "B h w C"], Float[Array, "B h w C"]]:
        """(depth, segmentation) after the exchange."""
        return depth + self.segmentation(segmentation), segmentation + self.depth(depth)


class SegmentationBranch(nn.Module):
    """The segmentation decoder of the multi-task network: 1x1 classifiers on its features, without projection.

    With `stride=1` the final logits have the image's size, and the intermediate ones that of their features, as
    published (Q13 in docs/record/differences.md); otherwise both are resized to 1/`stride` of the image.
    """

    decoder: nn.Module  # of `decoders`
    num_classes: int
    stride: int = 1
    side_output: bool = True
    dtype: Any = None

    def setup(self):
        self.classifier = Conv(self.num_classes, kernel=1, dtype=self.dtype)
        if self.side_output:
            self.intermediate = Conv(self.num_classes, kernel=1, dtype=self.dtype)

    def logits(self, features: Float[Array, "B h w C"], size: tuple[int, int]) -> Float[Array, "B h w classes"]:
        """Final logits from the finest features; `size` is the image's (height, width)."""
        logits = self._resized(self.classifier(features), size)
        return resize_bilinear(logits, size) if self.stride == 1 else logits

    def intermediate_logits(self, features: Array, size: tuple[int, int]) -> Float[Array, "B h w classes"] | None:
        """Logits from the features before the exchange, or None without side output."""
        return self._resized(self.intermediate(features), size) if self.side_output else None

    def _resized(self, logits: Array, size: tuple[int, int]) -> Array:
        logits = at_least_float32(logits)
        if self.stride == 1:
            return logits
        return resize_bilinear(logits, (size[0] // self.stride, size[1] // self.stride))


def decode_together(
    maps: Sequence[Float[Array, "B h w c"]],
    depth: nn.Module,
    branch: SegmentationBranch,
    distillation: Distillation,
    *,
    train: bool,
    dropout: bool,
) -> tuple[tuple[Array, ...], Float[Array, "B h w classes"], Float[Array, "B h w classes"] | None]:
    """(disparities, logits, intermediate logits) of an encoder's maps, fine to coarse.

    Both decoders run down to the level of the exchange, exchange, and go on.
    """
    coarse = [i for i in LEVELS if i >= distillation.level]
    fine = [i for i in LEVELS if i < distillation.level]
    size = depth.image_size(maps)
    layers = [part.decode(maps[-1], maps, coarse, train=train, dropout=dropout) for part in (depth, branch.decoder)]
    intermediate = branch.intermediate_logits(layers[1][-1], size)
    exchanged = distillation(layers[0][-1], layers[1][-1])
    for part, found, x in zip((depth, branch.decoder), layers, exchanged, strict=True):
        found += part.decode(x, maps, fine, train=train, dropout=dropout)
    return depth.disparities(Decoded(tuple(layers[0]))), branch.logits(layers[1][-1], size), intermediate
