"""Street scenes: how good must depth be for DepthMix? From masks at the wrong place to true depth, at small scale.

Claim: none yet; no paper has measured it. If true depth gains and learnt depth does not, the depth network is what to
improve; if true depth gains no more than masks elsewhere, it is the mixing.
Command: python benchmarks/depth_study.py --workdir=runs/depth_study     (makes the depths, then runs this table)
Rows: baseline; DepthMix by masks of another pair of images (elsewhere), by true depth with noise (noise_2: 0.3,
noise_1: 0.1 of each image's disparities), by what a depth run learnt in 500 (learnt_short) and in 4000 steps (learnt),
by true depth. Options: labels=, seed=.
Hardware, time, ours: not run. The paper's number: none, it has no street scenes.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows

TITLE = "DepthMix by depth of several qualities"
METRIC = "miou"
SPLIT = "test"
LABELS = (16,)
SEEDS = (1, 2, 3)
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
STAGES: dict[str, str] = {}  # benchmarks/depth_study.py makes the depths beforehand
CACHES = ("noise_2", "noise_1", "learnt_short", "learnt", "true")
MIX = {"task.name": "semi_supervised", "task.mix": "depth"}
ROWS = {
    "baseline": {"task.name": "supervised"},
    "elsewhere": MIX | {"task.mix": "depth_elsewhere", "data.depth_cache": "true"},
    **{name: MIX | {"data.depth_cache": name} for name in CACHES},
}
AGAINST = {"elsewhere": "baseline", **dict.fromkeys(CACHES, "elsewhere")}
DEPTH = {"depth_learnt_short": {"train.steps": 500}, "depth_learnt": {"train.steps": 4000}}
OPTIONS = {"labels": LABELS[0], "seed": SEEDS[0]}


def get_config(arg="baseline"):
    row, options = rows.parse(arg, ROWS | DEPTH, OPTIONS, __file__)
    c = base.small(base.get_config())
    c.name = f"street scenes, depth study: {row}"
    c.seed = c.data.label_seed = options["seed"]
    c.data.dataset = "coarse_streets"
    c.data.prepared_dir = "prepared/streets_depth"
    c.data.size, c.data.crop = (64, 128), (48, 96)
    c.data.labels = options["labels"]
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": {"train": 480, "val": 128, "test": 128}})
    c.model.width = 16
    c.model.dilate = (False, False, True)  # crops are multiples of 16
    c.model.decoder_channels = (12, 16, 24, 32, 48)
    c.model.pose_channels = 64
    if row in DEPTH:
        base.depth(c)
        c.optim.learning_rate = 1e-3
        c.train.collapse_after = 10**6  # after few steps depth is flat, and that is one of the qualities
        c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})
        return rows.change(c, DEPTH[row])
    getattr(base, ROWS[row]["task.name"])(c)
    c.data.batch_size = 4
    c.optim.name = "adam"
    c.optim.learning_rate = 3e-3
    c.optim.module_rates = ConfigDict()
    c.optim.weight_decay = 0.0
    c.train.steps = 3000
    c.train.eval_every = 1000
    c.schedule = ConfigDict({"name": "poly", "steps": 0})
    return rows.change(c, ROWS[row])
