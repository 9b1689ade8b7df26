"""Street scenes: what labeled images of another domain are worth, and every way to join them, at small scale.

Claim: a network trained on source images alone does badly on the target (the gap); mixing along the scenes' geometry
within and across the domains, and learning the target's depth, each close some of it.
Command: python -m sde_seg_jax.cli.table --config=configs/streets_adaptation.py --workdir=runs/streets_adaptation
On a CPU: --config=configs/streets_adaptation.py:size=cpu
One run: python -m sde_seg_jax.cli.train --config=configs/streets_adaptation.py:cross,size=cpu --workdir=runs/x/cross
Options: labels=, seed=, size= gpu (128x256, ResNet-50, 6000 steps), cpu (64x128, 600 steps of 2 images a stream: half a
minute to 4 minutes a row on two cores), toy (64x64, 4 steps, for tests).
Hardware, time, ours: size=cpu in docs/record/results.md (600 steps do not bear the claim of mixing out); gpu: not run.
The paper's number: none, it has no street scenes.
"""

import base
import streets_ablation
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "Domain adaptation on street scenes"
METRIC = "miou"
LABELS = (20,)
SEEDS = (42, 43, 44)
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
STAGES = {
    "depth": "configs/streets_adaptation.py:depth",
    "depth_source": "configs/streets_adaptation.py:depth_source",
}

ADAPT = {"task.name": "domain_adaptation", "task.intra_domain": 0.0, "task.cross_domain": 0.0}
DEPTHS = {"task.depth_checkpoint": "@depth", "task.source_depth_checkpoint": "@depth_source"}
CROSS = DEPTHS | {"task.cross_domain": 1.0}
INTRA = {"task.depth_checkpoint": "@depth", "task.intra_domain": 1.0}
MATCHING = {"matching.candidates": 64}
TRANSFER = {"model.init": "@depth", "model.transfer": ("encoder", "segmentation/decoder <- depth_decoder")}
MTL = {
    "model.init": "@depth",
    "model.transfer": (*TRANSFER["model.transfer"], "depth_decoder", "pose"),
    "model.distillation_level": 2,
    "losses.photometric": 1.0,
    "losses.smoothness": 1e-3,
    "optim.module_rates": {"pose": 1e-4},  # it has learnt already
}
ROWS = {
    "source_only": ADAPT | {"task.target": 0.0},
    "target_only": {"task.name": "supervised"},
    "target_all": {"task.name": "supervised", "data.labels": 0},  # the bound: every target image is labeled
    "joint": ADAPT,
    "classmix": ADAPT | {"task.cross_domain": 1.0, "task.cross_mix": "class"},
    "cross": ADAPT | CROSS,
    "intra": ADAPT | INTRA,
    "cross_intra": ADAPT | INTRA | CROSS,
    "cross_intra_matching": ADAPT | INTRA | CROSS | MATCHING,
    "transfer": ADAPT | TRANSFER,  # what the next row starts from
    "mtl": ADAPT | MTL,
    "cross_intra_matching_mtl": ADAPT | INTRA | CROSS | MATCHING | MTL,
    "unsupervised": ADAPT | INTRA | CROSS | MATCHING | {"task.target": 0.0},  # no label of the target at all
}
STAGE = {"depth": {"task.name": "depth"}, "depth_source": {"task.name": "depth", "dataset.domain": "source"}}
OPTIONS = {"labels": LABELS[0], "seed": 42, "size": ("gpu", "cpu", "toy")}
SCENES = streets_ablation.SCENES  # of the target, for training and validation
SOURCE_SCENES = {"gpu": 4800, "cpu": 960, "toy": 6}
STEPS = {"gpu": 6000, "cpu": 600, "toy": 4}


def get_config(arg="joint"):
    row, options = rows.parse(arg, ROWS | STAGE, OPTIONS, __file__)
    changes, size, seed = (ROWS | STAGE)[row], options["size"], options["seed"]
    if not 0 < options["labels"] <= SCENES[size][0]:
        raise UsageError(f"{__file__}: labels={options['labels']}: size={size} has {SCENES[size][0]} training scenes")
    if row in STAGE:
        labels = min(streets_ablation.LABELS[0], streets_ablation.SCENES[size][0])  # a depth run reads none
        c = streets_ablation.get_config(f"depth,labels={labels},seed={seed},size={size}")
        c.name = f"street scenes: {row}"
        if row == "depth_source":
            c.data.prepared_dir = f"prepared/streets_source_{size}"
            c.dataset.counts = ConfigDict({"train": SOURCE_SCENES[size], "val": SCENES[size][1]})
        return rows.change(c, changes)
    c = streets_ablation.get_config(f"baseline,labels={options['labels']},seed={seed},size={size}")
    c.name = f"street scenes, adaptation: {row}"
    c.train.steps = STEPS[size]
    if size == "cpu":
        c.data.batch_size = 2
    if changes["task.name"] == "domain_adaptation":
        base.domain_adaptation(c)
        _adapt(c, size)
    return rows.change(c, changes)


def _adapt(c, size):
    c.source_data.prepared_dir = f"prepared/streets_source_{size}"
    c.source_data.size = c.data.size
    c.source_dataset = ConfigDict(
        {"domain": "source", "seed": 0, "counts": {"train": SOURCE_SCENES[size], "val": SCENES[size][1]}}
    )
    c.matching.cells = (16, 32)
    c.task.jitter_strength = 0.1  # few steps from scratch: milder augmentation, as in streets_ablation.py
    c.task.blur_probability = 0.0
