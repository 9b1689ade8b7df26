"""Self-supervised depth, phase 2: everything learns, near a frozen ImageNet encoder (METHOD 1).

Claim: with the feature distance the encoder learns geometry without forgetting what objects look like.
Command: python -m sde_seg_jax.cli.train --config=configs/sde_feature_distance.py --config.data.raw_dir=DIR
    --workdir=runs/sde_feature_distance     (starts from runs/sde_frozen; elsewhere: --config.model.init=PATH)
Rows: crop, full (uncropped), without_feature_distance (for the transfer table, configs/paper/multitask.py).
Hardware, time: an accelerator, 100000 steps of batch 4 (published: 50000 to 100000); not run.
The paper's number: none quoted; segmentation after transfer: configs/paper/multitask.py. Ours: not run.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

ROWS = {
    "crop": {"crop": (512, 512), "feature_distance": 0.01},
    "full": {"crop": (512, 1024), "feature_distance": 0.01},
    "without_feature_distance": {"crop": (512, 512), "feature_distance": None},
}


def get_config(row="crop"):
    changes = pick_row(ROWS, row, __file__)
    c = base.depth(base.get_config())
    c.name = f"SDE, {row}"
    c.data.dataset = "cityscapes"
    c.data.prepared_dir = "prepared/cityscapes_video"
    c.data.video_split = "video"  # every frame; dataset.sequence_step=k takes every k-th
    c.dataset = ConfigDict({"sequence_step": 1})
    c.data.crop = changes["crop"]
    c.model.init = "@sde_frozen"
    c.model.transfer = ("encoder", "depth_decoder", "pose")
    if changes["feature_distance"] is not None:
        c.losses.feature_distance = changes["feature_distance"]
        c.task.reference_encoder = "imagenet"
    c.optim.learning_rate = 1e-5
    c.schedule = ConfigDict({"name": "constant"})
    c.train.steps = 100000
    return c
