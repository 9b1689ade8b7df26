"""Applies a checkpoint to your images: python -m sde_seg_jax.cli.predict --checkpoint=DIR --input=PATH --output=DIR

PATH is an image, a video, a folder of them with all folders below, a pattern ('photos/**/*.jpg', in quotes), a list of
files (files.txt, one a line), or - for such a list on standard input. For each image NAME it writes, of --outputs:
  classes        NAME_classes.png, class ids; classes.json and legend.png beside it say which these are
  overlay        NAME_overlay.png, class colors over the image; of a video overlay.mp4, too
  depth          NAME_depth.png, 16 bit, value / 256 = depth; NAME_depth_color.png, near is bright; of a video depth.mp4
  entropy        NAME_entropy.png, 8 bit, 0 = sure, 255 = every class is equally probable; NAME_entropy_color.png
  probabilities  NAME_probabilities.npy, float16 [height, width, classes]
The default is what the checkpoint gives of the first three. All at the size at which the input is shown. The output
mirrors the tree of a folder, a video has a folder of its own, and names that would be equal get the suffix (a_jpg).
With --depth_checkpoint=DIR depth comes from another checkpoint, in the same call. docs/predict.md explains the rest.

How the network is asked (default: about the whole image at once, with as many pixels as in training):
  --window=HxW --stride=HxW    in windows that slide over the image, whose logits are averaged (height first: 512x1024)
  --scales=0.75,1,1.25 --flip  the mean over sizes of the image, and over the image and its mirror image
  --resolution=full            with all pixels that the image has

Depth learnt from video has one unknown scale. --metric=camera_height:1.5 gives metres, where the camera is 1.5 m above
the road (needs a class road, and --camera=camera.json or --field_of_view=DEGREES); --metric=speed:speeds.csv by how
fast the vehicle drove, --metric=poses:poses.txt by where it was (KITTI, TUM), each of one video or folder of frames,
with a network that learnt depth from video; --metric=factor:3.2 if you know it.
--smooth=0.5 makes classes of videos steadier: those of the frame before count a half, moved by depth and camera motion
(which need --camera or --field_of_view, too; --still_camera needs neither), and says how much they flicker.
predictions.jsonl says which, and what is done: with --resume the same command goes on where an earlier one stopped.
Exit status: 0 done, 2 bad input: also if some of several files could not be read, which are listed at the end.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags as absl_flags

from sde_seg_jax.cli import movement_flags, protocol_flags
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """This command's own flags."""
    absl_flags.DEFINE_string("input", "", "image, video, folder, pattern, list, or -", flag_values=values)
    absl_flags.DEFINE_string("output", "predictions", "folder to write", flag_values=values)
    absl_flags.DEFINE_string("depth_checkpoint", "", "checkpoint that predicts depth", flag_values=values)
    absl_flags.DEFINE_enum("weights", "student", ["student", "teacher"], "which weights", flag_values=values)
    absl_flags.DEFINE_list("outputs", [], "classes,overlay,depth,entropy,probabilities", flag_values=values)
    absl_flags.DEFINE_bool("resume", False, "pass over files that are done", flag_values=values)
    absl_flags.DEFINE_integer("batch", 0, "images at once; 0: by size and device", 0, flag_values=values)
    absl_flags.DEFINE_string("temperature", "1", "of the probabilities, or auto: as evaluated", flag_values=values)
    movement_flags.define(values)
    seen = "what the network sees: as many pixels as in training, or all of the image"
    protocol_flags.define(values, ["trained", "full"], seen)


def main(arguments: Arguments) -> None:
    """Predicts for the command line's input."""
    if not arguments.checkpoint or not arguments.input:
        raise UsageError("cli.predict needs --checkpoint=DIR and --input=PATH")
    protocol = protocol_flags.protocol_of(arguments)
    from sde_seg_jax.experiment.prediction.files import write_predictions
    from sde_seg_jax.experiment.prediction.job import Wish, make_job
    from sde_seg_jax.experiment.prediction.listed import sources_of
    from sde_seg_jax.experiment.prediction.outcome import tell
    from sde_seg_jax.text_files import decode_text
    from sde_seg_jax.training.interrupted import Interrupted

    job = make_job(Wish(protocol=protocol, **{name: getattr(arguments, name) for name in Wish.FLAGS}))
    folder = pathlib.Path(arguments.output).expanduser()
    sources = sources_of(arguments.input, folder, lambda: decode_text(sys.stdin.buffer.read()).splitlines())
    try:
        done = write_predictions(sources, folder, job, CONSOLE)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command with --resume goes on where it stopped") from None
    tell(done, folder, CONSOLE)


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
