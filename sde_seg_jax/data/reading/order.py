"""Which sample stands where in the endless, shuffled order of training: a function of (seed, position)."""

from __future__ import annotations

import functools

import numpy as np

# first word of every seed sequence: shuffling, augmentation, choosing labels and matching never share random numbers
SHUFFLE, AUGMENT, CHOOSE, MATCH = 0, 1, 2, 3


def sample_at(position: int, count: int, seed: int, shuffle: bool = True) -> tuple[int, int]:
    """Returns (epoch, sample) at `position` of the endless order over `count` samples.

    epoch = position // count; sample = permutation(seed, epoch)[position % count], unshuffled
    position % count.
    """
    epoch, place = divmod(position, count)
    return epoch, int(permutation(seed, epoch, count)[place]) if shuffle else place


@functools.lru_cache(maxsize=16)  # readers run ahead over an epoch's end, for several streams
def permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of epoch `epoch`; every sample once."""
    return np.random.default_rng((SHUFFLE, seed, epoch)).permutation(count)


def rng_at(seed: int, position: int, purpose: int = AUGMENT) -> np.random.Generator:
    """The random numbers of the sample at `position`, the same whoever reads it and whenever."""
    return np.random.default_rng((purpose, seed, position))


def host_slice(batch_size: int, host_index: int, host_count: int) -> tuple[int, int]:
    """Returns (offset, count) of this host's contiguous share of a global batch of `batch_size`.

    Raises:
      ValueError: the batch cannot be divided evenly, or there is no such host.
    """
    if batch_size < 1 or batch_size % host_count:
        raise ValueError(f"batch_size {batch_size} is no positive multiple of the {host_count} hosts")
    if not 0 <= host_index < host_count:
        raise ValueError(f"host_index {host_index} is outside 0..{host_count - 1}")
    share = batch_size // host_count
    return host_index * share, share
