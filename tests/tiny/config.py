"""The smallest configuration of every task, for tests: 64x64 street scenes, a network of a few thousand parameters."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "configs"))
import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

ROWS = {
    "depth": {},
    "supervised": {},
    "semi_supervised": {},
    "multitask": {},
    "multitask_supervised": {},
    "domain_adaptation": {},
    "source_depth": {},
    "student_depth": {},
    "selection": {},
    "entropy": {},
    "camvid": {},
    "folder": {},
    "kitti": {},
}


def get_config(row="supervised"):
    pick_row(ROWS, row, __file__)
    c = base.get_config()
    c.name = "tiny"
    c.pipeline = ConfigDict({"stages": ("depth", "semi_supervised")})
    c.data.size = (64, 64)
    c.data.crop = (64, 64)
    c.data.labels = 3
    c.data.in_memory = True
    c.data.batch_size = 2
    c.dataset = ConfigDict({"counts": {"train": 6, "val": 3, "test": 4}})
    c.model.encoder = "resnet18"
    c.model.width = 8
    c.model.dilate = (False, False, False)
    c.model.decoder_channels = (4, 4, 4, 8, 8)
    c.model.aspp_rates = (1, 2)
    c.model.pose_width = 8
    c.eval.batch_size = 2
    c.train.steps = 4
    c.train.log_every = 1
    c.train.save_every = 2
    c.train.eval_every = 0
    c.train.picture_every = 0
    c.schedule = ConfigDict({"name": "poly", "steps": 100})
    if row in ("depth", "kitti"):
        base.depth(c)
        c.data.batch_size = 2
        c.train.steps = 4
        c.schedule = ConfigDict({"name": "constant"})
    if row == "semi_supervised":
        base.semi_supervised(c)
        c.model.init = "@depth"
        c.model.transfer = ("encoder", "segmentation/decoder <- depth_decoder")
        c.task.depth_checkpoint = "@depth"
    if row == "multitask":
        base.multitask(c)
        c.model.init = "@depth"
        c.model.transfer = ("encoder", "depth_decoder", "segmentation/decoder <- depth_decoder", "pose")
    if row == "multitask_supervised":
        base.multitask_supervised(c)
    if row == "source_depth":
        base.depth(c)
        c.data.batch_size = 2
        c.data.prepared_dir = "prepared_source_video"
        c.dataset = ConfigDict({"domain": "source", "counts": {"train": 6, "val": 3}})
        c.schedule = ConfigDict({"name": "constant"})
        c.train.steps = 4
    if row == "domain_adaptation":
        base.domain_adaptation(c)
        c.task.depth_checkpoint = "@depth"
        c.task.source_depth_checkpoint = "@source_depth"
        c.source_data.size = (64, 96)
        c.source_dataset = ConfigDict({"domain": "source", "counts": {"train": 6, "val": 3}})
        c.matching.candidates = 3
        c.matching.cells = (8, 12)
    if row in ("student_depth", "selection"):
        changed = c.model.encoder
        base.student_depth(c)
        c.model.encoder = changed
        c.model.decoder_channels = (4, 4, 4, 8, 8)
        c.task.depth_checkpoint = "@depth"
        c.train.steps = 4
    if row in ("selection", "entropy"):
        base.selection(c)
        c.schedule.steps = 0
        c.select.criterion = "entropy" if row == "entropy" else "ds_us"
        c.select.steps = (2, 3, 5)  # of 6
        c.select.student_steps = (2, 4)
        c.select.scale = 0.0
        c.select.pool = (1, 2)
        c.train.save_every = 1
    if row == "kitti":
        c.data.dataset = "kitti"
        c.data.train_split = c.data.video_split = "video"
        c.dataset = ConfigDict({"test_step": 1})
    if row == "folder":
        c.data.dataset = "folder"
        c.data.labels = 0
        c.data.video_split = "video"
        c.dataset = ConfigDict({"val_fraction": 0.3})
    if row == "camvid":
        c.data.dataset = "camvid"
        c.dataset = ConfigDict({"frame_gap": 2})
    return c
