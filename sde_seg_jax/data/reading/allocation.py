"""Memory of the readers: how freed memory is reused, and how much samples take."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from sde_seg_jax.data.fields import FIELDS

KEPT = 31 << 20  # bytes; glibc adapts to blocks up to 32 MiB


def keep_freed_memory() -> None:
    """Lets the C library reuse freed memory instead of returning it: every image would be mapped page by page anew.

    glibc raises the size from which blocks are mapped alone, and that from which free memory is returned, to once and
    twice the size of the largest mapped block that was freed (mallopt(3), M_MMAP_THRESHOLD). So one block is taken and
    freed, untouched. Other C libraries don't mind.
    """
    np.empty(KEPT, np.uint8)


def decoded_bytes(source, fields: Sequence[str]) -> int:
    """Bytes of all samples of a `stream.Source`, decoded, with the given optional fields."""
    height, width = source.size
    return len(source) * height * width * sum(FIELDS[field].pixel_bytes for field in ("image", *fields))


def check_fits(source, fields: Sequence[str], available: int) -> str:
    """Returns `caching 367 samples: 510 MB`; more than the `available` bytes of memory are an error.

    Raises:
      ValueError: it does not fit, with the remedy.
    """
    wanted = decoded_bytes(source, fields)
    if wanted > available:
        raise ValueError(
            f"caching {len(source)} samples of {source.name!r} takes {_text(wanted)}, "
            f"{_text(available)} of memory are free; set data.in_memory=false or prepare a smaller data.size"
        )
    return f"caching {len(source)} samples: {_text(wanted)}"


def _text(count: float) -> str:
    """Bytes with three digits: 510 MB, 1.52 GB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB" if count < 999.5 else f"{count:.0f} GB"


def available_memory() -> int:
    """Bytes that can be taken without swapping, as Linux estimates; elsewhere the physical memory."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
