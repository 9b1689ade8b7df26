"""Digests of a checkpoint's arrays: stored with it and compared when it is read, since a disk may return other bits.

What reads arrays finds damage in their frames, but not in their values.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from sde_seg_jax.training.fingerprint import fingerprint
from sde_seg_jax.training.tree_shapes import is_key, named_leaves


class NotFinite(ValueError):
    """A tree has a number that is not finite; the message names the array."""


def digests(tree: Any) -> dict[str, str]:
    """Name -> fingerprint of every array of a tree. Raises NotFinite."""
    leaves = dict(named_leaves(tree))
    with concurrent.futures.ThreadPoolExecutor() as pool:  # hashing leaves Python's lock
        return dict(zip(leaves, pool.map(_checked, leaves, leaves.values()), strict=True))


def changed(tree: Any, stored: Mapping[str, str], metadata: Any) -> str:
    """The first array of a tree that has a stored digest and another one now; "" if there is none.

    An array that lacks a digest counts, unless none has one. `metadata`: the stored tree with dtypes for arrays. What
    was read as another dtype is not compared.
    """
    if not stored:
        return ""
    kinds = {name: leaf.dtype for name, leaf in named_leaves(metadata)}
    known = {name: leaf for name, leaf in named_leaves(tree) if is_key(leaf) or leaf.dtype == kinds.get(name)}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = pool.map(_digest, known.values())
        return next((name for name, now in zip(known, found, strict=True) if now != stored.get(name)), "")


def digest_of_json(value: Any) -> str:
    """That of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _checked(name: str, leaf: Any) -> str:
    if not is_key(leaf) and jax.numpy.issubdtype(leaf.dtype, np.floating) and not np.isfinite(_host(leaf)).all():
        raise NotFinite(f"{name} is not finite")
    return _digest(leaf)


def _digest(leaf: Any) -> str:
    return fingerprint({"": _host(jax.random.key_data(leaf) if is_key(leaf) else leaf)})


def _host(leaf: Any) -> np.ndarray:
    """The values, of one device's part: what an array gives of itself it keeps, and could not be donated then."""
    return np.asarray(leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf)
