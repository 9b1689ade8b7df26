"""Applies a checkpoint to your images: python -m sde_seg_jax.cli.predict --checkpoint=DIR --input=PATH --output=DIR

PATH is an image, a folder of images or a video. For each image NAME it writes, by what the checkpoint predicts,
NAME_classes.png (class ids), NAME_overlay.png (class colours over the image), NAME_depth.png (16 bit, value / 256 =
depth up to one unknown scale) and NAME_depth_color.png (near is bright); for a video also overlay.mp4 and depth.mp4.
All at the input's size. With --depth_checkpoint=DIR depth comes from another checkpoint, in the same call.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("input", "", "image, folder of images or video", flag_values=values)
    absl_flags.DEFINE_string("output", "predictions", "folder to write", flag_values=values)
    absl_flags.DEFINE_string("depth_checkpoint", "", "checkpoint that predicts depth", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights", flag_values=values)


def main(arguments: Arguments) -> None:
    """Predicts for the command line's input."""
    if not arguments.checkpoint or not arguments.input:
        raise UsageError("cli.predict needs --checkpoint=DIR and --input=PATH")
    from sde_seg_jax.experiment.prediction.files import write_predictions
    from sde_seg_jax.experiment.prediction.model import load

    source, folder = pathlib.Path(arguments.input).expanduser(), pathlib.Path(arguments.output).expanduser()
    model = load(arguments.checkpoint, arguments.weights)
    depth = load(arguments.depth_checkpoint) if arguments.depth_checkpoint else None
    count, kinds = write_predictions(source, folder, model, depth, CONSOLE)
    print(f"{count} image(s): {', '.join(kinds)} in {folder}")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
