"""Prepares a data set once: python -m sde_seg_jax.cli.prepare --config=configs/camvid.py --config.data.raw_dir=DIR

Writes it downsized and with random access to data.prepared_dir; a second call finds it done. Training does this by
itself when nothing is prepared yet. Exit status: 0 done, 2 bad input, 130 interrupted (nothing half-done stays).
"""

from __future__ import annotations

import sys

from ml_collections import config_dict

from sde_seg_jax.cli.config import Arguments, UsageError, plain, run
from sde_seg_jax.data import prepare as preparation


def prepare_data(config: config_dict.ConfigDict) -> str:
    """Prepares what the data and dataset sections name, unless that is done; returns the prepared folder.

    Only the splits that the data section names: the video of a large data set takes many times the space of the rest.
    """
    data = config.data
    named = (data.train_split, data.video_split, data.get("unlabeled_split", ""), data.val_split)
    return str(
        preparation.prepare(
            data.dataset,
            raw_dir=data.raw_dir or None,
            prepared_dir=data.prepared_dir,
            size=tuple(data.size),
            splits=tuple(dict.fromkeys(split for split in named if split)),
            **plain(config.dataset),
        )
    )


def main(arguments: Arguments) -> None:
    """Prepares the data set of the command line's configuration."""
    if not arguments.path:
        raise UsageError("cli.prepare needs --config=FILE")
    print(f"prepared: {prepare_data(arguments.config())}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__))
