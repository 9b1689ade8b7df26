"""configs/folder.py at the smallest size: its pipeline for one's own frames, for tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "configs"))
import folder


def get_config(row="quick"):
    c = folder.get_config(row)
    c.data.size = c.data.crop = (64, 64)
    c.data.batch_size = 2
    c.dataset.min_motion = 0.0
    c.dataset.val_fraction = 0.3
    c.model.encoder, c.model.width = "resnet18", 8
    if not c.model.get("init"):
        c.model.transfer = ()  # random weights: ImageNet's have another width
    c.model.decoder_channels = (4, 4, 4, 8, 8)
    c.model.aspp_rates = (1, 2)
    if "pose_width" in c.model:
        c.model.pose_width = c.model.pose_channels = 8
    c.eval.batch_size = 2
    c.train.steps = 2
    c.train.eval_every = 0
    c.train.collapse_after = 10**6
    if "select" in c:
        c.select.steps, c.select.student_steps = (2, 3), (2,)
    return c
