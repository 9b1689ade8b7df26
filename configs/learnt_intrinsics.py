"""Street scenes whose camera is hidden: the focal length is learnt together with depth and motion.

Claim: from a nominal focal length 0.6 (row "short") or 1.6 times (row "long") the true one, training ends within 10 %.
Measured, seed 42: short 1.4 % below, long 5.8 % above the truth, 23 minutes each on one of two CPU cores.
Command: python -m sde_seg_jax.cli.train --config=configs/learnt_intrinsics.py:short --workdir=runs/learnt_short
Then:    python -m sde_seg_jax.cli.evaluate --checkpoint=runs/learnt_short    (prints the camera, writes camera.json)
Hardware, time and our numbers: docs/record/results.md. The camera shakes as if held by hand: without rotation no
picture tells the focal length (Gordon et al. 2019); the true one is 79.4 px of 128, 77.8 degrees across.
"""

import math

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment.config import pick_row

TRUE_FOCAL = 0.62  # of the image's width (data/street_scenes/style.py, "target")
ROWS = {"short": 0.6, "long": 1.6}  # nominal over true focal length


def get_config(row="short"):
    factor = pick_row(ROWS, row, __file__)
    c = base.small(base.get_config())
    base.depth(c)
    c.name = f"street scenes, hidden camera: {row}"
    c.data.prepared_dir = "prepared/learnt_intrinsics"
    c.data.size = c.data.crop = (64, 128)
    c.data.field_of_view = 2 * math.degrees(math.atan(0.5 / (factor * TRUE_FOCAL)))  # what training believes
    c.data.batch_size = 8
    c.data.flip = 0.0
    # A picture turns by several pixels a frame. Until that is known the unwarped frame explains most pixels better, and
    # the auto-mask leaves little to learn from (with it, jitter and batches of 4, motion was not found in 400 steps).
    c.task.auto_mask = False
    c.task.jitter = 0.0
    # Few scenes: motion is learnt by heart in some hundred steps, and 128 frame pairs are enough for one number.
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": {"train": 64, "val": 16}, "shake": 1.0})
    c.model.learn_intrinsics = "focal"
    c.model.pose_scale = 0.1
    c.model.pose_start = 0.01  # at exactly zero a rotation has no gradient, and would stay there
    c.optim.learning_rate = 1e-3
    c.optim.module_rates = ConfigDict({"intrinsics": 5e-3})
    c.schedule = ConfigDict({"name": "step", "milestones": (0.8,), "gamma": 0.1})
    c.train.steps = 2000
    c.train.eval_every = 0
    c.train.collapse_after = 600
    return c
