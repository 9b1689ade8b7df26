"""Whether a new state is finite: told with every step's logs, since a finite loss speaks of the state before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from sde_seg_jax.types import TrainState

PREFIX = "state_finite/"  # such logs are answers, no quantities: the loop reads them, and does not log them
PARTS = {
    "student": "numbers of the student",
    "optimizer": "numbers of the optimiser",
    "teacher": "numbers of the teacher",
}


def finite_parts(state: TrainState) -> dict[str, Bool[Array, ""]]:
    """Logs "state_finite/PART": is every number of that part finite? Parts that the state lacks are absent."""
    trees = (state.student, state.opt_state, state.teacher)
    present = [(part, tree) for part, tree in zip(PARTS, trees, strict=True) if jax.tree.leaves(tree)]
    return {f"{PREFIX}{part}": all_finite(tree) for part, tree in present}


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Is every floating-point number of a tree finite?

    The largest magnitude is: a maximum per row of each array, then one of them all (`optimizers.joint_norm` says why).
    """
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating) and x.size]
    if not leaves:
        return jnp.ones((), bool)
    wide = jnp.float64 if any(x.dtype == jnp.float64 for x in leaves) else jnp.float32
    rows = [(jnp.abs(x).max(axis=-1) if x.ndim > 1 else jnp.abs(x)).ravel().astype(wide) for x in leaves]
    return jnp.isfinite(jax.lax.optimization_barrier(jnp.concatenate(rows)).max())


def not_finite(logs: Mapping[str, Any]) -> str:
    """What of a step's new state is not finite, in words; "" if all is."""
    return " and ".join(words for part, words in PARTS.items() if not logs.get(f"{PREFIX}{part}", True))
