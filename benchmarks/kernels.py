"""Times the parts of a training step, ours against PyTorch's (cuDNN, or oneDNN on a CPU) on the same arrays, in turns.

    python benchmarks/kernels.py                                      # sizes for a CPU, or for a GPU where there is one
    python benchmarks/kernels.py --only conv_layer4,warp --dtype tf32,bfloat16 --peers eager,compiled
    python benchmarks/kernels.py --peers none --output kernels.json   # without PyTorch

Each kernel is first compared in float32 without TF32. "difference" is the largest |a - b| / |b| (L2) among its output
and gradients: in the first row of a kernel between ours and PyTorch's, in the others between that form of ours and the
package's ("-": a form that computes something else). What is larger than rounding explains (`Kernel.tolerances`) is
listed, and the exit status is 1; in other dtypes the difference is information. (The compiled peer is compared only in
the dtypes in which it is timed, because it takes long to compile.) Then medians (quartiles) in ms, how
many times as long PyTorch takes, and GFLOP/s of convolutions, counted with all taps, those that meet padding, too.

Names: .../forward, .../input and .../kernel are the output and the gradients alone, the others forward and gradient.
dtype: float32; tf32, float32 arrays whose matrix products may round to TF32 (no difference on a CPU); bfloat16, of what
trains in it (the others run in float32).
Peers: eager (NCHW) and compiled (torch.compile, channels_last).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

import jax
import kernel_images
import kernel_layers
from kernel_contenders import PRECISION, differences, precision, to_compare, to_time, too_large
from kernel_spec import OURS, SIZES, Kernel, Size
from tables import save, show
from timing import Times, device_line, measure

PEERS = ("eager", "compiled")
COLUMNS = ["kernel", "dtype", "ours", "difference", "ours [ms]", "eager [ms]", "compiled [ms]", "eager / ours"]
COLUMNS += ["compiled / ours", "ours [GFLOP/s]", "eager [GFLOP/s]"]


def make_kernels(size: Size) -> list[Kernel]:
    """All kernels, in the order of the table."""
    layers, images = kernel_layers, kernel_images
    return [
        *layers.convolutions(size),
        *(make(size) for make in (layers.pooling, layers.batch_norm, layers.aspp, layers.level)),
        *layers.resizes(size),
        *images.warps(size),
        *(make(size) for make in (images.ssim, images.photometric, images.depth_mix, images.color_jitter)),
        *(make(size) for make in (images.strong, layers.update)),
    ]


def select(kernels: list[Kernel], only: list[str]) -> list[Kernel]:
    """The kernels whose name starts with one of `only` (all without any). Raises ValueError where none does."""
    for start in only:
        if not any(kernel.name.startswith(start) for kernel in kernels):
            raise ValueError(f"no kernel's name starts with {start!r}; there are {', '.join(k.name for k in kernels)}")
    return [k for k in kernels if not only or any(k.name.startswith(start) for start in only)]


def run(kernel: Kernel, dtypes: list[str], peers: list[str], seconds: float) -> tuple[list[dict], list[str]]:
    """(rows, complaints) of a kernel: compared in float32, timed in each of `dtypes` that it has."""
    with precision("float32", peers):
        compared = differences(kernel, to_compare(kernel, peers))
    rows = []
    for dtype in [d for d in dtypes if kernel.narrows or d != "bfloat16"] or ["float32"]:
        with precision(dtype, peers):
            found = to_time(kernel, dtype, peers)
            known = compared if kernel.checked else differences(kernel, found)
            if dtype == "float32":
                compared = compared | known  # the compiled peer, too
            times = measure({name: c.call for name, c in found.items()}, warmup=2, rounds=5, seconds=seconds)
        rows += [_row(kernel, dtype, form, known, times) for form in kernel.ours]
    return rows, too_large(kernel, compared)


def _row(kernel: Kernel, dtype: str, form: str, known: dict[str, list[float]], times: dict[str, Times]) -> dict:
    names = [name for name in known if name in PEERS] if form == OURS else [form]
    values = [value for name in names for value in known.get(name, [])]
    return {
        "kernel": kernel.name,
        "what": kernel.what,
        "dtype": dtype,
        "ours": form,
        "difference": max(values) if values else None,
        "flops": kernel.flops,
        "seconds": {name: dataclasses.asdict(times[name]) for name in (form, *PEERS) if name in times},
    }


def cells(row: dict) -> list:
    """A row of the table."""
    times = [Times(**row["seconds"][n]) if n in row["seconds"] else None for n in (row["ours"], *PEERS)]
    ratios = [None if t is None else t.median / times[0].median for t in times[1:]]
    rates = [row["flops"] / t.median / 1e9 if t and row["flops"] else None for t in times[:2]]
    first = row["ours"] == OURS
    return [
        row["kernel"] if first else "", row["dtype"], row["ours"], row["difference"],
        *(t.text() if t else None for t in times), *ratios, *rates,
    ]  # fmt: skip


def known_peers(asked: str) -> list[str]:
    """The peers of the command line, none where PyTorch is missing. Raises ValueError for an unknown name."""
    if asked == "none":
        return []
    names = asked.split(",")
    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        raise ValueError(f"unknown peers {', '.join(unknown)}; known: {', '.join(PEERS)}, none")
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        print("PyTorch is not installed: ours alone", file=sys.stderr)
        return []
    return names


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit status."""
    on_gpu = jax.default_backend() != "cpu"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="gpu" if on_gpu else "cpu")
    parser.add_argument("--only", help="names of kernels or how they start, separated by commas")
    parser.add_argument("--dtype", default="tf32,bfloat16" if on_gpu else "float32", help=", ".join(PRECISION))
    parser.add_argument("--peers", default="eager,compiled" if on_gpu else "eager", help="eager, compiled or none")
    parser.add_argument("--seconds", type=float, default=0.2, help="of timing a contender, at least")
    parser.add_argument("--output", help="a JSON file")
    options = parser.parse_args(arguments)
    dtypes = options.dtype.split(",")
    try:
        kernels = select(make_kernels(SIZES[options.size]), options.only.split(",") if options.only else [])
        peers = known_peers(options.peers)
        if unknown := sorted(set(dtypes) - set(PRECISION)):
            raise ValueError(f"unknown dtypes {', '.join(unknown)}; known: {', '.join(PRECISION)}")
    except ValueError as error:
        parser.error(str(error))
    print(device_line(), flush=True)
    rows, complaints = [], []
    for kernel in kernels:
        print(f"{kernel.name}: {kernel.what}", file=sys.stderr, flush=True)
        found, wrong = run(kernel, dtypes, peers, options.seconds)
        rows, complaints = rows + found, complaints + wrong
    show(f"Kernels, size {options.size}: {SIZES[options.size]}", COLUMNS, [cells(row) for row in rows])
    save(options.output, {"device": device_line(), "options": vars(options), "rows": rows, "complaints": complaints})
    for line in complaints:
        print(f"differs: {line}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
