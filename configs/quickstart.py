"""From rendered street video to depth, and from depth to better segmentation with few labels, on a laptop.

Claim: depth is learnt from video alone. That transfer and DepthMix beat the supervised baseline is the paper's claim
at 40,000 steps; runs as short as these show that all parts work, not which is best (docs/record/results.md).
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
    c.optim.learning_rate = 1e-3
    c.train.steps = 1400
    c.train.collapse_after = 300
    c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})


def baseline(c):
    c.optim.name = "adam"
    c.optim.learning_rate = 3e-3
    c.optim.module_rates = ConfigDict()
    c.optim.weight_decay = 0.0
    c.train.steps = 900
    c.schedule = ConfigDict({"name": "poly", "steps": 0})


def semi_supervised(c):
    baseline(c)
    base.semi_supervised(c)
    c.task.depth_checkpoint = "@depth"
    c.model.init = "@depth"
    c.model.transfer = TRANSFER
    # 900 steps from scratch, not 40000 from ImageNet: milder augmentation, and the labels lead
    c.task.consistency = 0.3
    c.task.jitter_strength = 0.1
    c.task.blur_probability = 0.0


ROWS = {"depth": depth, "baseline": baseline, "semi_supervised": semi_supervised}


def get_config(row="depth"):
    change = pick_row(ROWS, row, __file__)
    c = base.small(base.get_config())
    c.name = "street scenes quickstart"
    c.pipeline = ConfigDict({"stages": tuple(ROWS)})
    c.data.prepared_dir = "prepared/quickstart"
    c.data.size = c.data.crop = (64, 128)
    c.data.labels = 40
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": {"train": 480, "val": 64}})
    change(c)
    return c
