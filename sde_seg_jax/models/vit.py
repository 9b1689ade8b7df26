"""Vision transformers: DINOv2 (Oquab et al. 2024), with and without registers (Darcet et al. 2024), and DINOv3.

S, B and L with layer scale, and DINOv2's giant G, whose blocks have SwiGLU. DINOv2: patches of 14 pixels, position
embeddings of 37 x 37 patches that are resized to any image. DINOv3 (Simeoni et al. 2025): patches of 16 pixels,
registers, rotary positions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.bounds import Count, Dropout, NotNegative
from sde_seg_jax.models.imagenet import normalised
from sde_seg_jax.models.init import Initial
from sde_seg_jax.models.positions import resized_positions
from sde_seg_jax.models.precision import at_least_float32, compute_dtype
from sde_seg_jax.models.remat import run
from sde_seg_jax.models.rotary import rotation
from sde_seg_jax.models.transformer import (
    EPSILON,
    IMPLEMENTATIONS,
    NORMAL,
    Block,
    LayerNorm,
    Patches,
    gelu_layers,
    swiglu_layers,
)
from sde_seg_jax.models.vit_names import NAMES as NAMES

GRID = 37  # patches of a side that DINOv2's position embeddings are for (518 pixels)
HEAD = 64  # channels of an attention head: `width`
MAPS = 4  # blocks whose tokens are returned


@dataclasses.dataclass(frozen=True)
class Family:
    """What the sizes of one kind have in common.

    patch: pixels of a side. registers: tokens that belong to no patch, beside the class token. rotary: positions turn
    queries and keys, instead of being added. epsilon: of layer norm.
    """

    patch: int
    registers: int
    rotary: bool = False
    epsilon: float = EPSILON


@dataclasses.dataclass(frozen=True)
class Size:
    """Blocks, attention heads, the blocks whose tokens decoders read, and what follows attention in a block."""

    family: Family
    blocks: int
    heads: int
    layers: tuple[int, ...]
    feed: Callable = gelu_layers


_QUARTERS = (2, 5, 8, 11)
_SIZES = {"s": (12, 6, _QUARTERS), "b": (12, 12, _QUARTERS), "l": (24, 16, (4, 11, 17, 23))}
_GIANT = {"g": (40, 24, (9, 19, 29, 39), swiglu_layers)}  # of DINOv2 alone
_FAMILIES = {
    "dinov2_vit{}14": Family(14, 0),
    "dinov2_vit{}14_reg": Family(14, 4),
    "dinov3_vit{}16": Family(16, 4, rotary=True, epsilon=1e-5),
}
ENCODERS = {
    name.format(letter): Size(family, *size)
    for name, family in _FAMILIES.items()
    for letter, size in (_SIZES if family.rotary else _SIZES | _GIANT).items()
}


class ViT(nn.Module):
    """Token maps of four blocks of an image batch in [0,1], shallow to deep, normalised; see `channels`, `strides`.

    `size.layers` are those blocks' numbers. `grid` is the side, in patches, that positions are stored for, and
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

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the maps."""
        return (self.size.heads * self.width,) * len(self.size.layers)

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per pixel of the maps."""
        return (self.size.family.patch,) * len(self.size.layers)

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters that belong to no layer start."""
        return dict.fromkeys(("cls_token", "pos_embed", "register_tokens"), NORMAL)

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3n"], *, train: bool = False) -> tuple[Array, ...]:
        family, channels, grid = self.size.family, self.channels[0], self._patches(image)
        x = Patches(channels, family.patch, self.dtype, name="patch_embed")(normalised(image))
        x = x.reshape(x.shape[0], -1, channels)
        front = [self.param("cls_token", NORMAL, (1, 1, channels))]
        turn = None
        if family.rotary:
            turn = jnp.asarray(rotation(grid, self.width), at_least_float32(x).dtype)
        else:
            positions = self._positions(self.param("pos_embed", NORMAL, (1, 1 + self.grid**2, channels)), grid)
            front, x = [front[0] + positions[:, :1]], x + positions[:, 1:].astype(x.dtype)
        if family.registers:
            front.append(self.param("register_tokens", NORMAL, (1, family.registers, channels)))
        front = [jnp.broadcast_to(token.astype(x.dtype), (x.shape[0], *token.shape[1:])) for token in front]
        x = jnp.concatenate([*front, x], axis=1)
        norm, maps, drop = LayerNorm(family.epsilon, name="norm"), [], train and self.has_rng("dropout")
        for number in range(self.size.blocks):
            rate = self.drop_path * number / max(self.size.blocks - 1, 1)
            options = (self.size.heads, rate, self.implementation, self.dtype, family.epsilon)
            x = run(Block(*options, feed=self.size.feed, name=f"block_{number}"), x, turn, remat=self.remat, drop=drop)
            if number in self.size.layers:
                maps.append(norm(x)[:, 1 + family.registers :].reshape(x.shape[0], *grid, channels))
        return tuple(maps)

    def _positions(self, stored: Float[Array, "1 1+GG C"], grid: tuple[int, int]) -> Float[Array, "1 1+hw C"]:
        antialias = self.size.family.registers > 0  # as both kinds were trained
        offset = 0.0 if antialias else self.position_offset
        return resized_positions(stored, grid, antialias=antialias, offset=offset)

    def _patches(self, image: Array) -> tuple[int, int]:
        """Patches in height and width of an image that fits."""
        if image.shape[-1] != 3 * self.num_images:
            raise ValueError(f"image has {image.shape[-1]} channels, expected 3 x num_images = {3 * self.num_images}")
        (height, width), patch = image.shape[1:3], self.size.family.patch
        if height % patch or width % patch:
            raise ValueError(f"image of {height}x{width} is not whole patches of {patch}x{patch}; crop or resize it")
        return height // patch, width // patch


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
