"""Caches disparities: python -m sde_seg_jax.cli.cache_depth --config=FILE --checkpoint=DIR [--splits=train,video]

DIR is the workdir of a depth run, a converted checkpoint, or weights of Depth Anything V2: a file, a folder, or
hf://depth-anything/Depth-Anything-V2-Small-hf, which needs no video and no training. Writes the disparity of every
stored image (whole, 16 bit) beside the prepared data, under the name config.data.depth_cache (default: that of DIR);
training with that key set reads them instead of running the depth network. With --source they are those of the images
in config.source_data (GTA5, by a depth run on VIPER), and the key is config.source_data.depth_cache.

--from_files=DIR takes the maps of another program instead: DIR/NAME.npy, .npz, .pfm or 16-bit .png for every sample
NAME, which hold --kind=depth (metres), inverse (1/m) or disparity (any unit). No network is needed.

On many machines: --part=1/16 to --part=16/16, one each, all with the same flags and the same prepared data. A part that
was lost is given again; the last one to end finishes the cache. Or several processes as one (--coordinator, as in
cli.train), which write files of their own each, --shard_size samples a file.

A second call finds it done. Exit status: 0 done, 2 bad input, 130 stopped (finished files stay; the same command
continues).
"""

from __future__ import annotations

import sys

from absl import flags as absl_flags

from sde_seg_jax.cli import process_flags
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.data.stored.choices import SHARD_SIZE
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.part import WHOLE, Part
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    process_flags.define(values)
    absl_flags.DEFINE_list("splits", [], "default: the configuration's train and unlabeled", flag_values=values)
    absl_flags.DEFINE_integer("batch_size", 8, "images at a time, over all devices", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_integer("shard_size", SHARD_SIZE, "samples a file", lower_bound=1, flag_values=values)
    absl_flags.DEFINE_bool("source", False, "of the source domain, config.source_data", flag_values=values)
    absl_flags.DEFINE_string("from_files", "", "folder with maps of another program", flag_values=values)
    absl_flags.DEFINE_string("kind", "", "what they hold: depth, inverse or disparity", flag_values=values)
    near = "depth that becomes disparity 1, in the unit of the maps"
    absl_flags.DEFINE_float("near", 1.0, near, lower_bound=0.0, flag_values=values)
    absl_flags.DEFINE_bool("any_order", False, "accept maps whose bottom is farther than their top", flag_values=values)
    absl_flags.DEFINE_bool("replace", False, "make a cache of other weights or samples again", flag_values=values)
    absl_flags.DEFINE_string("part", "", "NUMBER/COUNT: write only this part of the files", flag_values=values)


def main(arguments: Arguments) -> None:
    """Caches what the command line names."""
    if not arguments.path or bool(arguments.checkpoint) == bool(arguments.from_files):
        wanted = "--config=FILE (which data) and --checkpoint=DIR (a depth run, or weights of Depth Anything V2)"
        raise UsageError(f"cli.cache_depth needs {wanted} or --from_files=DIR (maps of depth)")
    part = Part.parse(arguments.part) if arguments.part else WHOLE
    if part != WHOLE and arguments.replace:
        raise UsageError("--replace with --part would delete what other parts write: delete the old cache first")
    from sde_seg_jax.experiment.cached_depth import SOURCE
    from sde_seg_jax.experiment.depth_cache import cache_depth
    from sde_seg_jax.experiment.depth_files import cache_files
    from sde_seg_jax.experiment.source_data import source_config

    options = {key: getattr(arguments, key) for key in ("splits", "shard_size", "replace")} | {"part": part}
    config, section = arguments.config(), "data"
    if arguments.source:
        config, section = source_config(config), SOURCE
    if arguments.from_files:
        options |= {"near": arguments.near, "any_order": arguments.any_order}
        name = cache_files(config, arguments.from_files, arguments.kind, **options, reporter=CONSOLE)
    else:
        options["batch_size"] = arguments.batch_size
        name = cache_depth(config, arguments.checkpoint, **options, reporter=CONSOLE)
    then = "when all parts are written, train" if part != WHOLE else "train"
    print(f"{then} with --config.{section}.depth_cache={name}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
