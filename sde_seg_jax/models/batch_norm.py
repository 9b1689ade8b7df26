"""Batch normalisation with PyTorch's running statistics, and a gradient that keeps no wide copy of the input."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.init import ONES, ZEROS, Initial
from sde_seg_jax.models.precision import at_least_float32

MOMENTUM = 0.1  # weight of the new batch in the running statistics
EPSILON = 1e-5
FEW = 256  # values per channel


@jax.custom_vjp
def normalize(
    x: Float[Array, "... C"], scale: Float[Array, "C"], bias: Float[Array, "C"], near: Float[Array, "C"]
) -> tuple[Float[Array, "... C"], Float[Array, "C"], Float[Array, "C"]]:
    """(`(x - mean) / sqrt(var + 1e-5) * scale + bias`, mean, biased variance) per channel, over all other axes.

    Statistics in float32 (float64 for float64). `near` is a guess of the mean, as the running one, that spares a second
    pass over `x`: var = E[(x - near)^2] - (E[x] - near)^2, with 1 + (mean - near)^2 / var times the rounding error. FEW
    values or less are read twice instead: those of image pooling vary little about a mean that is far from 0, where the
    running one starts. No gradient flows through the returned mean and variance, nor to `near`.
    """
    mean, var = _statistics(x, near)
    return _affine(x, mean, scale * lax.rsqrt(var + EPSILON), bias), mean, var


def _normalize_forward(x, scale, bias, near):
    y, mean, var = normalize(x, scale, bias, near)
    # Differentiated as it stands, x - mean would be kept too, in float32 even where x is bfloat16.
    return (y, mean, var), (x, scale, mean, var)


def _normalize_backward(kept, gradients):
    """dx = scale r (dy - E[dy] - n E[dy n]), n = (x - mean) r the normalised input, r = 1 / sqrt(var + 1e-5)."""
    x, scale, mean, var = kept
    dy = at_least_float32(gradients[0])
    rate, axes, ndim = lax.rsqrt(var + EPSILON), tuple(range(x.ndim - 1)), x.ndim
    normal = (at_least_float32(x) - _as(mean, ndim)) * _as(rate, ndim)
    dbias, dscale = dy.sum(axes), (dy * normal).sum(axes)
    count = x.size // x.shape[-1]
    dx = _as(scale * rate, ndim) * (dy - _as(dbias / count, ndim) - normal * _as(dscale / count, ndim))
    return dx.astype(x.dtype), dscale, dbias, jnp.zeros_like(mean)


normalize.defvjp(_normalize_forward, _normalize_backward)


def _statistics(x, near):
    """Mean and biased variance per channel."""
    wide, axes = at_least_float32(x), tuple(range(x.ndim - 1))
    if x.size <= FEW * x.shape[-1]:
        mean = wide.mean(axes)
        return mean, jnp.square(wide - _as(mean, x.ndim)).mean(axes)
    offset = wide - _as(near, x.ndim)
    shift = offset.mean(axes)
    return near + shift, jnp.maximum(jnp.square(offset).mean(axes) - jnp.square(shift), 0)


def _affine(x, mean, gain, bias):
    """`(x - mean) * gain + bias` per channel, computed in float32 at least, in the dtype of `x`."""
    return ((at_least_float32(x) - _as(mean, x.ndim)) * _as(gain, x.ndim) + _as(bias, x.ndim)).astype(x.dtype)


class BatchNorm(nn.Module):
    """`(x - mean) / sqrt(var + 1e-5) * scale + bias` per channel, over all other axes.

    `train=True` normalises with the batch's mean and biased variance and, where the collection `batch_stats`
    is mutable, moves `mean` and `var` by 0.1 towards the batch's mean and UNBIASED variance (as PyTorch;
    flax's own layer stores the biased one). `train=False` normalises with the running statistics. Statistics
    and the normalisation are float32 (float64 for float64 input); the result has the dtype of `x`.

    With one value per channel (image pooling of a single image) a batch has no variance. PyTorch refuses;
    here the running statistics normalise then, the running mean still moves, and the running variance stays.
    """

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
            y, batch_mean, batch_var = normalize(x, scale, bias, mean.astype(at_least_float32(x).dtype))
        else:
            y = _affine(x, mean, scale * lax.rsqrt(var + EPSILON), bias)
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
