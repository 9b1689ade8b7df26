"""Convolution without dilation, each direction in the form that is fast on the device that runs it."""

import functools
from collections.abc import Callable

import jax
from jax import lax
from jaxtyping import Array, Float

from sde_seg_jax.models import cpu_forms
from sde_seg_jax.models.padding import zeros


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolution(
    x: Float[Array, "B H W I"], kernel: Float[Array, "k k I O"], stride: int, margin: int
) -> Float[Array, "B h w O"]:
    """y[h,w] = sum_ij x[h stride + i - margin, w stride + j - margin] K[i,j], zero outside of `x`.

    Accelerators run what XLA makes of it and of its derivatives; a CPU, by `cpu_forms`, those of 1x1 pixel and all
    gradients to kernels as products. The numbers are the same up to the order of their sums.
    """
    by_xla, on_cpu = _forms(len(kernel), stride, margin)
    return by_xla(x, kernel) if on_cpu is by_xla else lax.platform_dependent(x, kernel, cpu=on_cpu, default=by_xla)


def _forms(taps: int, stride: int, margin: int) -> tuple[Callable, Callable]:
    """(x, kernel) -> y, as XLA has it, and as it is on a CPU."""
    by_xla = functools.partial(_by_xla, stride, margin)
    return by_xla, functools.partial(cpu_forms.pointwise, stride) if taps == 1 else by_xla


def _by_xla(stride: int, margin: int, x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), [(margin, margin)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _backward(stride: int, margin: int, kept, dy):
    x, kernel = kept
    taps = len(kernel)
    by_xla, on_cpu = _forms(taps, stride, margin)

    def to_input(form, kernel, dy):
        return jax.linear_transpose(lambda x: form(x, kernel), x)(dy)[0]

    def to_kernel(x, dy):
        return jax.linear_transpose(lambda kernel: by_xla(x, kernel), kernel)(dy)[0]

    def to_kernel_on_cpu(x, dy):
        x, dy = lax.optimization_barrier((x, dy))  # or what made them is computed again in every copy
        return cpu_forms.kernel_gradient(zeros(x, margin) if margin else x, dy, taps, stride)

    dx = to_input(by_xla, kernel, dy)
    if on_cpu is not by_xla:
        dx = lax.platform_dependent(
            kernel, dy, cpu=functools.partial(to_input, on_cpu), default=functools.partial(to_input, by_xla)
        )
    return dx, lax.platform_dependent(x, dy, cpu=to_kernel_on_cpu, default=to_kernel)


convolution.defvjp(lambda x, kernel, *options: (convolution(x, kernel, *options), (x, kernel)), _backward)
