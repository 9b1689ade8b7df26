"""How much memory a training step takes on each device, told before training starts."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.sharding import Mesh

from sde_seg_jax.training.compile_time import compile_told
from sde_seg_jax.training.sharding import compile_step
from sde_seg_jax.types import Streams, TrainState

GIB = 2**30
PRESETS = (80, 24, 16)  # GB of the GPUs that configurations with an option `memory` are planned for
PLANNED = 0.7  # share of it that a preset needs at most: jax takes three quarters, unless it is told otherwise
REMEDIES = "raise train.micro_batches, set model.remat=true, lower data.batch_size, or use model.dtype=bfloat16"


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes on one device while a step runs."""

    state: int  # parameters, running statistics, optimiser, teacher, frozen networks
    activations: int  # everything else: intermediate results, gradients, the batch
    limit: int | None = None  # what the device offers, if it tells

    @property
    def total(self) -> int:
        """The state and what a step adds."""
        return self.state + self.activations


def compile_and_tell(
    step: Callable, mesh: Mesh, state: TrainState, batches: Iterator[Streams], tell: Callable[[str], None]
) -> tuple[Callable, Iterator[Streams]]:
    """The compiled step and the same batches, after telling how long that takes and the memory of a step.

    The first batch gives the shapes; the loop calls this executable, so nothing is compiled twice.
    """
    first = next(batches)
    compiled = compile_told(compile_step(step, mesh).lower(state, first), tell)
    memory = measure(compiled, state)
    for line in lines(memory) if memory else ():
        tell(line)
    return compiled, itertools.chain([first], batches)


def measure(compiled: jax.stages.Compiled, state: Any) -> Memory | None:
    """The memory of a compiled step on `state`, replicated and donated; None where the compiler does not tell."""
    found = compiled.memory_analysis()
    if found is None:
        return None
    outside = found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    leaves = jax.tree.leaves(state)
    size = sum(leaf.nbytes for leaf in leaves)
    device = next(iter(leaves[0].addressable_shards)).device
    return Memory(size, outside + found.temp_size_in_bytes - size, limit_of(device))


def limit_of(device: jax.Device) -> int | None:
    """Bytes that a device offers to programs; None where it does not tell, as a CPU."""
    return (device.memory_stats() or {}).get("bytes_limit")


def preset_hint(preset: int, device: jax.Device) -> str:
    """A line on which of PRESETS fits a device; "" for a configuration without one (0), or if the device tells nothing.

    A preset fits where the device offers PLANNED of the gigabytes that it is named after.
    """
    limit = limit_of(device)
    if not preset or limit is None:
        return ""
    best = next((one for one in PRESETS if limit >= PLANNED * one * 1e9), None)
    offered = f"the device offers {limit / GIB:.3g} GiB"
    if best is None:
        return f"warning: {offered}, and the smallest preset, memory={PRESETS[-1]}, may need more: {REMEDIES}"
    if best < preset:
        return f"warning: {offered}: memory={preset} may not fit, the preset memory={best} does"
    more = "" if best == preset else f"; memory={preset} is for smaller ones"
    return f"{offered}: the preset memory={best} fits{more}"


def lines(memory: Memory) -> list[str]:
    """One line, and a second one with the remedies if the device offers less."""
    total, state, activations = (f"{size / GIB:.3g}" for size in (memory.total, memory.state, memory.activations))
    found = [f"memory per device: {total} GiB (parameters and optimiser {state}, activations {activations})"]
    if memory.limit is not None and memory.total > memory.limit:
        found.append(f"warning: the device offers {memory.limit / GIB:.3g} GiB; if memory runs out, {REMEDIES}")
    return found
