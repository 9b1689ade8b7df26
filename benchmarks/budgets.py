"""Budgets of every training step: counts that tell of lost speed without timing anything, compiled for the CPU.

    python benchmarks/budgets.py                            # counts, and what is out of its budget
    python benchmarks/budgets.py --write                    # records the counts as the new budgets

tests/benchmarks/test_budgets.py compares. "program" counts what is asked for (the jaxpr), "compiled" what XLA makes of
it, at the setting `tiny` on one device. The counts don't depend on the processor's speed, cores or vector units, but on
the versions of jax and jaxlib and on the kind of machine: the file names them, and elsewhere nothing is compared.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
from typing import Any

if __name__ == "__main__":  # on a machine with an accelerator, too
    os.environ["JAX_PLATFORMS"] = "cpu"

import flops
import hlo
import jax
from cases import SETTINGS, TASKS
from compiler_options import FAST
from tables import show

from sde_seg_jax.training import sharding

FILE = pathlib.Path(__file__).with_name("budgets.json")
RENEW = "python benchmarks/budgets.py --write"
ABOUT = (
    f"Upper bounds of counts, checked by tests/benchmarks/test_budgets.py. Renew with `{RENEW}` (minutes) in the "
    "environment of requirements.txt. A count that rises needs a reason in docs/record/performance.md; one that falls "
    "by more than a tenth is renewed, so that what was gained is kept."
)
SETTING = "tiny"
OPERATIONS = {  # names in the program -> names in the file
    "conv_general_dilated": "convolution",
    "dot_general": "dot",
    "gather": "gather",
    "scatter": "scatter",
    "scatter-add": "scatter-add",
    "select_and_scatter_add": "select-and-scatter",
    "sort": "sort",
    "transpose": "transpose",
}
NEVER_COMPILED = ("scatter", "select-and-scatter")  # hence counted in the program
# Sizes, copies and fusions move a little with every small change of the program; the other numbers are exact.
SLACK = {"flops": 0.02, "bytes accessed": 0.02, "temporary bytes": 0.05, "copy": 0.05, "fusion": 0.05}
TOO_LARGE = 0.1

Counts = dict[str, dict[str, int]]  # {"program": {name: count}, "compiled": {name: count}}


def trace(task: str) -> jax.stages.Traced:
    """The training step of a task as a program, for one device."""
    case = flops.abstract_case(task, SETTINGS[SETTING])
    return sharding.compile_step(case.step, sharding.make_mesh([1])).trace(case.state, case.streams)


def counts(step: jax.stages.Traced) -> Counts:
    """What the budgets bound; compiles the step."""
    program = flops.needed(step.jaxpr.jaxpr)
    model, operations = flops.flops_of(program), flops.operations(program)
    asked = {"convolution flops": model.convolutions, "product flops": model.products}
    asked |= {name: operations[operation] for operation, name in OPERATIONS.items()}
    compiled = hlo.summary(step.lower().compile(FAST))  # machine code is not looked at
    return {"program": asked, "compiled": {name: n for name, n in compiled.items() if name not in NEVER_COMPILED}}


def versions() -> dict[str, str]:
    """What the counts depend on beside the code."""
    return {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")} | {"machine": platform.machine()}


def load() -> dict[str, Any]:
    """The recorded budgets: about, versions, setting, steps {task: Counts}."""
    return json.loads(FILE.read_text())


def complaints(found: Counts, budget: Counts) -> list[str]:
    """What rose beyond its budget or fell far below it, a line each with both numbers; empty if all is well."""
    lines = []
    for part in found:
        allowed = budget.get(part, {})
        for name in [*found[part], *(allowed.keys() - found[part].keys())]:
            was, now, slack = allowed.get(name), found[part].get(name), SLACK.get(name, 0)
            what = f"{part} {name}: {was} -> {now}"
            if was is None or now is None:
                lines.append(f"{what} (counted on one side only): renew the budgets")
            elif now > was * (1 + slack):
                lines.append(f"{what} ({_change(now, was)}, allowed {slack:.0%}): lower it, or say why and renew")
            elif now < was * (1 - TOO_LARGE):
                lines.append(f"{what} ({_change(now, was)}): renew the budgets, so that what was gained is kept")
    return lines


def _change(now: int, was: int) -> str:
    return f"{(now - was) / was:+.1%}" if was else f"{now - was:+d}"


def write(steps: dict[str, Counts]) -> None:
    """Records the counts of all tasks as budgets."""
    found = {"about": ABOUT, "versions": versions(), "setting": SETTING, "steps": steps}
    FILE.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\nwritten: {FILE}")


def main() -> int:
    """The command line. Returns 1 if a count is out of its budget and nothing is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="record the counts as the new budgets")
    given = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)  # code that is made badly is not worth keeping
    recorded = load() if FILE.exists() else {"steps": {}}
    if recorded.get("versions", versions()) != versions():
        print(f"recorded with {recorded['versions']}, this is {versions()}: changes need not come from the code")
    steps = {task: counts(trace(task)) for task in TASKS}
    names = [(part, name) for part, found in steps["supervised"].items() for name in found]
    rows = [[part, name, *(found[part][name] for found in steps.values())] for part, name in names]
    show(f"counts of a training step, {SETTING}", ["of", "what", *TASKS], rows)
    found = [f"{task}: {line}" for task in TASKS for line in complaints(steps[task], recorded["steps"].get(task, {}))]
    print("", *(found or ["all are within their budgets"]), sep="\n")
    if given.write:
        write(steps)
    return int(bool(found) and not given.write)


if __name__ == "__main__":
    sys.exit(main())
