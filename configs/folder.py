"""Your own images and videos, with labels for some, all or none of the frames: depth from video, then few labels.

Claim: a folder and this file are all that it takes; no code is written. Layout: docs/own_data.md.
Command: python -m sde_seg_jax.cli.pipeline --config=configs/folder.py:quick --config.data.raw_dir=DIR --workdir=DIR
One run: python -m sde_seg_jax.cli.train --config=configs/folder.py:quick_depth --config.data.raw_dir=DIR --workdir=DIR
Rows: depth (needs video, no labels), supervised, semi_supervised (ClassMix: needs no depth), depthmix (after depth):
the published schedule, for an accelerator. The same with quick_ in front, quick_multitask and quick_select (which
frames to label): for two CPU cores. quick, a pipeline: depth and select while there are no labels; with labels depth,
the supervised baseline and depthmix. Photographs without video: add --config.data.video_split=train. An unknown camera:
--config.dataset.field_of_view=DEGREES, or --config.model.learn_intrinsics=focal.
Hardware, time and our numbers, on a real video: docs/record/results.md.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

TRANSFER = ("encoder", "segmentation/decoder <- depth_decoder")
ROWS = {
    "depth": base.depth,
    "supervised": base.supervised,
    "semi_supervised": base.semi_supervised,
    "depthmix": base.semi_supervised,
    "quick_depth": base.depth,
    "quick_supervised": base.supervised,
    "quick_semi_supervised": base.semi_supervised,
    "quick_depthmix": base.semi_supervised,
    "quick_multitask": base.multitask_supervised,
    "quick_select": base.depth,
    "quick": base.depth,
}
DEPTH_ROWS = ("depth", "quick_depth", "quick")
PIPELINE = {
    "stages": ("quick_depth", "quick_supervised", "quick_depthmix"),
    "unlabeled": ("quick_depth", "quick_select"),
}


def get_config(row="depth"):
    change = pick_row(ROWS, row, __file__)
    if row == "quick_select":
        return _select()
    c = base.get_config()
    c.name = "own folder"
    c.data.dataset = "folder"
    c.data.prepared_dir = "prepared/folder"
    c.data.size = (512, 1024)  # height, width; choose the shape of your images
    c.data.crop = (512, 512)
    c.data.labels = 0  # all that there are
    c.data.video_split = "video"
    c.dataset = ConfigDict(
        {
            "val_clips": (),  # clips (folders, videos) to validate on; () = a part of each
            "val_fraction": 0.1,  # how large that part is
            "min_motion": 0.5,  # percent of the image width between frames that are kept; 0 = keep all
            "max_step": 30,  # neighbors are at most so many frames away; 0 = any
            "frame_step": 1,  # look at every n-th frame only
            "intrinsics": None,  # (fx, fy, cx, cy, width, height) in pixels; or camera.json beside the files
            "field_of_view": None,  # degrees across the width, instead
        }
    )
    c.train.steps = 20000
    change(c)
    if row in DEPTH_ROWS:
        c.data.train_split = c.data.video_split  # frames alone are not needed
    if row == "depth":
        c.train.steps = 20000
        c.schedule.milestones = (0.75,)
    if row.endswith("semi_supervised"):
        c.task.mix = "class"
    if row == "depthmix":
        c.model.init = c.task.depth_checkpoint = "@depth"
        c.model.transfer = TRANSFER
    if row.startswith("quick"):
        _shrink(c)
        if row not in DEPTH_ROWS:
            _learn_labels(c, row)
    if row == "quick":
        c.pipeline = ConfigDict(PIPELINE)
    return c


def _select():
    """Which frames to label, by the depth that quick_depth learnt."""
    import selection  # which reads this file

    c = selection.get_config("ds_us,size=quick")
    c.task.depth_checkpoint = "@quick_depth"
    c.select.steps = (10, 25, 50)
    return c


def _learn_labels(c, row):
    """From few labels, in minutes: from ImageNet, or from the depth network where a row begins with it."""
    c.data.prepared_dir = "prepared/folder_quick_labeled"
    base.short_training(c)
    c.train.steps = 1000
    if row == "quick_depthmix":
        c.model.init = c.task.depth_checkpoint = "@quick_depth"
        c.model.transfer = TRANSFER
    if row == "quick_multitask":
        c.data.train_split = c.data.video_split  # labelled frames with their neighbors
        c.model.init = "@quick_depth"
        c.model.transfer = (*TRANSFER, "depth_decoder", "pose")
        c.optim.module_rates.pose = 1e-4  # it has learnt already
    if "consistency" in c.task:
        base.short_mixing(c)


def _shrink(c):
    base.pretrained(base.small(c))
    c.model.pose_start = 0.01  # at exactly zero a rotation has no gradient, and real cameras turn
    c.data.prepared_dir = "prepared/folder_quick"
    c.data.size = c.data.crop = (96, 320)
    c.optim.learning_rate = 1e-3
    c.train.steps = 600
    c.train.collapse_after = 300
    c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})  # of depth
