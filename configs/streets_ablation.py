"""Street scenes: what every contribution is worth, at small scale, from random weights and without downloads.

Claim: transfer, multi-task learning and mixing each beat the supervised baseline on few labels, and add up.
Command: python -m sde_seg_jax.cli.table --config=configs/streets_ablation.py --workdir=runs/streets
One run: python -m sde_seg_jax.cli.train --config=configs/streets_ablation.py:mtl,seed=42,size=cpu --workdir=runs/x/mtl
On a CPU: --config=configs/streets_ablation.py:size=cpu
Options: labels=, seed=, size= gpu (128x256, ResNet-50, 6000 steps, meant for minutes a row on one GPU), cpu (64x128,
the quickstart's network and rhythm: minutes a row on two cores), toy (64x64, 4 steps, for tests).
Hardware, time, ours: size=cpu in docs/record/results.md; gpu: not run. The paper's number: none (no street scenes).
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "Contributions on street scenes"
METRIC = "miou"
LABELS = (40,)
SEEDS = (42, 43, 44)
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
STAGES = {"depth": "configs/streets_ablation.py:depth"}

DEPTH = "@depth"
TRANSFER = {"model.init": DEPTH, "model.transfer": ("encoder", "segmentation/decoder <- depth_decoder")}
MTL = {
    "task.name": "multitask_supervised",
    "model.init": DEPTH,
    "model.transfer": ("encoder", "segmentation/decoder <- depth_decoder", "depth_decoder", "pose"),
    "optim.module_rates": {"pose": 1e-4},  # it has learnt already
}
DEPTHMIX = {"task.name": "semi_supervised", "task.mix": "depth", "task.depth_checkpoint": DEPTH}
ROWS = {
    "baseline": {"task.name": "supervised"},
    "classmix": {"task.name": "semi_supervised", "task.mix": "class"},
    "depthmix": DEPTHMIX,
    "transfer": TRANSFER | {"task.name": "supervised"},
    "transfer_depthmix": TRANSFER | DEPTHMIX,
    "mtl": MTL,
    "mtl_depthmix": MTL | {"task.name": "multitask", "task.mix": "depth"},
}
STAGE = {"depth": {"task.name": "depth"}}
OPTIONS = {"labels": LABELS[0], "seed": 42, "size": ("gpu", "cpu", "toy")}
SCENES = {"gpu": (1200, 120), "cpu": (480, 64), "toy": (48, 3)}  # for training, for validation
STEPS = {"gpu": 6000, "cpu": 900, "toy": 4}
DEPTH_STEPS = {"gpu": 8000, "cpu": 1400, "toy": 4}
RATES = {"gpu": 1e-3, "cpu": 3e-3, "toy": 3e-3}
DEPTH_RATES = {"gpu": 5e-4, "cpu": 1e-3, "toy": 1e-3}


def get_config(arg="baseline"):
    row, options = rows.parse(arg, ROWS | STAGE, OPTIONS, __file__)
    changes, size = (ROWS | STAGE)[row], options["size"]
    c = base.small(base.get_config())
    c.name = f"street scenes: {row}"
    c.seed = c.data.label_seed = options["seed"]
    c.data.prepared_dir = f"prepared/streets_{size}"
    c.data.labels = options["labels"]
    train, val = SCENES[size]
    if not 0 < c.data.labels <= train:
        raise UsageError(f"{__file__}: labels={c.data.labels}: size={size} has {train} training scenes")
    c.dataset = ConfigDict({"domain": "target", "seed": 0, "counts": {"train": train, "val": val}})
    _optimize(c, row, size)
    RESIZE[size](c)
    return rows.change(c, changes)


def _optimize(c, row, size):
    task = (ROWS | STAGE)[row]["task.name"]
    getattr(base, task)(c)
    c.optim.name = "adam"
    c.optim.weight_decay = 0.0
    c.optim.module_rates = ConfigDict()
    if row == "depth":
        c.data.batch_size = 4
        c.optim.learning_rate = DEPTH_RATES[size]
        c.train.steps = DEPTH_STEPS[size]
        c.train.collapse_after = 300
        c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})
    else:
        c.optim.learning_rate = RATES[size]
        c.train.steps = STEPS[size]
        c.schedule = ConfigDict({"name": "poly", "steps": 0})
    # few steps from scratch: milder augmentation, and the labels lead (docs/record/results.md)
    if "consistency" in c.task:
        c.task.consistency = 0.3
        c.task.jitter_strength = 0.1
        c.task.blur_probability = 0.0


def _gpu(c):
    c.data.size = c.data.crop = (128, 256)
    c.data.batch_size = 8
    c.model.encoder = "resnet50"
    c.model.width = 64
    c.model.dilate = (False, False, True)
    c.model.decoder_channels = (32, 64, 64, 128, 128)
    c.model.aspp_rates = (2, 4, 6)
    c.model.pose_width = 64
    c.model.pose_channels = 256
    c.eval.batch_size = 24
    c.train.log_every = 100
    c.train.save_every = 2000
    c.train.eval_every = 1000


def _cpu(c):
    c.data.size = c.data.crop = (64, 128)


def _toy(c):
    c.data.size = c.data.crop = (64, 64)
    c.data.batch_size = 2
    c.model.width = 8
    c.model.decoder_channels = (4, 4, 4, 8, 8)
    c.model.aspp_rates = (1, 2)
    c.model.pose_width = c.model.pose_channels = 8
    c.eval.batch_size = 3
    c.train.log_every = 1
    c.train.save_every = 2
    c.train.eval_every = 0


RESIZE = {"gpu": _gpu, "cpu": _cpu, "toy": _toy}
