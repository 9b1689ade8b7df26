"""Applies a checkpoint to your images: python -m sde_seg_jax.cli.predict --checkpoint=DIR --input=PATH --output=DIR

PATH is an image, a video, or a folder of them with all folders below. For each image NAME it writes, by what the
checkpoint predicts, NAME_classes.png (class ids), NAME_overlay.png (class colours over the image), NAME_depth.png (16
bit, value / 256 = depth up to one unknown scale) and NAME_depth_color.png (near is bright); for a video also
overlay.mp4 and depth.mp4. All at the size at which the input is shown. Of a folder, DIR mirrors the tree, a video has a
folder of its own, and names that would be equal get the suffix (a_jpg, a_png). With --depth_checkpoint=DIR depth comes
from another checkpoint, in the same call.
Exit status: 0 done, 2 bad input: also if some files of a folder could not be read, which are listed at the end.
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
    absl_flags.DEFINE_string("input", "", "image, video, or folder of them", flag_values=values)
    absl_flags.DEFINE_string("output", "predictions", "folder to write", flag_values=values)
    absl_flags.DEFINE_string("depth_checkpoint", "", "checkpoint that predicts depth", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights", flag_values=values)


def main(arguments: Arguments) -> None:
    """Predicts for the command line's input."""
    if not arguments.checkpoint or not arguments.input:
        raise UsageError("cli.predict needs --checkpoint=DIR and --input=PATH")
    from sde_seg_jax.data.raw_files.listing import kinds
    from sde_seg_jax.experiment.prediction.files import write_predictions
    from sde_seg_jax.experiment.prediction.model import load

    source, folder = pathlib.Path(arguments.input).expanduser(), pathlib.Path(arguments.output).expanduser()
    model = load(arguments.checkpoint, arguments.weights)
    depth = load(arguments.depth_checkpoint) if arguments.depth_checkpoint else None
    done = write_predictions(source, folder, model, depth, CONSOLE)
    print(f"{done.count} image(s): {', '.join(done.kinds) or 'nothing'} in {folder}")
    if done.other:
        print(f"not read: {kinds(done.other)}")
    for message in done.bad:
        CONSOLE.warn(f"not predicted: {message}")
    if done.bad:
        raise UsageError(f"{len(done.bad)} of {done.files} files could not be read; they are listed above")


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
