"""Scores a checkpoint: python -m sde_seg_jax.cli.evaluate --checkpoint=runs/quickstart/semi_supervised

Needs nothing but the run's checkpoint and its prepared data (--config.data.prepared_dir=DIR if that has moved); what
cli.push wrote is not enough. Segmentation: mIoU, IoU of each class, accuracies; depth: errors with and without median
scaling, beside the best constant depth. Student and, where there is one, teacher (`teacher/...`). Prints one JSON line
last, and writes it to metrics.json and pictures of some samples to pictures/ in --workdir (default: the checkpoint's).
A camera that was learnt (model.learn_intrinsics) is printed and written to camera.json there, which the data set
`folder` reads.

Every score stands with its protocol: the whole image once, at the prepared size, unless you say otherwise:
  --resolution=trained         labels at their original size; the network sees images in their own shape, with as many
                               pixels as in training, and probabilities are enlarged, all as cli.predict does
                               (--aspect=trained: squeezed to the trained shape)
  --resolution=full            labels and images at their original size, which are prepared beside the others
  --window=HxW --stride=HxW    in windows that slide over the image, whose logits are averaged (height first: 512x1024)
  --scales=0.75,1,1.25 --flip  the mean over sizes of the image, and over the image and its mirror image
These go into a file of their own, metrics_PROTOCOL.json. Beside mIoU stand the expected calibration error (15 bins)
and the temperature with the smallest negative log likelihood, which cli.predict --temperature=auto applies.

Another data set: --config.data.dataset=camvid --config.data.prepared_dir=DIR (prepared before, or with
--config.data.raw_dir=DIR). Classes are mapped by name; mIoU is the mean over those that both have. Scores go to
metrics_camvid_val.json. Those on other images of the same data set (another data.raw_dir and data.prepared_dir, or
other options) go to metrics_FOLDER_val.json, FOLDER being that of the prepared data.

Several processes (--coordinator, as in cli.train) score a part each; the scores are those of one process.

--split=test scores on another split than the one for validation, into metrics_test.json; its data are prepared if
they are not yet.
"""

from __future__ import annotations

import json
import sys

from absl import flags as absl_flags

from sde_seg_jax.cli import process_flags, protocol_flags
from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError, override
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of cli.evaluate."""
    absl_flags.DEFINE_string("split", "", "split to score on; default: the one for validation", flag_values=values)
    sizes = "of images and labels: as prepared, or labels, or both, at their original size"
    process_flags.define(values)
    protocol_flags.define(values, ["prepared", "trained", "full"], sizes)


def main(arguments: Arguments) -> None:
    """Scores the checkpoint of the command line."""
    if not arguments.checkpoint:
        raise UsageError("cli.evaluate needs --checkpoint=DIR, a workdir of cli.train")
    protocol = protocol_flags.protocol_of(arguments)
    from sde_seg_jax.experiment import learnt_camera
    from sde_seg_jax.experiment.evaluate import evaluate
    from sde_seg_jax.experiment.scoring import Asked, lines

    found = evaluate(
        arguments.checkpoint,
        arguments.workdir,
        lambda config: override(config, arguments.overrides),
        CONSOLE,
        arguments.split,
        Asked(protocol, arguments.resolution, arguments.aspect),
    )
    for line in (*learnt_camera.tell(found), *lines(found)):
        print(line)
    print(json.dumps(found))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
