"""All devices, one program: the batch is split over a mesh, the state is replicated.

Under one `jit` with a split batch, batch-norm statistics and losses are those of the global batch, so the result does
not depend on the number of devices (up to rounding), nor on how many processes they belong to.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sde_seg_jax.processes import together
from sde_seg_jax.types import Streams

AXIS = "batch"


def make_mesh(batch_sizes: list[int]) -> Mesh:
    """A mesh over as many devices as divide every batch size (all, if they do), of each process equally many.

    Process i has the i-th part of a batch. Raises ValueError if a batch cannot be split over all processes.
    """
    hosts = together.count()
    if hosts == 1:
        return own_mesh(batch_sizes)
    wrong = [size for size in batch_sizes if size % hosts]
    if wrong:
        raise ValueError(
            f"a batch of {wrong[0]} images cannot be split over {hosts} processes: make data.batch_size / "
            f"train.micro_batches a multiple of {hosts}, or start fewer processes"
        )
    each = _most(jax.local_device_count(), [size // hosts for size in batch_sizes])
    of_all = [[d for d in jax.devices() if d.process_index == host][:each] for host in range(hosts)]
    return Mesh(np.array(of_all).reshape(-1), (AXIS,), axis_types=(AxisType.Auto,))


def own_mesh(batch_sizes: list[int]) -> Mesh:
    """The same over the devices of this process, for work that it does alone."""
    devices = jax.local_devices()
    count = _most(len(devices), batch_sizes)
    return jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,), devices=devices[:count])


def _most(devices: int, batch_sizes: list[int]) -> int:
    return max(n for n in range(1, devices + 1) if all(size % n == 0 for size in batch_sizes))


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
    if mesh.is_multi_process:
        tree = jax.tree.map(lambda x: _on_all_processes(x, everywhere), tree)
        return jax.jit(copied, out_shardings=everywhere)(tree)
    # copied first: with several devices device_put(may_alias=False) still shares buffers, even among the devices
    return jax.tree.map(lambda x: jax.device_put(x, everywhere), copied(tree))


def _on_all_processes(x: Any, everywhere: NamedSharding) -> jax.Array:
    """What is the same in every process; device_put takes no keys of randomness there."""
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        words = _on_all_processes(jax.random.key_data(x), everywhere)
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(x))
    return jax.make_array_from_process_local_data(everywhere, np.array(x))


def here(tree: Any) -> Any:
    """A replicated tree as one device of this process has it, for what the process computes alone."""

    def leaf(x: Any) -> Any:
        if not isinstance(x, jax.Array) or x.is_fully_addressable:
            return x
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(leaf(jax.random.key_data(x)), impl=jax.random.key_impl(x))
        return x.addressable_data(0)

    return jax.tree.map(leaf, tree)


def fetched(tree: Any) -> Any:
    """A tree in NumPy, in every process whole: all have to come here."""

    def leaf(x: Any) -> Any:
        whole = not isinstance(x, jax.Array) or x.is_fully_addressable or x.is_fully_replicated
        return x if whole else multihost_utils.process_allgather(x, tiled=True)

    together.barrier()
    return jax.device_get(jax.tree.map(leaf, tree))


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
