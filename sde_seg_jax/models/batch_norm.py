"""Batch normalisation with PyTorch's running statistics."""

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models.init import ONES, ZEROS, Initial
from sde_seg_jax.models.precision import at_least_float32

MOMENTUM = 0.1  # weight of the new batch in the running statistics
EPSILON = 1e-5


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
        wide = at_least_float32(x)
        mean, var = running_mean.value, running_var.value
        count = x.size // channels
        if train:
            batch_mean = wide.mean(axis=tuple(range(x.ndim - 1)))
            batch_var = jnp.square(wide - _as(batch_mean, x.ndim)).mean(axis=tuple(range(x.ndim - 1)))
            if self.is_mutable_collection("batch_stats") and not self.is_initializing():
                running_mean.value = _moved(mean, batch_mean)
                if count > 1:
                    running_var.value = _moved(var, batch_var * (count / (count - 1)))
            if count > 1:
                mean, var = batch_mean, batch_var
        gain = scale * lax.rsqrt(var + EPSILON)
        normal = (wide - _as(mean, x.ndim)) * _as(gain, x.ndim) + _as(bias, x.ndim)
        return normal.astype(x.dtype)


def _as(vector, ndim: int):
    """A channel vector with leading axes of length one."""
    return vector.reshape((1,) * (ndim - 1) + (-1,))


def _moved(running, batch):
    """The running average after one more batch; no gradient flows into it."""
    return (1 - MOMENTUM) * running + MOMENTUM * lax.stop_gradient(batch).astype(running.dtype)
