"""The parts of a vision transformer (Dosovitskiy et al. 2021): attention and two dense layers over tokens [B,N,C]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.init import ONES, ZEROS, Initial
from sde_seg_jax.models.precision import at_least_float32
from sde_seg_jax.models.rotary import rotated

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
    """(x - mean) / sqrt(var + epsilon) * scale + bias over the channels of each position, in float32 at least."""

    epsilon: float = EPSILON

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        return {"scale": ONES, "bias": ZEROS}

    @nn.compact
    def __call__(self, x: Float[Array, "... C"]) -> Float[Array, "... C"]:
        vectors = (self.param(name, rule, (x.shape[-1],)) for name, rule in self.initial(0).items())
        scale, bias = (vector.reshape((1,) * (x.ndim - 1) + (-1,)) for vector in vectors)
        wide = at_least_float32(x)
        centred = wide - wide.mean(-1, keepdims=True)
        normal = centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + self.epsilon)
        return (normal * scale + bias).astype(x.dtype)


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


def dropped(module: nn.Module, y: Float[Array, "B ..."], rate: float) -> Float[Array, "B ..."]:
    """Each sample of `y` zero with probability `rate`, else divided by 1 - rate (stochastic depth, Huang et al. 2016).

    A rate above 0 needs the random stream "dropout" of `module`.
    """
    if not rate:
        return y
    kept = jax.random.bernoulli(module.make_rng("dropout"), 1 - rate, (len(y), *(1,) * (y.ndim - 1)))
    return jnp.where(kept, y / (1 - rate), 0)


class Patches(nn.Module):
    """Each patch of `size` x `size` pixels in `features` channels: a convolution whose stride is its size."""

    features: int
    size: int
    dtype: Any = None

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start."""
        return {"kernel": NORMAL, "bias": ZEROS}

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w F"]:
        batch, height, width, channels = x.shape
        size, dtype = self.size, self.dtype or x.dtype
        kernel = self.param("kernel", NORMAL, (size, size, channels, self.features))
        bias = self.param("bias", ZEROS, (self.features,))
        x = x.astype(dtype).reshape(batch, height // size, size, width // size, size, channels)
        y = jnp.einsum("bhrwsc,rscf->bhwf", x, kernel.astype(dtype))
        return y + bias.astype(dtype).reshape(1, 1, 1, -1)


def gelu_layers(x: Float[Array, "B N C"], expansion: int, dtype: Any) -> Float[Array, "B N C"]:
    """Two dense layers with GELU between them: "fc1" and "fc2" of the module that calls this."""
    channels = x.shape[-1]
    y = Dense(expansion * channels, dtype, name="fc1")(x)
    return Dense(channels, dtype, name="fc2")(jax.nn.gelu(y, approximate=False))


def swiglu_layers(x: Float[Array, "B N C"], expansion: int, dtype: Any) -> Float[Array, "B N C"]:
    """(silu(x W1) * x W2) W3, biases apart (Shazeer 2020): "w12", both first layers as one, and "w3".

    Two thirds as wide as `gelu_layers`, rounded up to eights, so that there are about as many parameters.
    """
    channels = x.shape[-1]
    width = (int(expansion * channels * 2 / 3) + 7) // 8 * 8
    gate, y = jnp.split(Dense(2 * width, dtype, name="w12")(x), 2, axis=-1)
    return Dense(channels, dtype, name="w3")(jax.nn.silu(gate) * y)


class Block(nn.Module):
    """Attention, then the layers of `feed`, each on normalised tokens, scaled and added.

    Where `drop` of the call is true, each of the two is `dropped` at the rate `drop_path`. Queries and keys are turned
    by `turn`, if there is one (`rotary.rotation`).
    """

    heads: int
    drop_path: float = 0.0
    implementation: str | None = None
    dtype: Any = None
    epsilon: float = EPSILON
    expansion: int = 4
    feed: Callable = gelu_layers

    @nn.compact
    def __call__(
        self, x: Float[Array, "B N C"], turn: Float[Array, "2 P c"] | None = None, *, drop: bool
    ) -> Float[Array, "B N C"]:
        batch, count, channels = x.shape
        y = Dense(3 * channels, self.dtype, name="qkv")(LayerNorm(self.epsilon, name="norm1")(x))
        parts = y.reshape(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = (parts[:, :, index] for index in range(3))
        if turn is not None:
            query, key = rotated(query, turn), rotated(key, turn)
        y = attend(query, key, value, self.implementation).reshape(x.shape)
        y = LayerScale(name="ls1")(Dense(channels, self.dtype, name="proj")(y))
        x = x + dropped(self, y, self.drop_path if drop else 0)
        y = self.feed(LayerNorm(self.epsilon, name="norm2")(x), self.expansion, self.dtype)
        return x + dropped(self, LayerScale(name="ls2")(y), self.drop_path if drop else 0)
