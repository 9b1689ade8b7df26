"""Convolutions of the quickstart's networks, every direction: XLA's own form, ours, and PyTorch, in turns.

    python benchmarks/convolutions.py                     # minutes; renews what `models/cpu_forms.py` chooses by
    python benchmarks/convolutions.py --only 1x1 --seconds 1

"gradient to the kernel" has our form twice: with copies of all images at once, and image by image; `cpu_forms.CACHE` is
the size of the copies up to which the first is faster. Times are medians, in ms; GFLOP/s of ours.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
from collections.abc import Callable

if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np
import tables
import torch
from timing import device_line, measure

from sde_seg_jax.models import cpu_forms, undilated

SHAPES = {  # (height, width, channels in, channels out) of the result, taps, stride: batch 4
    "3x3": [
        (64, 128, 16, 16), (64, 128, 40, 16), (32, 64, 24, 24), (32, 64, 32, 16), (16, 32, 48, 48), (16, 32, 64, 32),
        (8, 16, 96, 96), (8, 16, 144, 48),
    ],
    "3x3 /2": [(16, 32, 24, 48), (8, 16, 48, 96)],
    "7x7 /2": [(32, 64, 4, 24)],
    "1x1": [(64, 128, 16, 64), (64, 128, 64, 19)],
    "1x1 /2": [(16, 32, 24, 48)],
}  # fmt: skip
BATCH = 4
COLUMNS = ["taps", "result", "channels", "direction", "XLA", "ours", "image by image", "PyTorch", "GFLOP/s", "x"]


def contenders(shape: tuple[int, ...], taps: int, stride: int) -> dict[str, dict[str, Callable]]:
    """direction -> {who: call}."""
    height, width, channels, features = shape
    margin, rng = taps // 2, np.random.default_rng(0)
    draw = lambda *size: rng.normal(size=size).astype(np.float32)  # noqa: E731
    x, kernel = draw(BATCH, height * stride, width * stride, channels), draw(taps, taps, channels, features)
    dy = draw(BATCH, height, width, features)
    by_xla = functools.partial(undilated._by_xla, stride, margin)
    ours = lambda x, kernel: undilated.convolution(x, kernel, stride, margin)  # noqa: E731
    tx, tk, tdy = (torch.from_numpy(np.ascontiguousarray(a)) for a in (
        x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), dy.transpose(0, 3, 1, 2)
    ))  # fmt: skip
    back = functools.partial(
        torch.ops.aten.convolution_backward, tdy, tx, tk, None, [stride] * 2, [margin] * 2, [1, 1], False, [0, 0], 1
    )

    def run(function, *arrays):
        compiled = jax.jit(function)
        return lambda: jax.block_until_ready(compiled(*arrays))

    def gradient(form, which):
        return lambda x, kernel, dy: jax.vjp(form, x, kernel)[1](dy)[which]

    def to_kernel(cache):
        def function(x, dy):
            with_limit, cpu_forms.CACHE = cpu_forms.CACHE, cache
            try:
                padded = undilated.zeros(x, margin) if margin else x
                return cpu_forms.kernel_gradient(padded, dy, taps, stride)
            finally:
                cpu_forms.CACHE = with_limit

        return function

    found = {
        "forward": {
            "XLA": run(by_xla, x, kernel),
            "ours": run(ours, x, kernel),
            "PyTorch": lambda: torch.conv2d(tx, tk, stride=stride, padding=margin),
        },
        "gradient to the input": {
            "XLA": run(gradient(by_xla, 0), x, kernel, dy),
            "ours": run(gradient(ours, 0), x, kernel, dy),
            "PyTorch": lambda: back([True, False, False]),
        },
        "gradient to the kernel": {
            "XLA": run(gradient(by_xla, 1), x, kernel, dy),
            "ours": run(to_kernel(math.inf), x, dy),
            "PyTorch": lambda: back([False, True, False]),
        },
    }
    if taps > 1:
        found["gradient to the kernel"]["image by image"] = run(to_kernel(0), x, dy)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SHAPES, help="one kind")
    parser.add_argument("--rounds", default=15, type=int, help="turns of every contender")
    parser.add_argument("--seconds", default=0.2, type=float, help="for every contender, at least")
    given = parser.parse_args()
    print(device_line(), flush=True)
    rows = []
    for kind in [given.only] if given.only else SHAPES:
        taps, stride = int(kind[0]), 2 if kind.endswith("/2") else 1
        for shape in SHAPES[kind]:
            flops = 2 * BATCH * math.prod(shape) * taps**2
            for direction, calls in contenders(shape, taps, stride).items():
                times = {
                    name: t.median for name, t in measure(calls, rounds=given.rounds, seconds=given.seconds).items()
                }
                best = min(times[name] for name in ("ours", "image by image") if name in times)
                cells = [1e3 * times[name] if name in times else None for name in COLUMNS[4:8]]
                size, channels = f"{shape[0]}x{shape[1]}", f"{shape[2]} -> {shape[3]}"
                rows.append([kind, size, channels, direction, *cells, flops / best / 1e9, times["PyTorch"] / best])
                print(*rows[-1], flush=True)
    tables.show("x: PyTorch's time relative to ours", COLUMNS, rows)


if __name__ == "__main__":
    main()
