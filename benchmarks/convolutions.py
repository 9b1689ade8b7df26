"""Convolutions of the small networks, every direction: XLA's own form, ours, and PyTorch, in turns.

    python benchmarks/convolutions.py                     # minutes
    python benchmarks/convolutions.py --only 1x1 --seconds 1

Times are medians, in ms; GFLOP/s of ours; x is PyTorch's time relative to ours.
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
from jax import lax
from timing import device_line, measure

from sde_seg_jax.models.convolution import convolve

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
COLUMNS = ["taps", "result", "channels", "direction", "XLA", "ours", "PyTorch", "GFLOP/s", "x"]


def contenders(shape: tuple[int, ...], taps: int, stride: int) -> dict[str, dict[str, Callable]]:
    """direction -> {who: call}."""
    height, width, channels, features = shape
    margin, rng = taps // 2, np.random.default_rng(0)
    draw = lambda *size: rng.normal(size=size).astype(np.float32)  # noqa: E731
    x, kernel = draw(BATCH, height * stride, width * stride, channels), draw(taps, taps, channels, features)
    dy = draw(BATCH, height, width, features)
    by_xla = lambda x, kernel: lax.conv_general_dilated(  # noqa: E731
        x, kernel, (stride, stride), [(margin, margin)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    ours = functools.partial(convolve, stride=stride)
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

    return {
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
            "ours": run(gradient(ours, 1), x, kernel, dy),
            "PyTorch": lambda: back([False, True, False]),
        },
    }


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
                cells = [1e3 * times[name] for name in COLUMNS[4:7]]
                size, channels = f"{shape[0]}x{shape[1]}", f"{shape[2]} -> {shape[3]}"
                rows.append(
                    [
                        kind,
                        size,
                        channels,
                        direction,
                        *cells,
                        flops / times["ours"] / 1e9,
                        times["PyTorch"] / times["ours"],
                    ]
                )
                print(*rows[-1], flush=True)
    tables.show("convolutions", COLUMNS, rows)


if __name__ == "__main__":
    main()
