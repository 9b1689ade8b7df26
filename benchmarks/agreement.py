"""Do several devices compute what one computes? The same steps, mixes and randomness, compared in float64.

Under x64 a difference is a fault and not rounding. What is compared: loss and other logs, gradient norm, and how far
parameters, running statistics, teacher and optimizer have moved, after every step; and what the task mixes, pixel by
pixel. Mixing pastes every image on the next of the batch, which for the last image of a device is on another one.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cases import TASKS, Case, Setting, make_case
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sde_seg_jax.processes import together
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.tasks.task import find_task
from sde_seg_jax.tasks.teacher import make_pseudo
from sde_seg_jax.training.sharding import AXIS, compile_step, fetched, put, replicate

# float64 rounds by 1e-16. Sums of 1e5 terms in another order are off by some 1e-14; what has moved by a millionth of
# its size shows that to 2e-10. What is computed wrongly is off by far more: batch statistics of a device's own samples
# by percents, one pixel of a mask by 1e-5.
BOUND = 1e-9
UNMOVED = 1e-6  # of its size, and of what the farthest moves: what moves less is compared on this scale
# As published. A pose network that starts at 0 warps every pixel onto the corner of four others, where rounding decides
# from which side the gradient is taken.
MODEL = {"dropout": 0.5, "pose_start": 1.0}
HASTY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def mesh_of(count: int) -> Mesh:
    """The first `count` devices."""
    return jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])


def compile_hastily(function, *arguments):
    """The compiled program; for a CPU in half the time, with slow machine code: for programs that run a few times."""
    return function.lower(*arguments).compile(compiler_options=HASTY if jax.default_backend() == "cpu" else None)


def exact_case(task: str, setting: Setting, batch: int) -> Case:
    """The case in float64; made, compiled and run under `jax.enable_x64(True)`.

    A mixing task is confident of half of the teacher's pixels at first: a fresh teacher is sure of none, and what is
    learnt from mixed images would not show.
    """
    model, student = {**setting.model, **MODEL}, {**setting.student, **MODEL}
    exact = dataclasses.replace(setting, batch=batch, dtype=None, model=model, student=student)
    case = _wide(make_case(task, exact))
    if "mix" not in TASKS[task].options:
        return case
    ask = make_pseudo(case.network, teacher=TASKS[task].options["teacher"], reads_depth=False)
    opinion, _ = jax.jit(ask)(case.state, case.streams.unlabeled)
    return _wide(make_case(task, exact, confidence=float(jnp.median(opinion.probability.max(-1)))))


def _wide(case: Case) -> Case:
    return dataclasses.replace(case, state=jax.tree.map(_widened, case.state))


def _widened(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x


def parts(state, logs: dict[str, Any]) -> dict[str, Any]:
    """What is compared, by name, on the host."""
    found = {
        "loss": logs["loss"],
        "gradient norm": logs["gradient_norm"],
        "other logs": {name: value for name, value in logs.items() if name not in ("loss", "gradient_norm")},
        "parameters": state.student.params,
        "statistics": state.student.batch_stats,
        "teacher": state.teacher,
        "optimizer": state.opt_state,
    }
    return {name: jax.device_get(value) for name, value in found.items()}  # in this order


def own_part(streams: Any) -> Any:
    """Of a global batch what this process has; all of it where there is one process."""
    return jax.tree.map(lambda x: np.split(np.asarray(x), together.count())[together.index()], streams)


def steps_on(case: Case, mesh: Mesh, steps: int) -> list[dict[str, Any]]:
    """`parts` before the first and after every step over the mesh."""
    state, streams = replicate(case.state, mesh), put(own_part(case.streams), mesh)
    step, found = compile_hastily(compile_step(case.step, mesh), state, streams), []
    together.barrier()  # gloo does not wait while another process compiles
    for _ in range(steps):
        state, logs = step(state, streams)
        found.append(parts(state, logs))
    return [parts(case.state, jax.tree.map(np.zeros_like, jax.device_get(logs))), *found]


def differences(one: Sequence[dict[str, Any]], many: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """The worst relative difference of two runs (`steps_on`) by part, over all steps; None for a part without arrays.

    An array's difference is relative to how far the array has moved since the start, but at least to UNMOVED of its
    size and of what the part's farthest array has moved: less is rounding.
    """
    start, found = one[0], {}
    for name, before in start.items():
        if jax.tree.leaves(before):
            later = zip(one[1:], many[1:], strict=True)
            found[name] = float(np.max([_difference(a[name], b[name], before) for a, b in later]))
        else:
            found[name] = None
    return found


def _difference(one: Any, many: Any, start: Any) -> float:
    arrays = [[np.asarray(x, np.float64) for x in jax.tree.leaves(tree)] for tree in (one, many, start)]
    moved = np.array([np.abs(a - s).max() for a, s in zip(arrays[0], arrays[2], strict=True)])
    apart = np.array([np.abs(a - b).max() for a, b in zip(*arrays[:2], strict=True)])
    size = np.array([np.abs(a).max() for a in arrays[0]])
    scale = np.maximum(moved, UNMOVED * np.maximum(size, moved.max()))
    return float(np.max(apart / np.where(scale > 0, scale, 1)))


def mixes_on(case: Case, mesh: Mesh) -> dict[str, Mix]:
    """What the task mixes in its first step, on the host; empty if it does not mix."""
    kind = TASKS[case.task]
    definition = find_task(kind.task)
    if definition.make_mixer is None:
        return {}
    arguments = inspect.signature(definition.make_loss).parameters.values()
    options = {a.name: a.default for a in arguments if a.default is not a.empty} | dict(kind.options)
    options |= {f"{name}_network": case.depth_network for name in kind.frozen}
    everywhere, split = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXIS))
    mixer = jax.jit(
        definition.make_mixer(case.network, **options),
        in_shardings=(everywhere, split, everywhere),
        out_shardings=split,
    )
    state, key = replicate((case.state, jax.random.key(1)), mesh)
    streams = put(own_part(case.streams), mesh)
    compiled = compile_hastily(mixer, state, streams, key)
    together.barrier()
    return fetched(compiled(state, streams, key))


def pixels_apart(one: dict[str, Mix], many: dict[str, Mix]) -> int | None:
    """How many pixels of the mixed images differ, in mask or color, however little; None without mixes."""
    if not one:
        return None
    apart = [(a.image != many[name].image) | (a.mask != many[name].mask) for name, a in one.items()]
    return sum(int(np.any(pixels, axis=-1).sum()) for pixels in apart)


def shown_across(mixes: dict[str, Mix], devices: int) -> float | None:
    """The smallest share of a device's last image that shows the next device's first."""
    if "mixing" not in mixes:
        return None
    mask = mixes["mixing"].mask
    return float(1 - mask[len(mask) // devices - 1 :: len(mask) // devices].mean(axis=(1, 2, 3)).max())


def agreement(task: str, setting: Setting, counts: Sequence[int], batch: int, steps: int) -> list[dict[str, Any]]:
    """A row for every count above 1, against one device with the same global batch."""
    with jax.enable_x64(True):
        case, rows = exact_case(task, setting, batch), []
        one, mixed = steps_on(case, mesh_of(1), steps), mixes_on(case, mesh_of(1))
        for count in (n for n in counts if n > 1):
            mesh = mesh_of(count)
            many = mixes_on(case, mesh)
            row = {"devices": count, **differences(one, steps_on(case, mesh, steps))}
            rows.append(row | {"pixels apart": pixels_apart(mixed, many), "across": shown_across(many, count)})
    return rows


def agrees(row: dict[str, Any]) -> bool:
    """Is everything within the bound? A value that is not a number is not."""
    rest = [value for name, value in row.items() if name not in ("devices", "pixels apart", "across")]
    return not row["pixels apart"] and all(value <= BOUND for value in rest if value is not None)
