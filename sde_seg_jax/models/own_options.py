"""Options that only one encoder or decoder has, as a dictionary in the configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sde_seg_jax.bounds import complaints
from sde_seg_jax.lookup import suggest


def checked(
    maker: Callable, options: Mapping[str, Any], key: str, whose: str, given: Collection[str] = ()
) -> dict[str, Any]:
    """`options` with tuples for lists (modules must be hashable), if `maker` takes them beside those that are `given`.

    Raises ValueError, naming the configuration's `key`, for an option that is unknown or cannot be so.
    """
    parameters = inspect.signature(maker).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(options)
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in given]
    for name in options:
        if name not in known:
            hint = suggest(name, known) if known else "it has none of its own"
            raise ValueError(f"{key}: {whose} has no option '{name}'; {hint}")
    for name, expected in complaints(maker, options).items():
        raise ValueError(f"{key}.{name}={options[name]!r}: expected {expected}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
