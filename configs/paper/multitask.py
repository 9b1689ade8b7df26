"""Tables 5 and 7 of the paper: transfer of depth features, multi-task learning, and what the contributions add up to.

Claim: every use of self-supervised depth helps (transfer < multi-task < DepthMix), and they add up.
Command: python -m sde_seg_jax.cli.table --config=configs/paper/multitask.py --config.data.raw_dir=DIR --workdir=DIR
One run: python -m sde_seg_jax.cli.train --config=configs/paper/multitask.py:mtl,labels=372,seed=42 --workdir=DIR
Options: labels=, seed=, dataset=cityscapes|camvid|mapillary, selection=random|ent|us|ds|ds_us,
    lists=published|ours (published.py).
Hardware, time: an accelerator, 40000 steps of 2 + 2 crops a run; not run.
The paper's numbers: PAPER, Cityscapes val mIoU [%]. Ours: not run.
"""

import published
from published import (  # noqa: F401  read by cli.table
    LABELS,
    MULTITASK_TRANSFER,
    SDE,
    SDE_WITHOUT_FEATURE_DISTANCE,
    SEEDS,
    SOURCE,
    STAGES,
    TRANSFER,
)

TITLE = "Transfer and multi-task learning (Table 5), all contributions (Table 7)"
METRIC = "miou"
DEPTHMIX = {"task.name": "semi_supervised", "task.mix": "depth", "task.depth_checkpoint": SDE}
MTL = {"task.name": "multitask_supervised", "model.init": SDE, "model.transfer": MULTITASK_TRANSFER}
DEPTHMIX_MTL = MTL | {"task.name": "multitask", "task.mix": "depth"}
SELECTION = {"selection": "ds_us"}
ROWS = {
    "baseline": {"task.name": "supervised"},
    "transfer_without_feature_distance": {
        "task.name": "supervised",
        "model.init": SDE_WITHOUT_FEATURE_DISTANCE,
        "model.transfer": TRANSFER,
    },
    "transfer": {"task.name": "supervised", "model.init": SDE, "model.transfer": TRANSFER},
    "mtl": MTL,
    "depthmix": DEPTHMIX,
    "selection": SELECTION | {"task.name": "supervised"},
    "selection_mtl": SELECTION | MTL,
    "selection_depthmix": SELECTION | DEPTHMIX,
    "depthmix_mtl": DEPTHMIX_MTL,
    "selection_depthmix_mtl": SELECTION | DEPTHMIX_MTL,
}
PAPER = {
    ("baseline", 100): "48.75 ± 1.61",
    ("baseline", 372): "59.14 ± 1.02",
    ("baseline", 744): "63.46 ± 0.38",
    ("baseline", 2975): "67.77 ± 0.13",
    ("transfer_without_feature_distance", 372): "60.46 ± 0.64",
    ("transfer_without_feature_distance", 2975): "69.00 ± 0.70",
    ("transfer", 372): "60.80 ± 0.69",
    ("transfer", 2975): "69.47 ± 0.38",
    ("mtl", 372): "61.25 ± 0.55",
    ("mtl", 2975): "69.76 ± 0.39",
    ("depthmix", 372): "64.14 ± 1.34",
    ("depthmix", 2975): "69.83 ± 0.36",
    ("selection", 100): "54.37 ± 0.36",
    ("selection", 372): "64.25 ± 0.18",
    ("selection", 744): "66.94 ± 0.59",
    ("selection_mtl", 372): "65.35 ± 0.10",
    ("selection_depthmix", 372): "66.48 ± 0.27",
    ("depthmix_mtl", 372): "66.66 ± 1.05",
    ("depthmix_mtl", 2975): "71.16 ± 0.16",
    ("selection_depthmix_mtl", 100): "62.09",
    ("selection_depthmix_mtl", 372): "68.01 ± 0.83",
    ("selection_depthmix_mtl", 744): "69.38",
}


def get_config(arg="baseline"):
    return published.configure(ROWS, arg, __file__)
