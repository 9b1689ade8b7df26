"""What XLA makes of a training step for an H200, compiled ahead of time: no GPU is needed, nothing is measured.

    pip install "jax[cuda12]"        # beside this project's jax; the plug-in and its libraries, not a GPU
    python benchmarks/gpu_hlo.py --task semi_supervised --dtype bfloat16 --batch 2,16

Printed per step: kernels (fusions, library calls and copies of the entry computation) by kind, the bytes that they read
and write, FLOPs of convolutions by how cuDNN is called, temporary memory, and what a chip of 4.8 TB/s and 790 TFLOP/s
needs at least (`bound`: of each kernel the larger of its two times, launches not counted). No algorithm is tuned.
Convolutions whose window is larger than 9 are listed: kernel gradients that cuDNN is not asked for as such.
With --devices 2 the step is that of one of two GPUs, and what they tell each other is listed (for expected_scaling.py).
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import math
import os
import pathlib
import re
from collections.abc import Mapping

import jax
from cases import TASKS, Setting, make_case
from collectives import KINDS, each
from tables import save, show

from sde_seg_jax.training import sharding

BANDWIDTH, MATRIX = 4.8e12, {"bfloat16": 790e12, "float32": 395e12}  # bytes/s; FLOP/s (float32: TF32), one H200
BYTES = {"f64": 8, "f32": 4, "s32": 4, "u32": 4, "s64": 8, "u64": 8, "bf16": 2, "f16": 2, "s8": 1, "u8": 1, "pred": 1}
TARGET = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: 4800000000000 l2_cache_size: 62914560
  clock_rate_ghz: 1.98 device_memory_size: 150000000000 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" dnn_version_info { major: 9 minor: 10 } runtime_version { major: 12 minor: 9 }
device_description_str: "NVIDIA H200"
"""
INSTRUCTION = re.compile(r"\s*(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$")
SHAPE = re.compile(r"(\w+)\[([\d,]*)\]")
COMPUTATION = re.compile(r"(ENTRY )?%([\w.\-]+) \(")
LOOP = re.compile(r'body=%([\w.\-]+).*"known_trip_count":{"n":"(\d+)"}')
SMALL = 1 << 20  # bytes: what a statistic of batch norm stays below, and most gradients, put together, do not
FREE = ("parameter", "bitcast", "get-tuple-element", "tuple", "constant")


@dataclasses.dataclass
class Kernel:
    """One launch of the entry computation."""

    name: str
    kind: str
    bytes: int  # read and written, each operand once
    flops: int  # of convolutions and matrix products
    window: str = ""
    origin: str = ""  # name of the operation in the program

    def bound(self, dtype: str) -> float:
        """Seconds that it takes at least."""
        return max(self.bytes / BANDWIDTH, self.flops / MATRIX[dtype])


def h200(devices: int = 1):
    """Compile-only H200s as a mesh of so many devices of one host."""
    import jax._src.xla_bridge as bridge
    from jax.experimental import topologies

    jax.devices()
    canonical = bridge.canonicalize_platform
    # without a GPU jax does not know what "gpu" stands for (jax-ml/jax#23971)
    bridge.canonicalize_platform = lambda name: "cuda" if name in ("gpu", "cuda") else canonical(name)
    topology = topologies.get_topology_desc(platform="cuda", target_config=TARGET, topology=f"1x1x{devices}")
    return topologies.make_mesh(topology, (devices,), (sharding.AXIS,))


def compile_for(mesh, task: str, setting: Setting):
    """(compiled step of a task, its images a step of all devices)."""
    case = make_case(task, setting)
    state, streams = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (case.state, case.streams))
    return sharding.compile_step(case.step, mesh).lower(state, streams).compile(), case.images


def kernels(text: str) -> list[Kernel]:
    """The launches of a compiled module's entry computation; those of a loop as often as it turns."""
    bodies, name = collections.defaultdict(list), ""
    for line in text.splitlines():
        if head := COMPUTATION.match(line):
            name = "ENTRY" if head[1] else head[2]
        bodies[name].append(line)
    return _launches(bodies, "ENTRY")


def _launches(bodies: Mapping[str, list[str]], computation: str) -> list[Kernel]:
    sizes, found = {}, []
    for line in bodies[computation]:
        match = INSTRUCTION.match(line)
        if not match:
            continue
        name, shape, opcode, rest = match.groups()
        sizes[name] = shape
        if opcode in FREE or opcode.startswith(KINDS):  # collectives are no work of this device alone
            continue
        if loop := LOOP.search(line):
            found += int(loop[2]) * _launches(bodies, loop[1])
            continue
        operands = re.findall(r"%([\w.\-]+)", rest.split(")", 1)[0])
        found.append(_kernel(line, name, shape, opcode, {operand: sizes.get(operand, "") for operand in operands}))
    return found


def _kernel(line: str, name: str, shape: str, opcode: str, operands: Mapping[str, str]) -> Kernel:
    target = re.search(r'custom_call_target="([^"]*)"', line)
    window = re.search(r"window={([^}]*)}", line)
    origin = re.search(r'op_name="([^"]*)"', line)
    short = re.sub(r"(_fusion)?[.\d]*$", "", name)
    kind = target[1] if target else f"fusion {short}" if opcode == "fusion" else opcode
    flops, written = 0, shape
    if "cudnn$conv" in kind:
        flops = convolution_flops(line, shape, list(operands.values()))
    elif "__cublas" in kind:
        written = SHAPE.search(shape)[0]  # without its workspace
        flops = product_flops(line, written, next(iter(operands.values())))
    moved = size(written) + sum(map(size, operands.values()))
    return Kernel(name, kind, moved, flops, window[1] if window else "", origin[1] if origin else "")


