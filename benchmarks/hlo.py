"""What XLA made of a program: its own counts, and numbers of instructions in the compiled text."""

from __future__ import annotations

import collections
import re

import jax

INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%[\w.\-]+ = (?:\(.*?\)|\S+) ([\w\-]+)\(", re.MULTILINE)
TARGET = re.compile(r'custom_call_target="([^"]*)"')
COUNTED = (
    "convolution", "dot", "gather", "scatter", "transpose", "copy", "reduce-window", "select-and-scatter",
    "custom-call", "while", "fusion",
)  # fmt: skip


def instructions(text: str) -> collections.Counter[str]:
    """Number of instructions by opcode in every computation of a module, those inside of fusions and loops included.

    A loop's body counts once; an instruction that XLA copied into several fusions counts in each.
    """
    return collections.Counter(INSTRUCTION.findall(text))


def custom_calls(text: str) -> collections.Counter[str]:
    """Number of calls by the library function that they call: on a GPU convolutions and products are among them."""
    return collections.Counter(TARGET.findall(text))


def summary(compiled: jax.stages.Compiled) -> dict[str, int]:
    """FLOPs and bytes by XLA's cost analysis, bytes of temporary memory, and the instructions of COUNTED.

    XLA's FLOPs leave out taps on the padding and count elementwise arithmetic, a loop's body once; bytes accessed are
    what every kernel reads and writes. An executable from the persistent cache tells the same.
    """
    costs = compiled.cost_analysis()
    found = instructions(compiled.as_text())
    sizes = {
        "flops": int(costs["flops"]),
        "bytes accessed": int(costs["bytes accessed"]),
        "temporary bytes": compiled.memory_analysis().temp_size_in_bytes,
    }
    return sizes | {opcode: found[opcode] for opcode in COUNTED}
