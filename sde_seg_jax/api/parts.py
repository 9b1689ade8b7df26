"""Parts of a run in your hands: a training loop of your own, samples and classes to look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sde_seg_jax import compiled
from sde_seg_jax.api.arguments import Path, checked
from sde_seg_jax.reporter import CONSOLE, Reporter

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from sde_seg_jax.experiment.run import Run
    from sde_seg_jax.label_spaces import LabelSpace
    from sde_seg_jax.types import Batch


def start(config: ConfigDict, *, runs: Path | None = None, reporter: Reporter = CONSOLE) -> Run:
    """A run in your hands, for a training loop of your own.

    >>> run = sds.start(config, reporter=sds.SILENT)
    >>> for batch in run.batches:
    ...     run.state, logs = run.step(run.state, batch)
    >>> int(run.state.step), sorted(logs)[:2]
    (3, ['cross_entropy', 'gradient_norm'])
    >>> run.save("runs/mine")

    `run.compile(loss)` makes a step with another loss, `run.evaluate()` gives validation scores, `run.mix(batch)` what
    is mixed, `run.pictures(batch)` pictures of it.

    Args:
      config: a configuration; it is not changed.
      runs: the folder of runs where "@stage" is looked for.
      reporter: is told what goes on.

    Raises:
      ValueError: the configuration cannot be used; names key and remedy.
    """
    from sde_seg_jax.experiment.run import start as run

    compiled.keep()
    return run(checked(config), None if runs is None else os.fspath(runs), reporter)


def examples(config: ConfigDict, count: int = 4, fields: tuple[str, ...] = ("label",)) -> Batch:
    """Validation samples, spread evenly over the set, for pictures.

    >>> batch = sds.examples(config, count=2)
    >>> batch.image.shape, batch.label.dtype
    ((2, 64, 64, 3), dtype('uint8'))

    Args:
      config: says which prepared data.
      count: of samples; of a smaller set all.
      fields: besides image and intrinsics: label, depth (metres), neighbors, pose.
    """
    from sde_seg_jax.data.fields import OPTIONAL_FIELDS
    from sde_seg_jax.experiment.source_data import open_streams
    from sde_seg_jax.lookup import suggest

    unknown = [field for field in fields if field not in OPTIONAL_FIELDS]
    if unknown:
        raise ValueError(f"unknown field; {suggest(unknown[0], OPTIONAL_FIELDS)}")
    return open_streams(checked(config)).examples(fields, count)


def label_space(config: ConfigDict) -> LabelSpace:
    """The classes of a configuration: names and colors by class id.

    >>> sds.label_space(config).classes[0]
    'road'

    Raises ValueError if nothing tells them yet: prepare the data first.
    """
    from sde_seg_jax.experiment.spaces import space_of

    found = space_of(checked(config))
    if found is None:
        raise ValueError(f"nothing tells the classes of '{config.data.dataset}' yet: prepare its data first")
    return found
