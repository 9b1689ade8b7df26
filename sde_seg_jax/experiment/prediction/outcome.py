"""What came of a prediction of files, told in a few lines."""

from __future__ import annotations

import pathlib

from sde_seg_jax.data.raw_files.listing import kinds
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction.files import Written
from sde_seg_jax.reporter import Reporter


def tell(done: Written, folder: pathlib.Path, reporter: Reporter) -> None:
    """Tells it. Raises UsageError if files could not be read, after naming them."""
    skipped = f", {done.skipped} file(s) were done before" if done.skipped else ""
    reporter.tell(f"{done.count} image(s): {', '.join(done.kinds) or 'nothing'} in {folder}{skipped}")
    if done.depth:
        reporter.tell(done.depth)
    if done.other:
        reporter.tell(f"not read: {kinds(done.other)}")
    for message in done.bad:
        reporter.warn(f"not predicted: {message}")
    if done.bad:
        raise UsageError(f"{len(done.bad)} of {done.files} files could not be read; they are listed above")
