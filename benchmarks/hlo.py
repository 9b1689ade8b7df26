"""What XLA made of a program: its own counts, and numbers of instructions in the compiled text."""

from __future__ import annotations

import collections
import dataclasses
import math
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


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction of a compiled program."""

    opcode: str  # of a fusion around a convolution or a product: that one's
    file: str  # that wrote it, or the last traced operation of a fusion; "" where XLA made it
    shapes: str  # of operands and result, of a convolution or product
    direction: str  # of a convolution: "forward", "to the input", "to the kernel"


def every_instruction(text: str) -> dict[str, Instruction]:
    """All instructions of a compiled module by name, those inside of fusions included."""
    files, bodies, body = _files(text), collections.defaultdict(list), ""
    lines = {}
    for line in text.splitlines():
        if found := COMPUTATION.match(line):
            body = found[1]
        elif found := NAMED.match(line):
            lines[found["name"]] = found
            bodies[body].append(found)
    types = {name: found["type"].partition("{")[0] for name, found in lines.items()}
    return {name: _instruction(found, bodies, files, types) for name, found in lines.items()}


COMPUTATION = re.compile(r"^(?:ENTRY )?%([\w.\-]+) \(")
NAMED = re.compile(
    r"^\s*(?:ROOT )?%(?P<name>[\w.\-]+) = (?P<type>\(.*?\)|\S+) (?P<opcode>[\w\-]+)\((?P<operands>[^)]*)\)(?P<rest>.*)"
)
FRAME = re.compile(r"stack_frame_id=(\d+)")


def _instruction(found, bodies, files, types) -> Instruction:
    frame, called = FRAME.search(found["rest"]), re.search(r"calls=%([\w.\-]+)", found["rest"])
    inside = bodies[called[1]] if called else []
    found = next((one for one in inside if one["opcode"] in ("convolution", "dot")), found)
    if frame is None:
        frame = next((mark for one in reversed(inside) if (mark := FRAME.search(one["rest"]))), None)
    operands = [types.get(name, "") for name in re.findall(r"%([\w.\-]+)", found["operands"])]
    result = types[found["name"]]
    file = files.get(frame[1], "") if frame else ""
    return Instruction(found["opcode"], file, " ".join([*operands, "->", result]), _direction(found["rest"], result))


def _direction(rest: str, shape: str) -> str:
    """By the name that tracing gave it; where the window is larger than the result, the result is a kernel."""
    if "transpose(" not in rest:
        return "forward"
    window, sizes = re.search(r"window={size=([\dx]+)", rest), re.findall(r"\d+", shape.partition("[")[2])[1:3]
    of_window = math.prod(map(int, window[1].split("x"))) if window else 0
    return "to the kernel" if of_window > math.prod(map(int, sizes)) else "to the input"


def _files(text: str) -> dict[str, str]:
    """Source file by number of a stack frame: the first of ours or of optax up the stack, else the innermost."""
    tables = {
        title: dict(re.findall(r"^(\d+) (.*)$", rows, re.MULTILINE))
        for title, rows in re.findall(r"^(FileNames|FileLocations|StackFrames)\n((?:\d+ .*\n)*)", text, re.MULTILINE)
    }
    number = lambda key, row: re.search(rf"{key}=(\d+)", row)[1]  # noqa: E731
    places, frames, found = tables.get("FileLocations", {}), tables.get("StackFrames", {}), {}
    for frame in frames:
        stack, at = [], frame
        while True:
            place = number("file_location_id", frames[at])
            stack.append(tables["FileNames"][number("file_name_id", places[place])].strip('"'))
            if (above := number("parent_frame_id", frames[at])) == at:
                break
            at = above
        found[frame] = next((file for file in stack if re.search("sde_seg_jax/|optax/", file)), stack[0])
    return found
