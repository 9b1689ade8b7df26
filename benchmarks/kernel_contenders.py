"""A kernel's contenders, our forms of it and PyTorch's, ready to be called and compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import kernel_forms
import numpy as np
from kernel_spec import OURS, Kernel

PRECISION = {"float32": "highest", "tf32": None, "bfloat16": None}  # of jax's matrix products


def precision(dtype: str, peers: list[str]):
    """How both sides compute matrix products of float32 from now on; ours within the returned context."""
    if peers:
        import kernel_peers

        kernel_peers.prepare(dtype)
    return jax.default_matmul_precision(PRECISION[dtype])


@dataclasses.dataclass
class Contender:
    """One way to compute a kernel."""

    call: Callable[[], Any]  # returns once the work is done
    arrays: Callable[[Any], list[np.ndarray]]  # what `call` returned, as the compared results in our layout


def to_compare(kernel: Kernel, peers: list[str]) -> dict[str, Contender]:
    """Those of a kernel that must give the same numbers, in float32; of the peers "eager" if it is among them."""
    ours, peer = kernel.ours, kernel.peer
    if kernel.checked:
        ours, peer = {OURS: kernel.checked[0]}, kernel.checked[1]
    ours = {name: form for name, form in ours.items() if name not in kernel.others}
    return _contenders(kernel, ours, peer, "float32", [name for name in peers if name == "eager"])


def to_time(kernel: Kernel, dtype: str, peers: list[str]) -> dict[str, Contender]:
    """All of a kernel."""
    peers = [name for name in peers if name == "eager" or kernel.compiles]
    return _contenders(kernel, kernel.ours, kernel.peer, dtype, peers)


def _contenders(kernel: Kernel, ours: Mapping[str, Callable], peer: Callable, dtype: str, peers: list[str]):
    given = kernel.arrays()
    narrow = jnp.bfloat16 if dtype == "bfloat16" else jnp.float32
    arrays = [jnp.asarray(x, narrow if i.narrow else jnp.float32) for x, i in zip(given, kernel.inputs, strict=True)]
    found = {name: _ours(kernel, form, arrays) for name, form in ours.items()}
    for name in peers:
        found[name] = _peer(kernel, peer, given, dtype, compiled=name == "compiled")
    return found


def _ours(kernel: Kernel, function: Callable, arrays: list[jax.Array]) -> Contender:
    call = kernel_forms.start(function, kernel.mode, kernel.wrt, kernel.aux, arrays)
    return Contender(
        lambda: jax.block_until_ready(call()),
        lambda results: [np.asarray(x, np.float32) for x in results[: len(kernel.layouts)]],
    )


def _peer(kernel: Kernel, make: Callable, given: list[np.ndarray], dtype: str, *, compiled: bool) -> Contender:
    import kernel_peers as peers

    tensors = [
        peers.tensor(x, i.layout, dtype if i.narrow else "float32", channels_last=compiled, leaf=n in kernel.wrt)
        for n, (x, i) in enumerate(zip(given, kernel.inputs, strict=True))
    ]
    start = peers.start(make(peers), kernel.mode, kernel.wrt, tensors, compiled=compiled)

    def call():
        results = start()
        peers.wait()
        return results

    return Contender(
        call, lambda results: [peers.array(x, layout) for x, layout in zip(results, kernel.layouts, strict=True)]
    )


def differences(kernel: Kernel, found: dict[str, Contender]) -> dict[str, list[float]]:
    """|a - b| / |b| (L2) of each compared result of each contender, b being the package's own form."""
    results = {name: c.arrays(c.call()) for name, c in found.items() if name not in kernel.others}
    ours = results.pop(OURS)
    return {name: [_relative(a, b) for a, b in zip(other, ours, strict=True)] for name, other in results.items()}


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.linalg.norm((a - b).ravel()) / max(np.linalg.norm(b.ravel()), 1e-30))


def too_large(kernel: Kernel, found: dict[str, list[float]]) -> list[str]:
    """What differs by more than float32 explains, in words."""
    return [
        f"{kernel.name}, {name}, result {i}: relative difference {value:.2g}, rounding explains {bound:.2g}"
        for name, values in found.items()
        for i, (value, bound) in enumerate(zip(values, kernel.tolerances(), strict=True))
        if not value <= bound  # nor is a NaN
    ]
