"""Loss terms by name, and their weighted sum."""

from __future__ import annotations

from types import ModuleType

import jax
import jax.numpy as jnp

from sde_seg_jax.lookup import Kind
from sde_seg_jax.tasks.forward import default_float
from sde_seg_jax.types import View

TERMS = Kind("loss term", "sde_seg_jax.losses", attribute="term", group="sde_seg_jax.losses")


def find_loss(name: str) -> ModuleType:
    """A loss module by name."""
    return TERMS.find(name)


def terms(
    losses: dict[str, float], view: View, rng: jax.Array, options: dict[str, dict] | None = None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Weighted sum of loss terms, and each term's value before weighting."""
    options = options or {}
    total, logs = jnp.zeros((), default_float()), {}
    for name, key in zip(sorted(losses), jax.random.split(rng, max(1, len(losses))), strict=True):
        logs[name] = find_loss(name).term(view, key, **options.get(name, {}))
        total = total + losses[name] * logs[name]
    return total, logs
