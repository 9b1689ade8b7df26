"""Scores a checkpoint: python -m sde_seg_jax.cli.evaluate --checkpoint=runs/quickstart/semi_supervised

Needs nothing but the checkpoint and its prepared data (--config.data.prepared_dir=DIR if that has moved). Segmentation:
mIoU, IoU of each class, accuracies; depth: errors with and without median scaling, beside the best constant depth.
Student and, where there is one, teacher (`teacher/...`). Prints one JSON line last, and writes it to metrics.json
and pictures of some samples to pictures/ in --workdir (default: the checkpoint's). A camera that was learnt
(model.learn_intrinsics) is printed and written to camera.json there, which the data set `folder` reads.

Another data set: --config.data.dataset=camvid --config.data.prepared_dir=DIR (prepared before, or with
--config.data.raw_dir=DIR). Classes are mapped by name; mIoU is the mean over those that both have. Scores go to
metrics_camvid_val.json.

--split=test scores on another split than the one for validation, into metrics_test.json; its data are prepared if
they are not yet.
"""

from __future__ import annotations

import json
import sys

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments, run
from sde_seg_jax.experiment.config import UsageError, override
from sde_seg_jax.reporter import CONSOLE


def flags(values: absl_flags.FlagValues) -> None:
    """The flags of cli.evaluate."""
    absl_flags.DEFINE_string("split", "", "split to score on; default: the one for validation", flag_values=values)


def main(arguments: Arguments) -> None:
    """Scores the checkpoint of the command line."""
    if not arguments.checkpoint:
        raise UsageError("cli.evaluate needs --checkpoint=DIR, a workdir of cli.train")
    from sde_seg_jax.experiment import learnt_camera
    from sde_seg_jax.experiment.evaluate import evaluate

    found = evaluate(
        arguments.checkpoint,
        arguments.workdir,
        lambda config: override(config, arguments.overrides),
        CONSOLE,
        arguments.split,
    )
    for line in learnt_camera.tell(found):
        print(line)
    print(json.dumps(found))


if __name__ == "__main__":
    sys.exit(run(main, sys.argv, about=__doc__, extra=flags))
