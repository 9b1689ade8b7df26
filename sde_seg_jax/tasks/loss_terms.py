"""Loss terms by name, and their weighted sum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from sde_seg_jax.lookup import Kind
from sde_seg_jax.tasks.forward import default_float
from sde_seg_jax.types import View

TERMS = Kind("loss term", "sde_seg_jax.losses", attribute="term", group="sde_seg_jax.losses")

WEIGHT = "weight"

Losses = Mapping[str, float | Mapping[str, Any]]  # the section losses of a configuration


def find_loss(name: str) -> ModuleType:
    """A loss module by name."""
    return TERMS.find(name)


def reads_label(name: str) -> bool:
    """Does a term read the ground truth? It is left out where there is none."""
    return getattr(find_loss(name), "NEEDS_LABEL", False)


def imitates(name: str) -> bool:
    """Does a term imitate a disparity? It is left out where there is none."""
    return getattr(find_loss(name), "NEEDS_REFERENCE", False)


def split(losses: Losses) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
    """(weight, options) of each term: a term stands for its weight alone, or for {"weight": ..., option: ...}."""
    mappings = {name: dict(value) for name, value in losses.items() if isinstance(value, Mapping)}
    weights = {name: mappings[name].pop(WEIGHT) if name in mappings else value for name, value in losses.items()}
    return weights, mappings


def terms(
    losses: Losses, view: View, rng: jax.Array, options: dict[str, dict] | None = None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Weighted sum of loss terms, and each term's value before weighting.

    options: the task's for its terms; those that stand in `losses` go first.
    Raises ValueError for a term that cannot be computed, with what the task does not give it.
    """
    weights, own = split(losses)
    total, logs = jnp.zeros((), default_float()), {}
    for name, key in zip(sorted(weights), jax.random.split(rng, max(1, len(weights))), strict=True):
        chosen = {**(options or {}).get(name, {}), **own.get(name, {})}
        logs[name] = _value(name, view, key, chosen)
        total = total + weights[name] * logs[name]
    return total, logs


def _value(name: str, view: View, key: jax.Array, options: Mapping[str, Any]) -> jax.Array:
    term = find_loss(name).term
    try:
        return term(view, key, **options)
    except (TypeError, AttributeError, IndexError, ValueError) as error:
        absent = [f.name for f in dataclasses.fields(view) if getattr(view, f.name) is None]
        absent += [
            f"outputs.{f.name}" for f in dataclasses.fields(view.outputs) if getattr(view.outputs, f.name) is None
        ]
        raise ValueError(
            f"loss term '{name}' failed ({type(error).__name__}: {error}). This task gives its terms no "
            f"{', '.join(absent)}: leave a term that reads these out of config.losses, or choose another task"
        ) from error
