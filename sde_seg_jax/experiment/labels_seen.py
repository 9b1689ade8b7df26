"""Whether training sees labels: where every pixel is to be ignored the loss is a finite 0, and nothing is learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp

from sde_seg_jax.types import IGNORE, Streams

FIRST = 100  # batches after which it is told again
LOOK = "look at the labels with cli.doctor"


def told_of_labels(batches: Iterator[Streams], warn: Callable[[str], None], first: int = FIRST) -> Iterator[Streams]:
    """The same batches; warns if no pixel of the first one has a label, and again if none of the first `first` has.

    The device answers, and is asked at these two batches alone. Streams without labels are not looked at.
    """
    seen: list[dict[str, jax.Array]] = []
    for number, streams in enumerate(batches, start=1):
        labels = {name: batch.label for name, batch in vars(streams).items() if batch is not None}
        labels = {name: label for name, label in labels.items() if label is not None and name != "unlabeled"}
        if labels and number <= first:
            seen.append(_any_label(labels))
        if number == 1:
            for name in _without(seen):
                warn(f"warning: no pixel of the first {name} images has a label; if that is so for all, {LOOK}")
        yield streams
        if number == first:
            _tell(seen, warn)
    if len(seen) < first:
        _tell(seen, warn)


def _tell(seen: list[dict[str, jax.Array]], warn: Callable[[str], None]) -> None:
    for name in _without(seen):
        warn(
            f"warning: no pixel of {len(seen)} batches of {name} images has a label: nothing is learnt of them; {LOOK}"
        )


def _without(seen: list[dict[str, jax.Array]]) -> list[str]:
    """The streams that had no label."""
    fetched = jax.device_get(seen)
    return [name for name in (fetched[0] if fetched else ()) if not any(one[name] for one in fetched)]


@jax.jit
def _any_label(labels: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {name: jnp.any(label != IGNORE) for name, label in labels.items()}
