"""Batch normalisation with PyTorch's running statistics, and a gradient that keeps no wide copy of the input."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.init import ONES, ZEROS, Initial
from sde_seg_jax.models.precision import at_least_float32

MOMENTUM = 0.1  # weight of the new batch in the running statistics
EPSILON = 1e-5
GRID = 8  # pixels of a side that guess the mean


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalize(
    x: Float[Array, "B ... C"], scale: Float[Array, "C"], bias: Float[Array, "C"], epsilon: float = EPSILON
) -> tuple[Float[Array, "B ... C"], Float[Array, "C"], Float[Array, "C"]]:
    """(`(x - mean) / sqrt(var + epsilon) * scale + bias`, mean, biased variance) per channel, over all other axes.

    Statistics in float32 (float64 for float64), in one pass over `x` about a guess g of the mean, that of a few of its
    own pixels: mean = g + E[x - g], var = E[(x - g)^2] - E[x - g]^2, which costs 1 + (mean - g)^2 / var times the
    rounding error. Without the guess a mean far from 0 would take all digits. No gradient flows through the returned
    mean and variance.
    """
    mean, var = _statistics(x)
    return _affine(x, mean, scale * lax.rsqrt(var + epsilon), bias), mean, var


def _normalize_forward(x, scale, bias, epsilon):
    y, mean, var = normalize(x, scale, bias, epsilon)
    # Differentiated as it stands, x - mean would be kept too, in float32 even where x is bfloat16.
    return (y, mean, var), (x, scale, mean, var)


def _normalize_backward(epsilon, kept, gradients):
    """dx = scale r (dy - E[dy] - n E[dy n]), n = (x - mean) r the normalised input, r = 1 / sqrt(var + epsilon)."""
    x, scale, mean, var = kept
    dy = at_least_float32(gradients[0])
    rate, axes, ndim = lax.rsqrt(var + epsilon), tuple(range(x.ndim - 1)), x.ndim
    normal = (at_least_float32(x) - _as(mean, ndim)) * _as(rate, ndim)
    dbias, dscale = dy.sum(axes), (dy * normal).sum(axes)
    count = x.size // x.shape[-1]
    dx = _as(scale * rate, ndim) * (dy - _as(dbias / count, ndim) - normal * _as(dscale / count, ndim))
    return dx.astype(x.dtype), dscale, dbias


normalize.defvjp(_normalize_forward, _normalize_backward)


def _statistics(x):
    """Mean and biased variance per channel."""
    wide, axes = at_least_float32(x), tuple(range(x.ndim - 1))
    guess = at_least_float32(x[_grid(x.shape)]).mean(axes)
    offset = wide - _as(guess, x.ndim)
    shift = offset.mean(axes)
    return guess + shift, jnp.maximum(jnp.square(offset).mean(axes) - jnp.square(shift), 0)


def _grid(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Pixels spread over each image, GRID in a row or a little more: of few pixels all."""
    steps = [max(1, size // GRID) for size in shape[1:-1]]
    return (slice(None), *(slice(step // 2, None, step) for step in steps), slice(None))


def _affine(x, mean, gain, bias):
    """`(x - mean) * gain + bias` per channel, computed in float32 at least, in the dtype of `x`."""
    return ((at_least_float32(x) - _as(mean, x.ndim)) * _as(gain, x.ndim) + _as(bias, x.ndim)).astype(x.dtype)


class BatchNorm(nn.Module):
    """`(x - mean) / sqrt(var + epsilon) * scale + bias` per channel, over all other axes.

    `train=True` normalises with the batch's mean and biased variance and, where the collection `batch_stats`
    is mutable, moves `mean` and `var` by 0.1 towards the batch's mean and UNBIASED variance (as PyTorch;
    flax's own layer stores the biased one). `train=False` normalises with the running statistics. Statistics
    and the normalisation are float32 (float64 for float64 input); the result has the dtype of `x`.

    With one value per channel (image pooling of a single image) a batch has no variance. PyTorch refuses;
    here the running statistics normalise then, the running mean still moves, and the running variance stays.
    """

    epsilon: float = EPSILON

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters and statistics start."""
        return {"scale": ONES, "bias": ZEROS, "mean": ZEROS, "var": ONES}

    @nn.compact
    def __call__(self, x: Float[Array, "... C"], *, train: bool) -> Float[Array, "... C"]:
        channels = x.shape[-1]
        scale = self.param("scale", ONES, (channels,))
        bias = self.param("bias", ZEROS, (channels,))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,), jnp.float32)
        mean, var = running_mean.value, running_var.value
        count = x.size // channels
        if train and count > 1:
            y, batch_mean, batch_var = normalize(x, scale, bias, self.epsilon)
        else:
            y = _affine(x, mean, scale * lax.rsqrt(var + self.epsilon), bias)
            batch_mean = at_least_float32(x).reshape(-1, channels)[0]
        if train and self.is_mutable_collection("batch_stats") and not self.is_initializing():
            running_mean.value = _moved(mean, batch_mean)
            if count > 1:
                running_var.value = _moved(var, batch_var * (count / (count - 1)))
        return y


def _as(vector, ndim: int):
    """A channel vector with leading axes of length one."""
    return vector.reshape((1,) * (ndim - 1) + (-1,))


def _moved(running, batch):
    """The running average after one more batch; no gradient flows into it."""
    return (1 - MOMENTUM) * running + MOMENTUM * lax.stop_gradient(batch).astype(running.dtype)