def size(shape: str) -> int:
    """Bytes of a shape or tuple of shapes as XLA writes it."""
    arrays = [(BYTES[kind], dims) for kind, dims in SHAPE.findall(shape) if kind in BYTES]
    return sum(bytes_ * math.prod(int(n) for n in dims.split(",") if n) for bytes_, dims in arrays)


def convolution_flops(line: str, shape: str, operands: list[str]) -> int:
    """2 x outputs x kernel, padding included; what the layout of the three arrays says (b01f_o01i->b01f)."""
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", line).groups()  # of the forward convolution's three arrays
    first, second, result = ([int(n) for n in SHAPE.search(text)[2].split(",")] for text in (*operands[:2], shape))
    if "BackwardFilter" in line:  # image, gradient of the result -> gradient of the kernel
        kernel, out = result, second
    elif "BackwardInput" in line:  # gradient of the result, kernel -> gradient of the image
        kernel, out = second, first
    else:
        kernel, out = second, result
    out = dict(zip(labels[2], out, strict=True))
    return 2 * out["b"] * out["0"] * out["1"] * math.prod(kernel)


def product_flops(line: str, shape: str, left: str) -> int:
    """2 x size of the result x contracted sizes of the left factor."""
    axes = re.search(r'"lhs_contracting_dimensions":\[([^\]]*)\]', line)[1]
    sides = _sides(left)
    return 2 * math.prod(_sides(shape)) * math.prod(sides[int(axis)] for axis in re.findall(r"\d+", axes))


def _sides(shape: str) -> list[int]:
    return [int(n) for n in SHAPE.search(shape)[2].split(",") if n]


def report(task: str, setting: Setting, compiled, images: int, devices: int, hlo_folder: str | None) -> dict:
    """Prints the tables of one step of one device."""
    text, dtype, batch = compiled.as_text(), setting.dtype, setting.batch // devices
    encoder = setting.model.get("encoder", "resnet101")
    name = f"{task}, {encoder}, {setting.crop[0]}x{setting.crop[1]}, {dtype}, batch {batch}"
    name += f" on each of {devices}" if devices > 1 else ""
    if hlo_folder:
        pathlib.Path(hlo_folder, f"{task}_{dtype}_{batch}.hlo").write_text(text)
    found, groups = kernels(text), collections.defaultdict(list)
    for kernel in found:
        groups[kernel.kind].append(kernel)
    rows = [[kind, *sums(group, dtype)] for kind, group in groups.items()]
    rows.sort(key=lambda row: -row[-1])
    total = sums(found, dtype)
    show(name, ["kernels", "number", "GB", "TFLOP", "bound [ms]"], [*rows[:16], ["all", *total]])
    large = [k for k in found if "Filter" not in k.kind and re.match(r"size=\d\d", k.window)]
    for kernel in large:
        print(f"  window {kernel.window}: {kernel.origin[-100:]}")
    memory = compiled.memory_analysis()
    temporary, state = memory.temp_size_in_bytes, memory.argument_size_in_bytes
    print(f"temporary memory {temporary / 2**30:.2f} GiB, state and batch {state / 2**30:.2f} GiB")
    numbers = dict(zip(("kernels", "gigabytes", "teraflop", "bound_ms"), total, strict=True))
    told = each(text)
    if told:
        small = [size for _, size in told if size <= SMALL]
        print(f"collectives: {len(told)}, {sum(size for _, size in told) / 1e6:.1f} MB; {len(small)} of at most 1 MB")
    step = {"step": name, "task": task, "batch": batch, "images": images // devices, **numbers, "collectives": told}
    return {**step, "temporary_bytes": temporary, "large_windows": len(large)}


def sums(group: list[Kernel], dtype: str) -> list:
    """Number, GB, TFLOP, least milliseconds."""
    moved, flops = sum(k.bytes for k in group), sum(k.flops for k in group)
    return [len(group), moved / 1e9, flops / 1e12, 1e3 * sum(k.bound(dtype) for k in group)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="semi_supervised", help=f"comma-separated, of {', '.join(TASKS)}; or all")
    parser.add_argument("--dtype", default="bfloat16", help="comma-separated: float32, bfloat16")
    parser.add_argument("--batch", default="2", help="comma-separated, images of each stream on a device")
    parser.add_argument("--devices", type=int, default=1, help="GPUs that share a step")
    parser.add_argument("--encoder", default="resnet101")
    parser.add_argument("--remat", action="store_true", help="compute blocks again going back")
    parser.add_argument("--hlo", help="folder for the compiled HLO")
    parser.add_argument("--output", help="JSON file")
    given = parser.parse_args()
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_autotune_level=0"  # nothing to tune on
    jax.config.update("jax_platforms", "cpu")  # what runs here: made-up data
    mesh, found = h200(given.devices), []
    for task in TASKS if given.task == "all" else given.task.split(","):
        for dtype in given.dtype.split(","):
            for batch in given.batch.split(","):
                images, model = int(batch) * given.devices, {"encoder": given.encoder}
                setting = Setting(batch=images, dtype=dtype, remat=given.remat, model=model)
                found.append(report(task, setting, *compile_for(mesh, task, setting), given.devices, given.hlo))
    save(given.output, {"steps": found})


if __name__ == "__main__":
    main()
