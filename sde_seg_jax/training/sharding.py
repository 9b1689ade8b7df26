"""All devices, one program: the batch is split over a mesh, the state is replicated.

Under one `jit` with a split batch, batch-norm statistics and losses are those of the global batch, so the result does
not depend on the number of devices (up to rounding).
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sde_seg_jax.types import Streams

AXIS = "batch"


def make_mesh(batch_sizes: list[int]) -> Mesh:
    """A mesh over as many devices as divide every batch size (all, if they do)."""
    devices = jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if all(size % n == 0 for size in batch_sizes))
    return jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,), devices=devices[:count])


@jax.jit
def copied(tree: Any) -> Any:
    """The tree on the device, each leaf in a buffer of its own.

    One program for all leaves: `jnp.array` would compile one, or two, for every shape.
    """
    return jax.tree.map(lambda x: jnp.array(x, copy=True), tree)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copies a host or single-device tree to every device of the mesh, each leaf into a buffer of its own.

    Leaves that share a buffer (equal zeros of a fresh optimiser) could not be donated.
    """
    everywhere = NamedSharding(mesh, PartitionSpec())
    # copied first: with several devices device_put(may_alias=False) still shares buffers, even among the devices
    return jax.tree.map(lambda x: jax.device_put(x, everywhere), copied(tree))


def put(streams: Streams, mesh: Mesh) -> Streams:
    """This host's slice of the global batch -> arrays split over the mesh. Sample names stay on the host."""
    split = NamedSharding(mesh, PartitionSpec(AXIS))
    streams = jax.tree.map(lambda x: None if x.dtype.kind in "OUS" else x, streams)
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(split, np.ascontiguousarray(x)), streams)


def to_devices(batches: Iterator[Streams], mesh: Mesh, ahead: int = 2) -> Iterator[Streams]:
    """`put` for a whole stream, `ahead` batches before they are needed, so that copying overlaps with computing."""
    waiting: collections.deque[Streams] = collections.deque()
    for streams in batches:
        waiting.append(put(streams, mesh))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def compile_step(step: Callable, mesh: Mesh) -> Callable:
    """jit over the mesh; the old state's memory is reused for the new one (donated)."""
    everywhere = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec(AXIS))
    return jax.jit(step, in_shardings=(everywhere, split), out_shardings=(everywhere, everywhere), donate_argnums=0)
