"""KITTI raw: self-supervised depth from the video of Eigen's training drives, scored on laser scans (METHOD 1).

Claim: this repository's depth task is the usual one, so that its errors can be read beside the literature's.
Command: python -m sde_seg_jax.cli.train --config=configs/kitti.py --config.data.raw_dir=DIR --workdir=runs/kitti
Test: python -m sde_seg_jax.cli.evaluate --checkpoint=runs/kitti --config.data.raw_dir=DIR
    --config.data.val_split=test --config.data.prepared_dir=prepared/kitti_test --config.dataset.test_list=FILE
Rows: depth (the literature's size, batch and schedule: 192x640, 12 images, Adam 1e-4 for 15 and 1e-5 for 5 epochs of
Zhou's 39810 frames, Godard et al., ICCV 2019; network and losses are ours); quick_depth (600 steps, for two CPU cores).
Data: docs/data.md. Without lists, training takes all frames of the training drives, also those at a standstill.
Hardware, time: an accelerator, 66350 steps of batch 12; not run. Literature: AbsRel 0.115 on the official 697 frames
with a ResNet-18 (monodepth2; full-size truth, ours is at the stored size). Ours: not run.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

IMAGENET = ("encoder from imagenet", "pose/encoder <- encoder from imagenet_pose")
FRAMES, EPOCHS, DROP, BATCH = 39810, 20, 15, 12
ROWS = {"depth": base.depth, "quick_depth": base.depth}


def get_config(row="depth"):
    change = pick_row(ROWS, row, __file__)
    c = base.get_config()
    c.name = "KITTI"
    c.data.dataset = "kitti"
    c.data.prepared_dir = "prepared/kitti"
    c.data.size = c.data.crop = (192, 640)
    c.data.train_split = c.data.video_split = "video"
    c.data.val_split = "val"  # or "test": Eigen's drives
    c.dataset = ConfigDict(
        {
            "cameras": ("image_02", "image_03"),  # whose video trains: left, right
            "sequence_step": 1,  # every so-manieth training frame
            "test_step": 10,  # every so-manieth frame with a scan of val and test drives
            "train_list": "",  # text files of lines "<date>/<drive> <frame> l" instead of these rules
            "val_list": "",
            "test_list": "",
        }
    )
    c.eval.depth_crop = "garg"
    change(c)
    if row == "depth":
        c.model.transfer = IMAGENET
        c.data.batch_size = BATCH
        c.train.steps = EPOCHS * FRAMES // BATCH
        c.schedule = ConfigDict({"name": "step", "milestones": (DROP / EPOCHS,), "gamma": 0.1})
    else:
        _shrink(c)
    return c


def _shrink(c):
    base.small(c)
    c.model.pose_start = 0.01  # at exactly zero a rotation has no gradient, and real cameras turn
    c.data.prepared_dir = "prepared/kitti_quick"
    c.data.size = c.data.crop = (96, 320)
    c.optim.learning_rate = 1e-3
    c.train.steps = 600
    c.train.collapse_after = 300
    c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})
