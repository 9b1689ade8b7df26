"""The dense prediction transformer's decoder (Ranftl et al. 2021), in the form of Depth Anything V2 (Yang et al. 2024).

Four maps are reassembled to a pyramid and fused, coarse to fine. Of a transformer's tokens at stride s the pyramid has
the strides s/4, s/2, s, 2s; that of a pyramid stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.imaging.resize import resize_bilinear_corners
from sde_seg_jax.lookup import choose
from sde_seg_jax.models.depth_decoder import LEVELS, Decoded
from sde_seg_jax.models.dpt_names import MAPS
from sde_seg_jax.models.init import Initial, torch_default
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.models.precision import at_least_float32
from sde_seg_jax.models.remat import run

FACTORS = (4, 2, 1, -2)  # by which tokens are enlarged, shallow to deep; -2 halves


class Enlarge(nn.Module):
    """A transposed convolution whose stride is its size: each pixel becomes `factor` x `factor`."""

    factor: int
    dtype: Any = None

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        rule = torch_default((self.factor, self.factor, channels, channels))
        return {"transposed": rule, "bias": rule}

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B fh fw C"]:
        batch, height, width, channels = x.shape
        rules, f = self.initial(channels), self.factor
        kernel = self.param("transposed", rules["transposed"], (f, f, channels, channels))
        bias = self.param("bias", rules["bias"], (channels,))
        dtype = self.dtype or x.dtype
        y = jnp.einsum("bhwc,rsco->bhrwso", x.astype(dtype), kernel.astype(dtype))
        return y.reshape(batch, f * height, f * width, channels) + bias.astype(dtype).reshape(1, 1, 1, -1)


class Reassemble(nn.Module):
    """A map in `between` channels, enlarged by `factor`, then in `features` channels."""

    between: int
    features: int
    factor: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B H W F"]:
        x = Conv(self.between, kernel=1, dtype=self.dtype, name="project")(x)
        if self.factor > 1:
            x = Enlarge(self.factor, self.dtype, name="resize")(x)
        elif self.factor < 0:
            x = Conv(self.between, stride=-self.factor, dtype=self.dtype, name="resize")(x)
        return Conv(self.features, use_bias=False, dtype=self.dtype, name="conv")(x)


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W F"]) -> Float[Array, "B H W F"]:
        y = Conv(x.shape[-1], dtype=self.dtype, name="conv1")(nn.relu(x))
        return x + Conv(x.shape[-1], dtype=self.dtype, name="conv2")(nn.relu(y))


class Fusion(nn.Module):
    """One level: what comes from the coarser one, plus this one's map, enlarged to `size`."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array | None, own: Float[Array, "B h w F"], *, size: tuple[int, int]) -> Array:
        if x is not None:
            own = x + Residual(self.dtype, name="first")(own)
        y = Residual(self.dtype, name="second")(own)
        # published the other way round, which is the same: weights of a resize add up to 1; here it is a quarter of it
        y = Conv(y.shape[-1], kernel=1, dtype=self.dtype, name="project")(y)
        return resize_bilinear_corners(y, size)


