"""What a tree holds, by name, and how two differ: a restored tree is compared before it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax

from sde_seg_jax.training.checkpoint_errors import CheckpointError

SHOWN_DIFFERENCES = 5


def named_leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """('student/params/encoder/...', leaf) of arrays, abstract arrays and orbax metadata alike."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda x: hasattr(x, "shape"))
    return (("/".join(_part(p) for p in path), leaf) for path, leaf in flat if hasattr(leaf, "shape"))


def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Name -> shape, that of the raw words for a key of randomness."""
    return {name: _stored_shape(leaf) for name, leaf in named_leaves(tree)}


def is_key(leaf: Any) -> bool:
    """Is it a typed key of randomness? It is stored as its raw words."""
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def differences(found: dict, expected: dict) -> list[str]:
    """Readable lines, one for each key that is missing, left over or of another shape."""
    lines = [f"{k}: missing in the checkpoint" for k in expected if k not in found]
    lines += [f"{k}: only in the checkpoint" for k in found if k not in expected]
    both = [k for k in expected if k in found and found[k] != expected[k]]
    return lines + [f"{k}: {found[k]} in the checkpoint, {expected[k]} expected" for k in both]


def require_same(found: dict, expected: dict, where: Any) -> None:
    """Raises CheckpointError that lists the first differing parameters."""
    lines = sorted(differences(found, expected), key=lambda line: not line.startswith("student/params/"))
    if lines:  # parameters first: the optimiser's and the teacher's differ as they do
        more = f"; and {len(lines) - SHOWN_DIFFERENCES} more" if len(lines) > SHOWN_DIFFERENCES else ""
        shown = "; ".join(lines[:SHOWN_DIFFERENCES])
        raise CheckpointError(
            f"checkpoint {where} is of another architecture: {shown}{more}. Use the config it was trained with"
        )


def _stored_shape(leaf) -> tuple[int, ...]:
    return tuple((jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf).shape)


def _part(entry) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    return str(entry)
