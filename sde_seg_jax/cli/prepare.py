"""Prepares a data set once: python -m sde_seg_jax.cli.prepare --config=configs/camvid.py --config.data.raw_dir=DIR

Writes it downsized and with random access to data.prepared_dir, a folder or an address like gs://bucket/folder; tells
first how much room it needs. With a source domain (config.source_data) both data sets are prepared. A second call finds
it done, one after an interruption goes on where that stopped. Training prepares by itself what is not prepared yet.
Exit status: 0 done, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.data.preparing import prepare as preparation
from sde_seg_jax.data.stored.codings import CODECS
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.prepare import prepare_arguments, prepare_domains
from sde_seg_jax.experiment.source_data import domains
from sde_seg_jax.reporter import CONSOLE

SHOWN = 3  # left-out samples that are printed; the file lists all


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_integer("workers", 0, "processes; 0: one a core", lower_bound=0, flag_values=values)
    absl_flags.DEFINE_bool("skip_bad", False, "leave samples with a problem out and list them", flag_values=values)
    absl_flags.DEFINE_alias("skip-bad", "skip_bad", flag_values=values)
    absl_flags.DEFINE_enum(
        "image_format", None, list(CODECS), "jpeg: quality 98; png: exact, larger, slower to read", flag_values=values
    )
    absl_flags.DEFINE_list("splits", [], "which to prepare; default: those that the config names", flag_values=values)
    absl_flags.DEFINE_bool("estimate_only", False, "tell the room that is needed, write nothing", flag_values=values)


def main(arguments: Arguments) -> None:
    """Prepares the data sets of the command line's configuration."""
    if not arguments.path:
        raise UsageError("cli.prepare needs --config=FILE")
    config = arguments.config()
    options = {"workers": arguments.workers or None, "skip_bad": arguments.skip_bad}
    if arguments.image_format:
        options["image_format"] = arguments.image_format
    if arguments.estimate_only:
        target, *source = domains(config)
        preparation.estimate(**prepare_arguments(target, arguments.splits), tell=CONSOLE.tell, **options)
        for one in source:
            preparation.estimate(**prepare_arguments(one), tell=CONSOLE.tell, **options)
        return
    for folder in prepare_domains(config, arguments.splits, CONSOLE, **options):
        for line in describe(folder):
            CONSOLE.tell(line)
        CONSOLE.tell(f"prepared: {folder}")


def describe(folder: str | os.PathLike) -> Iterator[str]:
    """Yields lines on prepared data: the classes' share of the labeled pixels, and what was left out."""
    facts = preparation.metadata(folder)
    for split, entry in facts["splits"].items():
        labeled = sum(entry["labeled"])
        yield f"{split}: {len(entry['names'])} samples, {labeled} labeled; {', '.join(entry['fields']) or 'no fields'}"
        pixels, ignored = facts["class_pixels"][split], facts["ignored_pixels"][split]
        total = sum(pixels) + ignored
        if not total:
            continue
        names = [*facts["space"][1], "(no class)"]
        width = max(map(len, names))
        yield f"  {'class':{width}}  share %  images"
        images = [*facts["class_images"][split], None]
        for name, count, within in zip(names, [*pixels, ignored], images, strict=True):
            yield f"  {name:{width}}  {100 * count / total:7.2f}  {'' if within is None else within:>6}".rstrip()
    left_out = [f"{split}: {line}" for split, lines in facts["left_out"].items() for line in lines]
    if left_out:
        yield f"left out: {len(left_out)} samples, listed in {folder}/{preparation.LEFT_OUT}"
        yield from (f"  {line}" for line in left_out[:SHOWN])


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
