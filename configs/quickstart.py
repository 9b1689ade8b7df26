"""From rendered street video to depth, and from few labels to a better segmentation, on a laptop.

Claim: depth is learnt from video alone; from the depth network, with 16 labels of 480 and mixing, segmentation is
better than by the labels alone. Its streets are others than those that chose the settings (seed 1, not 0).
Command: make quickstart    (python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=DIR)
Hardware, time and our numbers: docs/record/results.md.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

TRANSFER = ("encoder", "segmentation/decoder <- depth_decoder")


def depth(c):
    base.depth(c)
    c.data.batch_size = 4
    c.data.crop = c.data.size
    c.optim.learning_rate = 1e-3
    c.train.steps = 1000
    c.train.collapse_after = 300
    c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})


def baseline(c):
    base.short_training(c)
    c.train.steps = 1500


def semi_supervised(c):
    base.semi_supervised(c)
    c.data.batch_size = 4
    baseline(c)
    base.short_mixing(c)
    c.task.mix = "class"
    c.model.init = "@depth"
    c.model.transfer = TRANSFER


def depthmix(c):
    semi_supervised(c)
    c.task.mix = "depth"
    c.task.depth_checkpoint = "@depth"


ROWS = {"depth": depth, "baseline": baseline, "semi_supervised": semi_supervised, "depthmix": depthmix}
STAGES = ("depth", "baseline", "semi_supervised")  # depthmix is slower, and not better here (docs/record/results.md)


def get_config(row="depth"):
    change = pick_row(ROWS, row, __file__)
    c = base.pretrained(base.small(base.get_config()))
    c.name = "street scenes quickstart"
    c.pipeline = ConfigDict({"stages": STAGES})
    c.data.dataset = "coarse_streets"
    c.data.prepared_dir = "prepared/quickstart"
    c.data.size, c.data.crop = (64, 128), (48, 96)
    c.data.labels = 16
    c.dataset = ConfigDict({"domain": "target", "seed": 1, "counts": {"train": 480, "val": 128}})
    c.train.eval_every = 500
    change(c)
    return c
