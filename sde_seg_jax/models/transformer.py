"""The parts of a vision transformer (Dosovitskiy et al. 2021): attention and two dense layers over tokens [B,N,C]."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.init import ONES, ZEROS, Initial
from sde_seg_jax.models.precision import at_least_float32

EPSILON = 1e-6  # of layer norm
NORMAL = Initial("normal", 0.02)  # how all dense layers and embeddings start
IMPLEMENTATIONS = ("xla", "cudnn")


class Dense(nn.Module):
    """x @ kernel + bias over the last axis."""

    features: int
    dtype: Any = None  # compute dtype; None: the input's

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        return {"kernel": NORMAL, "bias": ZEROS}

    @nn.compact
    def __call__(self, x: Float[Array, "... C"]) -> Float[Array, "... F"]:
        kernel = self.param("kernel", NORMAL, (x.shape[-1], self.features))
        bias = self.param("bias", ZEROS, (self.features,))
        dtype = self.dtype or x.dtype
        y = jnp.einsum("...i,io->...o", x.astype(dtype), kernel.astype(dtype))
        return y + lax.broadcast_in_dim(bias.astype(dtype), y.shape, (y.ndim - 1,))


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(var + epsilon) * scale + bias over the channels of each token, in float32 at least."""

    epsilon: float = EPSILON

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        return {"scale": ONES, "bias": ZEROS}

    @nn.compact
    def __call__(self, x: Float[Array, "B N C"]) -> Float[Array, "B N C"]:
        scale, bias = (self.param(name, rule, (x.shape[-1],)) for name, rule in self.initial(0).items())
        wide = at_least_float32(x)
        centred = wide - wide.mean(-1, keepdims=True)
        normal = centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + self.epsilon)
        return (normal * scale.reshape(1, 1, -1) + bias.reshape(1, 1, -1)).astype(x.dtype)


class LayerScale(nn.Module):
    """x * gamma, a factor for each channel (Touvron et al. 2021)."""

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the factors start: as DINOv2's."""
        return {"gamma": ONES}

    @nn.compact
    def __call__(self, x: Float[Array, "B N C"]) -> Float[Array, "B N C"]:
        return x * self.param("gamma", ONES, (x.shape[-1],)).astype(x.dtype).reshape(1, 1, -1)


def attend(
    query: Float[Array, "B N h c"],
    key: Float[Array, "B N h c"],
    value: Float[Array, "B N h c"],
    implementation: str | None = None,
) -> Float[Array, "B N h c"]:
    """softmax(q k / sqrt(c)) v of each head.

    `implementation` is that of `jax.nn.dot_product_attention`: "xla", or "cudnn", which never holds the N x N
    matrix (NVIDIA GPUs, bfloat16). That function's softmax is float32 always; float64 is computed as it is written.
    """
    if query.dtype != jnp.float64:
        with jax.numpy_dtype_promotion("standard"):  # it relies on implicit promotion
            return jax.nn.dot_product_attention(query, key, value, implementation=implementation)
    logits = jnp.einsum("bnhc,bmhc->bhnm", query, key) / math.sqrt(query.shape[-1])
    return jnp.einsum("bhnm,bmhc->bnhc", jax.nn.softmax(logits, axis=-1), value)


class Block(nn.Module):
    """Attention, then two dense layers with GELU, each on normalised tokens, scaled and added.

    Where `drop` of the call is true, a sample keeps each of the two with probability 1 - `drop_path` (stochastic depth,
    Huang et al. 2016); that needs the random stream "dropout".
    """

    heads: int
    drop_path: float = 0.0
    implementation: str | None = None
    dtype: Any = None
    expansion: int = 4

    @nn.compact
    def __call__(self, x: Float[Array, "B N C"], *, drop: bool) -> Float[Array, "B N C"]:
        batch, count, channels = x.shape
        y = Dense(3 * channels, self.dtype, name="qkv")(LayerNorm(name="norm1")(x))
        parts = y.reshape(batch, count, 3, self.heads, channels // self.heads)
        y = attend(parts[:, :, 0], parts[:, :, 1], parts[:, :, 2], self.implementation).reshape(x.shape)
        y = LayerScale(name="ls1")(Dense(channels, self.dtype, name="proj")(y))
        x = x + self._dropped(y, drop)
        y = Dense(self.expansion * channels, self.dtype, name="fc1")(LayerNorm(name="norm2")(x))
        y = Dense(channels, self.dtype, name="fc2")(jax.nn.gelu(y, approximate=False))
        return x + self._dropped(LayerScale(name="ls2")(y), drop)

    def _dropped(self, y: Array, drop: bool) -> Array:
        if not drop or not self.drop_path:
            return y
        keep = 1 - self.drop_path
        kept = jax.random.bernoulli(self.make_rng("dropout"), keep, (y.shape[0], 1, 1))
        return jnp.where(kept, y / keep, 0)
