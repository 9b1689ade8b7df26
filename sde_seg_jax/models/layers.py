"""Convolutions as PyTorch computes them: symmetric padding, zeros or reflection. NHWC, kernels HWIO."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.models.batch_norm import BatchNorm
from sde_seg_jax.models.convolution import convolve
from sde_seg_jax.models.init import Initial, torch_default
from sde_seg_jax.models.padding import reflect, zeros


@jax.custom_vjp
def elu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x where positive, else e^x - 1; its gradient keeps `x` alone (differentiated as it stands, e^x as well)."""
    return jnp.where(x > 0, x, jnp.expm1(jnp.minimum(x, 0)))


def _elu_backward(x, dy):
    return (jnp.where(x > 0, dy, dy * jnp.exp(jnp.minimum(x, 0))),)


elu.defvjp(lambda x: (elu(x), x), _elu_backward)


class Conv(nn.Module):
    """A square convolution that keeps the size (divided by `stride`), padded alike on all sides: `convolve`."""

    features: int
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    use_bias: bool = True
    pad: Callable = zeros
    start: Callable = torch_default  # kernel shape -> Initial of the kernel, and of the bias
    bias_start: float | None = None  # a constant initial bias instead
    dtype: Any = None  # compute dtype; None: the input's

    def initial(self, channels: int) -> dict[str, Initial]:
        """How the parameters start for inputs with so many channels."""
        weights = self.start(self._kernel_shape(channels))
        bias = weights if self.bias_start is None else Initial("constant", self.bias_start)
        return {"kernel": weights, "bias": bias} if self.use_bias else {"kernel": weights}

    def _kernel_shape(self, channels: int) -> tuple[int, int, int, int]:
        return (self.kernel, self.kernel, channels, self.features)

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w F"]:
        initial = self.initial(x.shape[-1])
        kernel = self.param("kernel", initial["kernel"], self._kernel_shape(x.shape[-1]))
        dtype = self.dtype or x.dtype
        y = convolve(x.astype(dtype), kernel.astype(dtype), stride=self.stride, dilation=self.dilation, pad=self.pad)
        if not self.use_bias:
            return y
        bias = self.param("bias", initial["bias"], (self.features,))
        return y + bias.astype(dtype).reshape(1, 1, 1, -1)


class ConvBlock(nn.Module):
    """Reflection-padded 3x3 convolution, batch norm if asked for, ELU: the decoders' unit."""

    features: int
    batch_norm: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool) -> Float[Array, "B H W F"]:
        x = Conv(self.features, pad=reflect, dtype=self.dtype, name="conv")(x)
        if self.batch_norm:
            x = BatchNorm(name="norm")(x, train=train)
        return elu(x)


class ConvNormRelu(nn.Module):
    """Convolution, batch norm, ReLU: the unit of ASPP and of the segmentation head."""

    features: int
    kernel: int = 3
    dilation: int = 1
    use_bias: bool = False  # batch norm removes a bias; only the published skip projection has one
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool) -> Float[Array, "B H W F"]:
        x = Conv(self.features, self.kernel, 1, self.dilation, self.use_bias, dtype=self.dtype, name="conv")(x)
        return nn.relu(BatchNorm(name="norm")(x, train=train))
