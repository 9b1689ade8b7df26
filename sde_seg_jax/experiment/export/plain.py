"""A function in the plain operations of `jax.lax`, which converters to other formats know.

What a network is written in has more: functions with gradients of their own, other forms for other devices, calls of
compiled functions. Nothing here changes a value but the order of sums: of two forms the one for accelerators is taken.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jax.extend import core

# operations that call a function -> where they keep it
CALLS = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr", "remat2": "jaxpr"}


def plain(function: Callable) -> Callable:
    """`function` of arrays, without calls and without choices by device; what is constant is computed now."""

    def inlined(*arguments):
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        found = _run(closed.jaxpr, closed.consts, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return inlined


def _run(jaxpr: core.Jaxpr, consts: Any, arguments: Any) -> list[Any]:
    """The results of a program, operation by operation; what no result needs is left out."""
    values: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *arguments), strict=True))

    def read(variable):
        return variable.val if isinstance(variable, core.Literal) else values[variable]

    for equation in _needed(jaxpr):
        inputs = [read(variable) for variable in equation.invars]
        with jax.ensure_compile_time_eval() if _computable(equation, inputs) else contextlib.nullcontext():
            outputs = _apply(equation, inputs)
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _computable(equation: Any, inputs: list[Any]) -> bool:
    """Can the results be computed now?

    Not where a shape is symbolic, as of a constant that is repeated for each image. Nor of jax2onnx's own operations,
    which stand for those of jax.numpy while it converts: of constants it computes some wrongly (tile, einsum,
    concatenate), but it writes them into the file rightly.
    """
    sides = [side for variable in equation.outvars for side in getattr(variable.aval, "shape", ())]
    return (
        equation.primitive.name not in CALLS  # of what is inside each operation is asked
        and not any(isinstance(value, jax.core.Tracer) for value in inputs)
        and all(isinstance(side, int) for side in sides)
        and not equation.primitive.name.startswith(("jax.", "jnp."))
    )


def _needed(jaxpr: core.Jaxpr) -> list[Any]:
    """The operations whose results are used."""
    used = {variable for variable in jaxpr.outvars if not isinstance(variable, core.Literal)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if used & set(equation.outvars):
            kept.append(equation)
            used |= {variable for variable in equation.invars if not isinstance(variable, core.Literal)}
    return kept[::-1]


def _apply(equation: Any, inputs: list[Any]) -> list[Any]:
    name, options = equation.primitive.name, equation.params
    if name == "platform_index":
        return [None]  # nobody asks: the branch is known
    if name == "cond" and options.get("branches_platforms") is not None:
        branch = _branch(options)
        return _run(branch.jaxpr, branch.consts, inputs[1:])
    if name in CALLS:
        inside = options[CALLS[name]]
        form = _form(equation)
        if form:
            return [form(equation.outvars[0].aval.shape, inputs[-1])]  # before it come constants
        return _run(getattr(inside, "jaxpr", inside), getattr(inside, "consts", ()), inputs)
    if name == "dot_general" and not any(options["dimension_numbers"][1]):
        return [_product(*inputs, **options)]
    found = equation.primitive.bind(*inputs, **equation.primitive.get_bind_params(options))
    return list(found) if equation.primitive.multiple_results else [found]


def _product(left, right, *, dimension_numbers, precision, preferred_element_type, out_sharding=None):
    """A product over some axes as a convolution of 1x1 pixel, whose kernel is the constant one if there is one.

    TensorFlow's converter for LiteRT writes products of more than two axes wrongly.
    """
    (summed_left, summed_right), _ = dimension_numbers
    if isinstance(right, jax.core.Tracer) and not isinstance(left, jax.core.Tracer):
        swapped = _product(
            right,
            left,
            dimension_numbers=((summed_right, summed_left), ((), ())),
            precision=precision,
            preferred_element_type=preferred_element_type,
        )
        moved, axes = right.ndim - len(summed_right), range(swapped.ndim)
        return lax.transpose(swapped, (*axes[moved:], *axes[:moved]))
    kept_left = [axis for axis in range(left.ndim) if axis not in summed_left]
    kept_right = [axis for axis in range(right.ndim) if axis not in summed_right]
    shape = [left.shape[axis] for axis in kept_left] + [right.shape[axis] for axis in kept_right]
    count = math.prod(left.shape[axis] for axis in summed_left)
    rows = lax.transpose(left, (*kept_left, *summed_left)).reshape(1, -1, 1, count)
    kernel = lax.transpose(right, (*summed_right, *kept_right)).reshape(1, 1, count, -1)
    result = lax.conv_general_dilated(
        rows,
        kernel,
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    return result.reshape(shape)


def _branch(options: Mapping[str, Any]) -> Any:
    """Of branches by platform one that is a single function of FORMS, else the one for accelerators."""
    for branch in options["branches"]:
        if len(branch.jaxpr.eqns) == 1 and _form(branch.jaxpr.eqns[0]):
            return branch
    return options["branches"][options["branches_platforms"].index(None)]


def _form(equation: Any) -> Callable | None:
    """The plain form of a function that has a gradient of its own."""
    if equation.primitive.name != "custom_vjp_call":
        return None
    return FORMS.get(equation.params["call_jaxpr"].jaxpr.debug_info.func_name)


def _max_pool(shape, x):
    """`models.max_pool`: the same maxima, but for NaN. Padded first: jax2onnx takes a pool's own padding for none.

    Every window that meets the padding has the pixel beside it, too, so that a copy of that changes no maximum. Minus
    infinity would not either, but has no place in the range of an int8 map.
    """
    return nn.max_pool(_padded(x, 1, "edge"), window_shape=(3, 3), strides=(2, 2), padding="VALID")


def _reflect(shape, x):
    """`models.padding.looked_up`."""
    return _padded(x, (shape[1] - x.shape[1]) // 2, "reflect")


def _padded(x, margin: int, mode: str):
    """numpy.pad of height and width by rows and columns that are looked up, which every converter knows."""
    for axis in (1, 2):
        x = jnp.take(x, np.pad(np.arange(x.shape[axis]), margin, mode=mode), axis=axis)
    return x


def _elu(shape, x):
    return jax.nn.elu(x)


# name of a function with a gradient of its own -> (shape of the result, array) -> the same by what formats have
FORMS: Mapping[str, Callable] = {"max_pool": _max_pool, "looked_up": _reflect, "elu": _elu}
