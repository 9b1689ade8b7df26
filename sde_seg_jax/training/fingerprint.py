"""Which weights are these? A digest of the values, whatever device they were on and whatever file they came from."""

from __future__ import annotations

import hashlib
from typing import Any

import jax
import numpy as np

SHOWN = 12  # hexadecimal digits in messages


def fingerprint(tree: Any) -> str:
    """SHA-256 (hexadecimal) of a tree's leaves: name, dtype, shape and little-endian values, in the order of names."""
    leaves = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    digest = hashlib.sha256()
    for name in sorted(leaves):
        value = np.asarray(leaves[name])
        value = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        digest.update(f"{name} {value.dtype.name} {value.shape}\n".encode())
        digest.update(value.reshape(-1).view(np.uint8))  # the bytes themselves: a copy takes longer than the digest
    return digest.hexdigest()
