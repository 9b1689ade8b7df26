"""How our side of `kernels.py` is run, and other forms of our kernels that give the same numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sde_seg_jax.geometry.warp import sample_bilinear
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.training import ema
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.types import Variables

LAYOUTS = ("NHWC", "HWIO", "NHWC")
LATE = 1000  # number of an update at which the teacher's decay has its final value


def start(
    function: Callable, mode: str, wrt: Sequence[int], aux: bool, arrays: Sequence[jax.Array]
) -> Callable[[], Any]:
    """A call without arguments that gives the compared results, then others; it doesn't wait for them.

    mode: "forward" gives function(*arrays); "gradient" the gradients to the inputs `wrt`, the last array being the
    cotangent; "both" the output and these gradients; "own" calls what `function(*arrays)` returns. With `aux` the
    function returns (output, more).
    """
    if mode == "own":
        return function(*arrays)
    run = jax.jit(functools.partial(_forward if mode == "forward" else _backward, function, mode, tuple(wrt), aux))
    return lambda: run(*arrays)


def _forward(function, mode, wrt, aux, *arrays):
    del mode, wrt
    found = function(*arrays)
    return found if aux or isinstance(found, tuple) else (found,)


def _backward(function, mode, wrt, aux, *arrays):
    *inputs, cotangent = arrays

    def of(*chosen):
        given = dict(zip(wrt, chosen, strict=True))
        return function(*(given.get(i, x) for i, x in enumerate(inputs)))

    output, back, *more = jax.vjp(of, *(inputs[i] for i in wrt), has_aux=aux)
    return (*((output,) if mode == "both" else ()), *back(cotangent), *more)


def conv(x, kernel, *, stride: int = 1, dilation: int = 1):
    """The package's convolution of [B,H,W,C] with a kernel HWIO."""
    layer = Conv(kernel.shape[-1], kernel.shape[0], stride, dilation, use_bias=False)
    return layer.apply({"params": {"kernel": kernel}}, x)


def conv_plain(x, kernel, *, dilation: int = 1):
    """The convolution of stride 1 as XLA is asked for it directly, its gradients as jax derives them."""
    margin = dilation * (kernel.shape[0] // 2)
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), [(margin, margin)] * 2, rhs_dilation=(dilation, dilation), dimension_numbers=LAYOUTS
    )


def conv_same(x, kernel, *, stride: int):
    """The same convolution with SAME padding, which for stride 2 is at the far sides only: other numbers."""
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUTS)


def conv_space_to_batch(x, kernel, *, dilation: int):
    """The dilated convolution as an undilated one of the dilation^2 interleaved sub-images, exactly.

    Output pixel i reads i - d, i, i + d: neighbors in the sub-image of all pixels with its remainder modulo d. Sides
    that d does not divide are filled up with zeros, which is what lies outside of the image anyway.
    """
    batch, height, width, channels = x.shape
    rows, columns = -(-height // dilation), -(-width // dilation)
    x = jnp.pad(x, ((0, 0), (0, rows * dilation - height), (0, columns * dilation - width), (0, 0)))
    x = x.reshape(batch, rows, dilation, columns, dilation, channels).transpose(0, 2, 4, 1, 3, 5)
    y = conv_plain(x.reshape(-1, rows, columns, channels), kernel)
    y = y.reshape(batch, dilation, dilation, rows, columns, -1).transpose(0, 3, 1, 4, 2, 5)
    return y.reshape(batch, rows * dilation, columns * dilation, -1)[:, :height, :width]


def to_pixels(grid, height: int, width: int):
    """Pixel coordinates (x, y) of grid_sample's, where -1 and 1 are the outermost pixel centres."""
    return (grid + 1) / 2 * jnp.array([width - 1, height - 1], grid.dtype).reshape(1, 1, 1, 2)


def warp(image, grid, *, sample: Callable = sample_bilinear):
    """`image` [B,H,W,C] at the points of `grid` [B,h,w,2] in [-1,1]: our counterpart of F.grid_sample."""
    return sample(image, to_pixels(grid, *image.shape[1:3]))


def sample_flat(image, xy):
    """`sample_bilinear` with one index into the pixels of all images, not one batched gather."""
    (left, top), (wx, wy) = _cells(image, xy)
    batch, height, width, channels = image.shape
    right, bottom = jnp.minimum(left + 1, width - 1), jnp.minimum(top + 1, height - 1)
    index = jnp.stack([row * width + column for row in (top, bottom) for column in (left, right)])
    index = index + (jnp.arange(batch, dtype=index.dtype) * (height * width)).reshape(1, -1, 1, 1)
    return _blend(image.reshape(-1, channels).at[index].get(mode="clip"), wx, wy)


def sample_packed(image, xy, *, flat: bool = False):
    """`sample_bilinear` from an image of 4 C channels, the 2x2 corners of every cell: one index a point."""
    (left, top), (wx, wy) = _cells(image, xy)
    batch, height, width, channels = image.shape
    lower = jnp.concatenate([image[:, 1:], image[:, -1:]], axis=1)
    corners = [c for row in (image, lower) for c in (row, jnp.concatenate([row[:, :, 1:], row[:, :, -1:]], axis=2))]
    packed = jnp.concatenate(corners, axis=-1).reshape(batch, height * width, 4 * channels)
    index = top * width + left
    if flat:
        index = index + (jnp.arange(batch, dtype=index.dtype) * (height * width)).reshape(-1, 1, 1)
        found = packed.reshape(-1, 4 * channels).at[index].get(mode="clip")
    else:
        found = jax.vmap(lambda p, i: p.at[i].get(mode="clip"))(packed, index)
    return _blend(jnp.split(found, 4, axis=-1), wx, wy)


def _cells(image, xy):
    """((left, top), (wx, wy)): a point's cell and its place inside; zero gradient outside of the image."""
    cells, weights = [], []
    for axis, size in enumerate((image.shape[2], image.shape[1])):
        x = xy[..., axis]
        x = jnp.where(x <= 0, 0, jnp.where(x >= size - 1, size - 1, x))
        cell = jnp.floor(jax.lax.stop_gradient(x))
        cells.append(cell.astype(jnp.int32))
        weights.append((x - cell)[..., None])
    return cells, weights


def _blend(corners, wx, wy):
    upper = (1 - wx) * corners[0] + wx * corners[1]
    lower = (1 - wx) * corners[2] + wx * corners[3]
    return (1 - wy) * upper + wy * lower


def start_update(structure: Any, *leaves: jax.Array) -> Callable[[], tuple[jax.Array, ...]]:
    """SGD with clipping and decay, then the teacher's average, on donated state; `leaves`: parameters, gradients.

    A call makes one more update and gives the leaves of parameters and teacher, which the next call overwrites.
    """
    half = len(leaves) // 2
    params, gradients = (jax.tree.unflatten(structure, part) for part in (leaves[:half], leaves[half:]))
    optimizer = make_optimizer(params).transform
    student = Variables(jax.tree.map(lambda x: jnp.array(x, copy=True), params), {})
    state = (student, optimizer.init(params), ema.initial_teacher(student))

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state, gradients):
        student, moments, teacher = state
        changes, moments = optimizer.update(gradients, moments, student.params)
        student = Variables(optax.apply_updates(student.params, changes), {})
        return student, moments, ema.update_params(teacher, student, LATE)

    def call():
        nonlocal state
        state = update(state, gradients)
        return (*jax.tree.leaves(state[0].params), *jax.tree.leaves(state[2].params))

    return call
