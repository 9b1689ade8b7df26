"""Vision transformers as DINOv2 trains them (Oquab et al. 2024), with and without registers (Darcet et al. 2024).

S, B and L: patches of 14 pixels, layer scale, position embeddings of 37 x 37 patches that are resized to any image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.bounds import Count, Dropout, NotNegative
from sde_seg_jax.models.init import ZEROS, Initial
from sde_seg_jax.models.positions import resized_positions
from sde_seg_jax.models.precision import compute_dtype
from sde_seg_jax.models.remat import run
from sde_seg_jax.models.transformer import IMPLEMENTATIONS, NORMAL, Block, LayerNorm
from sde_seg_jax.models.vit_names import NAMES as NAMES

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet: input normalisation by channel
PATCH = 14  # pixels
GRID = 37  # patches of a side that the published position embeddings are for (518 pixels)
HEAD = 64  # channels of an attention head: `width`
MAPS = 4  # blocks whose tokens are returned


@dataclasses.dataclass(frozen=True)
class Size:
    """blocks, attention heads, tokens that only remember ("registers"), and the blocks whose tokens decoders read."""

    blocks: int
    heads: int
    registers: int
    layers: tuple[int, ...]


_QUARTERS = (2, 5, 8, 11)
_SIZES = {"s": (12, 6, _QUARTERS), "b": (12, 12, _QUARTERS), "l": (24, 16, (4, 11, 17, 23))}
ENCODERS = {
    f"dinov2_vit{letter}{PATCH}{ending}": Size(blocks, heads, registers, layers)
    for letter, (blocks, heads, layers) in _SIZES.items()
    for ending, registers in (("", 0), ("_reg", 4))
}


class PatchEmbed(nn.Module):
    """Each patch of `patch` x `patch` pixels as a token: a convolution whose stride is its size."""

    features: int
    patch: int
    dtype: Any = None

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        return {"kernel": NORMAL, "bias": ZEROS}

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h*w F"]:
        batch, height, width, channels = x.shape
        kernel = self.param("kernel", NORMAL, (self.patch, self.patch, channels, self.features))
        bias = self.param("bias", ZEROS, (self.features,))
        dtype = self.dtype or x.dtype
        rows, columns = height // self.patch, width // self.patch
        x = x.astype(dtype).reshape(batch, rows, self.patch, columns, self.patch, channels)
        y = jnp.einsum("bhrwsc,rscf->bhwf", x, kernel.astype(dtype))
        return y.reshape(batch, rows * columns, -1) + bias.astype(dtype).reshape(1, 1, -1)


class ViT(nn.Module):
    """Token maps of four blocks of an image batch in [0,1], shallow to deep, normalised; see `channels`, `strides`.

    `layers` are those blocks' numbers. `grid` is the side, in patches, that the position embeddings are stored for, and
    `position_offset` as in `positions.resized_positions`. With `remat` a block's inside is computed again in the
    backward pass. In training with the random stream "dropout" block i of n is dropped at the rate `drop_path` i/(n-1).
    """

    size: Size
    width: int = HEAD
    grid: int = GRID
    drop_path: float = 0.0
    implementation: str | None = None
    position_offset: float = 0.0
    num_images: int = 1
    dtype: Any = None
    remat: bool = False

    tokens = True
    multiple = PATCH

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the maps."""
        return (self.size.heads * self.width,) * len(self.size.layers)

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per pixel of the maps."""
        return (PATCH,) * len(self.size.layers)

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters that belong to no layer start."""
        return dict.fromkeys(("cls_token", "pos_embed", "register_tokens"), NORMAL)

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3n"], *, train: bool = False) -> tuple[Array, ...]:
        height, width = self._patches(image)
        x, channels = self._normalised(image), self.channels[0]
        x = PatchEmbed(channels, PATCH, self.dtype, name="patch_embed")(x)
        first = [self.param("cls_token", NORMAL, (1, 1, channels))]
        positions = self.param("pos_embed", NORMAL, (1, 1 + self.grid**2, channels))
        antialias = self.size.registers > 0  # as both were trained
        offset = 0.0 if antialias else self.position_offset
        positions = resized_positions(positions, (height, width), antialias=antialias, offset=offset)
        first[0] = first[0] + positions[:, :1]
        if self.size.registers:
            first.append(self.param("register_tokens", NORMAL, (1, self.size.registers, channels)))
        several = [jnp.broadcast_to(token.astype(x.dtype), (len(x), *token.shape[1:])) for token in first]
        x = jnp.concatenate([*several, x + positions[:, 1:].astype(x.dtype)], axis=1)
        norm, maps, drop = LayerNorm(name="norm"), [], train and self.has_rng("dropout")
        for number in range(self.size.blocks):
            rate = self.drop_path * number / max(self.size.blocks - 1, 1)
            block = Block(self.size.heads, rate, self.implementation, self.dtype, name=f"block_{number}")
            x = run(block, x, remat=self.remat, drop=drop)
            if number in self.size.layers:
                maps.append(norm(x)[:, 1 + self.size.registers :].reshape(len(x), height, width, channels))
        return tuple(maps)

    def _patches(self, image: Array) -> tuple[int, int]:
        """Patches in height and width of an image that fits."""
        if image.shape[-1] != 3 * self.num_images:
            raise ValueError(f"image has {image.shape[-1]} channels, expected 3 x num_images = {3 * self.num_images}")
        height, width = image.shape[1:3]
        if height % PATCH or width % PATCH:
            raise ValueError(f"image of {height}x{width} is not whole patches of {PATCH}x{PATCH}; crop or resize it")
        return height // PATCH, width // PATCH

    def _normalised(self, image: Array) -> Array:
        mean, std = (jnp.tile(jnp.asarray(v, image.dtype), self.num_images).reshape(1, 1, 1, -1) for v in (MEAN, STD))
        return (image - mean) / std


def make_encoder(
    name: str,
    *,
    width: int = HEAD,
    num_images: int = 1,
    dtype: str | None = None,
    remat: bool = False,
    blocks: Count | None = None,
    layers: Sequence[int] | None = None,
    grid: Count = GRID,
    drop_path: Dropout = 0.0,
    implementation: str | None = None,
    position_offset: NotNegative = 0.0,
) -> ViT:
    """One of `ENCODERS`; `width` is the channels of an attention head (64 as published, 8 for quick runs).

    `num_images` images come stacked on the channel axis. `blocks`: another depth than published. `layers`: numbers of
    the four blocks whose tokens are returned (published: quarters). `implementation` of the attention: "xla" or
    "cudnn". Others as in `ViT`. Raises ValueError for blocks that there are not, and for an unknown implementation.
    """
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(f"attention implementation {implementation!r} is unknown; use one of {IMPLEMENTATIONS}")
    size = ENCODERS[name]
    if blocks is not None and blocks != size.blocks:
        size = dataclasses.replace(size, blocks=blocks, layers=tuple((i + 1) * blocks // MAPS - 1 for i in range(MAPS)))
    if layers is not None:
        size = dataclasses.replace(size, layers=tuple(layers))
    if list(size.layers) != sorted({i for i in size.layers if 0 <= i < size.blocks}) or not size.layers:
        raise ValueError(
            f"layers {size.layers} of {name}: expected growing numbers of its blocks, 0 to {size.blocks - 1}"
        )
    options = (grid, drop_path, implementation, position_offset, num_images, compute_dtype(dtype), remat)
    return ViT(size, width, *options)
