"""From rendered street video to depth, and from depth to better segmentation with few labels, on a laptop.

Claim: depth is learnt from video alone, and with it DepthMix and transfer beat the supervised baseline.
Command: make quickstart    (python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=DIR)
Hardware, time and our numbers: docs/results.md.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.cli.config import pick_row

TRANSFER = ("encoder", "segmentation/decoder <- depth_decoder")
ROWS = {
    "depth": {},
    "baseline": {},
    "semi_supervised": {},
}


def get_config(row="depth"):
    pick_row(ROWS, row, __file__)
    c = base.get_config()
    c.name = "street scenes quickstart"
    c.pipeline = ConfigDict({"stages": tuple(ROWS)})
    c.data.size = (64, 128)
    c.data.crop = (64, 128)
    c.data.labels = 20
    c.data.in_memory = True
    c.data.batch_size = 8
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": {"train": 480, "val": 64}})
    c.model.encoder = "resnet18"
    c.model.width = 24
    c.model.dilate = (False, False, False)
    c.model.decoder_channels = (16, 16, 24, 32, 48)
    c.model.aspp_rates = (1, 2, 3)
    c.model.pose_width = 16
    c.model.pose_channels = 128
    c.model.disparity_bias = -4.0
    c.model.pose_scale = 0.3
    c.model.pose_start = 0.0
    c.eval.batch_size = 16
    c.train.log_every = 20
    c.train.save_every = 200
    c.train.eval_every = 200
    c.train.picture_every = 400
    c.train.collapse_after = 300
    if row == "depth":
        base.depth(c)
        c.data.batch_size = 8
        c.optim.learning_rate = 1e-3
        c.schedule = ConfigDict({"name": "step", "milestones": (1000,), "gamma": 0.1})
        c.train.steps = 1200
        return c
    c.optim.learning_rate = 1e-2
    c.schedule = ConfigDict({"name": "poly", "steps": 800})
    c.train.steps = 800
    if row == "semi_supervised":
        base.semi_supervised(c)
        c.model.init = "@depth"
        c.model.transfer = TRANSFER
        c.task.depth_checkpoint = "@depth"
    return c
