"""What GPUs have to tell each other in a step, counted from its program (jaxpr): nothing is compiled, nothing runs.

    python benchmarks/batch_sums.py --task semi_supervised --bounds 2=10.4,16=69.5 --output steps.json
    python benchmarks/expected_scaling.py steps.json

Quicker than `gpu_hlo.py --devices 2`, which compiles, and less exact. Rules:

- A sum (or maximum) over the images of a batch is an all-reduce of its result. Batch norm has three going forward and
  two going back in every layer.
- Sums that do not depend on each other are told in one round: as few rounds as XLA could make of them at best.
- Gradients of all parameters that are trained are one more all-reduce, in float32.
- Mix partners are left out: one image for the next device, of some MB, which nothing else waits for long.
- Loops and branches are left out: they hold augmentation of single images.

--bounds: BATCH=MS, the least time of a step on one GPU, as `gpu_hlo.py` found it (docs/record/performance.md).
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import math

import jax
from cases import SETTINGS, TASKS
from flops import RUN_ONCE, abstract_case, needed
from jax.extend.core import Jaxpr, Literal, jaxprs_in_params
from tables import save, show

TRACED = 13  # images of each stream: no other axis of these networks is a multiple of it
SUMS = ("reduce_sum", "reduce_max", "reduce_min")


def rounds(jaxpr: Jaxpr, batch: int) -> list[int]:
    """Bytes that each round of sums over the batch tells; a round needs what the one before it told."""
    told: collections.Counter[int] = collections.Counter()
    _levels(jaxpr, [0] * len(jaxpr.invars), batch, told)
    return [told[level] for level in sorted(told)]


def _levels(jaxpr: Jaxpr, given: list[int], batch: int, told: collections.Counter[int]) -> list[int]:
    """How many rounds each output has to wait for; notes the bytes of every round in `told`."""
    known = dict(zip(jaxpr.invars, given, strict=True))

    def level(value) -> int:
        return 0 if isinstance(value, Literal) else known.get(value, 0)

    for equation in jaxpr.eqns:
        before = [level(value) for value in equation.invars]
        name, inner = equation.primitive.name, list(jaxprs_in_params(equation.params))
        if name in RUN_ONCE and inner and len(inner[0].invars) == len(before):
            found = _levels(inner[0], before, batch, told)
        else:
            after = max(before, default=0)
            if name in SUMS and _over_images(equation, batch):
                after += 1
                told[after] += sum(math.prod(out.aval.shape) * out.aval.dtype.itemsize for out in equation.outvars)
            found = [after] * len(equation.outvars)
        known.update(zip(equation.outvars, found, strict=True))
    return [level(value) for value in jaxpr.outvars]


def _over_images(equation, batch: int) -> bool:
    shape = equation.invars[0].aval.shape
    return 0 in equation.params["axes"] and len(shape) > 0 and shape[0] % batch == 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="semi_supervised", choices=sorted(TASKS))
    parser.add_argument("--setting", default="published", choices=sorted(SETTINGS))
    parser.add_argument("--bounds", required=True, help="BATCH=MS,...")
    parser.add_argument("--output", help="JSON file")
    given = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    setting = dataclasses.replace(SETTINGS[given.setting], batch=TRACED)
    case = abstract_case(given.task, setting)
    program = needed(jax.make_jaxpr(case.step)(case.state, case.streams).jaxpr)
    told = rounds(program, TRACED)
    gradients = sum(4 * math.prod(x.shape) for x in jax.tree.leaves(case.state.student.params))
    title = f"{given.task}, {given.setting}: sums over the batch, and gradients"
    show(title, ["rounds", "their MB", "gradients [MB]"], [[len(told), sum(told) / 1e6, gradients / 1e6]])
    collectives = [("all-reduce", size) for size in (*told, gradients)]
    steps = []
    for pair in given.bounds.split(","):
        batch, bound = pair.split("=")
        images = case.images // TRACED * int(batch)
        step = {"step": f"{given.task}, batch {batch}", "task": given.task, "batch": int(batch), "images": images}
        steps.append(step | {"bound_ms": float(bound), "collectives": collectives})
    save(given.output, {"steps": steps})


if __name__ == "__main__":
    main()