class Disparity(nn.Module):
    """One number a pixel of the image, before the function that bounds it."""

    hidden: int
    bias: float | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B h w F"], size: tuple[int, int]) -> Float[Array, "B H W 1"]:
        x = Conv(x.shape[-1] // 2, dtype=self.dtype, name="conv1")(x)
        x = resize_bilinear_corners(x, size)
        x = nn.relu(Conv(self.hidden, dtype=self.dtype, name="conv2")(x))
        return at_least_float32(Conv(1, kernel=1, bias_start=self.bias, dtype=self.dtype, name="conv3")(x))


def relative(x: Float[Array, "B H W 1"]) -> Float[Array, "B H W 1"]:
    """max(x, 0) over its maximum in each image: Depth Anything's disparities have no unit, only order and ratios."""
    positive = nn.relu(x)
    top = positive.max((1, 2, 3), keepdims=True)
    return positive / jnp.where(top > 0, top, 1)


OUTPUTS = {"sigmoid": jax.nn.sigmoid, "relative": relative}


class DPT(nn.Module):
    """Features of five levels and, with `heads`, a disparity of the image's size from an encoder's last four maps.

    Level i (4 coarse to 1) is the i-th fusion's result, of twice its map's resolution; level 0 is level 1. The
    disparity is in [0,1]; `output` says how: "sigmoid", to learn depth from video, or `relative`, as Depth Anything.
    `strides` and `tokens` are what the encoder declares. With `remat` a level's inside is computed again going back.
    """

    strides: tuple[int, ...]
    tokens: bool
    features: int = 64
    reassembled: tuple[int, ...] = (48, 96, 192, 384)
    hidden: int = 32
    output: str = "sigmoid"
    heads: bool = True
    disparity_bias: float | None = None
    dtype: Any = None
    remat: bool = False

    def setup(self):
        factors = FACTORS if self.tokens else (1,) * MAPS
        pairs = zip(self.reassembled, factors, strict=True)
        self.reassemble = [Reassemble(between, self.features, factor, self.dtype) for between, factor in pairs]
        self.fusion = [Fusion(self.dtype) for _ in range(MAPS)]
        if self.heads:
            self.disparity = Disparity(self.hidden, self.disparity_bias, self.dtype)

    def image_size(self, maps: Sequence[Array]) -> tuple[int, int]:
        """(height, width) of the image that the maps are of."""
        return self.strides[0] * maps[0].shape[1], self.strides[0] * maps[0].shape[2]

    @property
    def least(self) -> int:
        """The smallest height and width of an image, in pixels."""
        return self.strides[-1]

    def decode(
        self, x: Array | None, maps: Sequence[Array], levels: Iterable[int], *, train: bool, dropout: bool
    ) -> list[Array]:
        """The layers (map, result) of consecutive `levels` (coarse to fine) from the result `x` of the one before."""
        maps, layers = maps[-MAPS:], []
        for level in levels:
            if level == 0:
                layers += [x, x]
                continue
            own = self.reassemble[level - 1](maps[level - 1])
            before = None if level == LEVELS[0] else x
            x = run(self.fusion[level - 1], before, own, remat=self.remat, size=self._size(maps, level - 1))
            layers += [own, x]
        return layers

    def _size(self, maps: Sequence[Array], level: int) -> tuple[int, int]:
        """(height, width) of a level's map after reassembling; of level 0, twice that of level 1."""
        if level == 0:
            height, width = self._size(maps, 1)
            return 2 * height, 2 * width
        height, width = maps[level - 1].shape[1:3]
        factor = FACTORS[level - 1] if self.tokens else 1
        return (factor * height, factor * width) if factor > 0 else (-(height // factor), -(width // factor))

    def __call__(
        self, maps: Sequence[Float[Array, "B h w c"]], *, train: bool = False, dropout: bool | None = None
    ) -> Decoded:
        """`maps` are the encoder's, shallow to deep. There is no dropout."""
        decoded = Decoded(tuple(self.decode(None, maps, LEVELS, train=train, dropout=False)))
        return decoded.replace(disparity=self.disparities(decoded)) if self.heads else decoded

    def disparities(self, decoded: Decoded) -> tuple[Float[Array, "B H W 1"], ...]:
        """The disparity, at the image's size."""
        return (choose(OUTPUTS, self.output, "model.decoder_options.output")(self.unbounded(decoded)),)

    def unbounded(self, decoded: Decoded) -> Float[Array, "B H W 1"]:
        """What `output` bounds."""
        finest = decoded.level(0)
        stride, enlarged = (self.strides[-1], 2 * FACTORS[0]) if self.tokens else (self.strides[-MAPS], 2)
        return self.disparity(finest, tuple(stride * side // enlarged for side in finest.shape[1:3]))
