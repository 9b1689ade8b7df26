"""Model FLOPs of a function, counted from its program (jaxpr): nothing is compiled, nothing runs.

    python benchmarks/flops.py                              # of every task's training step, at the published setting
    python benchmarks/flops.py --setting tiny

A multiply-add is two FLOPs. Rules:

- Convolution: 2 x batch x output features x input features of a group x, for each spatial axis, the smallest product of
  two of the three sizes input, kernel taps, output, all without dilation. Any two of (input position, tap, output
  position) fix the third, so there are no more multiply-adds than that. For a forward convolution it is taps x outputs,
  as textbooks count it (taps on the padding included); a gradient permutes the three sizes and hence costs the same.
  Zeros that stride or dilation put between the elements are not work.
- Matrix product: 2 x size of the result x contracted sizes.
- Everything else (batch norm, warps, losses, optimiser) counts nothing. What no output depends on counts nothing.
- A scan counts its length times, a `cond` its costliest branch, of equal ones the last: what depends on the platform
  has the accelerators' form there. Loops of unknown length raise ValueError.
- Rematerialisation counts both times: `step_flops` therefore counts the step without it.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from cases import SETTINGS, TASKS, Case, Setting, make_case
from jax.extend.core import Jaxpr, JaxprEqn, jaxprs_in_params
from jax.interpreters.partial_eval import dce_jaxpr
from tables import save, show

RUN_ONCE = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2", "custom_jvp_call", "custom_vjp_call"}


@dataclasses.dataclass(frozen=True)
class Flops:
    """Of convolutions, which only the networks have, and of matrix products.

    Products resize, blur and move cameras; kernel gradients of dilated convolutions are products, too (models/dilated).
    """

    convolutions: int = 0
    products: int = 0

    @property
    def total(self) -> int:
        """Both."""
        return self.convolutions + self.products


def model_flops(fun: Callable, *args: Any) -> Flops:
    """FLOPs of `fun(*args)` by the rules above; `args` are arrays or `jax.ShapeDtypeStruct`, in any pytree."""
    return flops_of(needed(jax.make_jaxpr(fun)(*args).jaxpr))


def operations(jaxpr: Jaxpr) -> collections.Counter[str]:
    """How many of each operation (`gather`, `scatter-add`, `dot_general`) run, those inside of others included."""
    found: collections.Counter[str] = collections.Counter()
    for equation, times in equations(jaxpr):
        found[equation.primitive.name] += times
    return found


def needed(jaxpr: Jaxpr) -> Jaxpr:
    """The program without what no output depends on."""
    return dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[0]


def flops_of(jaxpr: Jaxpr) -> Flops:
    """FLOPs of a program by the rules above. Raises ValueError if it cannot tell how often a part runs."""
    convolutions = products = 0
    for equation, times in equations(jaxpr):
        if equation.primitive.name == "conv_general_dilated":
            convolutions += times * _convolution(equation)
        elif equation.primitive.name == "dot_general":
            products += times * _product(equation)
    return Flops(convolutions, products)


def equations(jaxpr: Jaxpr, times: int = 1) -> Iterator[tuple[JaxprEqn, int]]:
    """Every equation and how often it runs, those of programs inside of it after it."""
    for equation in jaxpr.eqns:
        yield equation, times
        name, inner = equation.primitive.name, list(jaxprs_in_params(equation.params))
        if name == "cond":
            inner = [max(reversed(inner), key=lambda branch: flops_of(branch).total)]
        elif name not in RUN_ONCE | {"scan"} and any(flops_of(one).total for one in inner):
            raise ValueError(
                f"{name} holds convolutions or matrix products, and how often they run is not known; "
                "write the loop as lax.scan or with a fixed number of turns"
            )
        turns = equation.params["length"] if name == "scan" else 1
        for one in inner:
            yield from equations(one, times * turns)


def _convolution(equation: JaxprEqn) -> int:
    image, kernel = (variable.aval.shape for variable in equation.invars)
    result = equation.outvars[0].aval.shape
    places = equation.params["dimension_numbers"]  # of (batch, feature, *spatial), kernel: (out, in, *spatial)
    batch, features = (result[axis] for axis in places.out_spec[:2])
    pairs = 1
    for axes in zip(places.lhs_spec[2:], places.rhs_spec[2:], places.out_spec[2:], strict=True):
        sizes = sorted(shape[axis] for shape, axis in zip((image, kernel, result), axes, strict=True))
        pairs *= sizes[0] * sizes[1]
    return 2 * batch * features * kernel[places.rhs_spec[1]] * pairs


def _product(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)


def abstract_case(task: str, setting: Setting, **options: Any) -> Case:
    """`make_case` with shapes in place of arrays: computes nothing and takes no memory."""
    made: list[Case] = []

    def arrays():
        made.append(make_case(task, setting, **options))
        return made[0].state, made[0].streams

    state, streams = jax.eval_shape(arrays)
    return dataclasses.replace(made[0], state=state, streams=streams)


def step_flops(task: str, setting: Setting, **options: Any) -> Flops:
    """Model FLOPs of a training step: what the mathematics asks for, hence without rematerialisation."""
    case = abstract_case(task, dataclasses.replace(setting, remat=False), **options)
    return model_flops(case.step, case.state, case.streams)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", default="published", choices=SETTINGS)
    parser.add_argument("--output", help="JSON file")
    given = parser.parse_args()
    setting, rows, found = SETTINGS[given.setting], [], {}
    for task in TASKS:
        case = abstract_case(task, setting)
        flops, images = model_flops(case.step, case.state, case.streams), case.images
        found[task] = {**dataclasses.asdict(flops), "images": images}
        counts = (flops.convolutions, flops.products, flops.total / images)
        rows.append([task, images, *(f"{count / 1e9:.4g}" for count in counts)])
    columns = ["task", "images a step", "convolutions [GFLOP]", "products [GFLOP]", "GFLOP an image"]
    show(f"model FLOPs of a training step, {given.setting}, batch {setting.batch} of each stream", columns, rows)
    save(given.output, found)


if __name__ == "__main__":
    main()
