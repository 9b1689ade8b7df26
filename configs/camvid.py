"""CamVid (Brostow et al. 2009): supervised and semi-supervised with few labels; depth from its only video clip.

Claim: few labels and many unlabeled frames beat few labels alone, on real driving images.
Layout of the raw files, terms: docs/data.md.
Command: python -m sde_seg_jax.cli.train --config=configs/camvid.py:supervised --config.data.raw_dir=DIR --workdir=DIR
Rows: depth, supervised, semi_supervised (ClassMix: needs no depth), depthmix (after depth): the published schedule, for
an accelerator (672x512 in the paper, 20000 steps); quick_supervised, quick_semi_supervised: minutes on two CPU cores.
Hardware, time and our numbers: docs/record/results.md. The paper's numbers for CamVid: not known to us.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

TRANSFER = ("encoder", "segmentation/decoder <- depth_decoder")
ROWS = {
    "supervised": base.supervised,
    "semi_supervised": base.semi_supervised,
    "depth": base.depth,
    "depthmix": base.semi_supervised,
    "quick_supervised": base.supervised,
    "quick_semi_supervised": base.semi_supervised,
}


def get_config(row="supervised"):
    change = pick_row(ROWS, row, __file__)
    c = base.get_config()
    c.name = "CamVid"
    c.data.dataset = "camvid"
    c.data.prepared_dir = "prepared/camvid"
    c.data.size = (512, 672)
    c.data.crop = (512, 512)
    c.data.labels = 50
    c.data.video_split = "video"
    c.dataset = ConfigDict({"frame_gap": 4})  # 4 video frames = 0.13 s between neighbors: enough motion at 30 Hz
    c.train.steps = 20000
    change(c)
    if row == "depth":
        c.train.steps = 20000
        c.schedule.milestones = (0.75,)
    if row == "semi_supervised":
        c.task.mix = "class"
    if row == "depthmix":
        c.model.init = c.task.depth_checkpoint = "@depth"
        c.model.transfer = TRANSFER
    if row.startswith("quick"):
        _shrink(c)
        if row == "quick_semi_supervised":
            c.task.mix = "class"
            c.task.consistency = 0.3
            c.task.jitter_strength = 0.1
            c.task.blur_probability = 0.0
    return c


def _shrink(c):
    base.small(c)
    c.data.prepared_dir = "prepared/camvid_quick"
    c.data.size = c.data.crop = (96, 128)
    c.data.batch_size = 8
    c.optim.name = "adam"
    c.optim.learning_rate = 3e-3
    c.optim.weight_decay = 0.0
    c.optim.module_rates = ConfigDict()
    c.train.steps = 500
    c.schedule = ConfigDict({"name": "poly", "steps": 0})
