"""Table 3 of the paper: which mask mixes unlabeled images best, without transfer of depth features.

Claim: on few labels, mixing along depth (DepthMix) beats mixing by classes (ClassMix), which beats pseudo labels.
Command: python -m sde_seg_jax.cli.table --config=configs/paper/semi.py --config.data.raw_dir=DIR --workdir=DIR
One run: python -m sde_seg_jax.cli.train --config=configs/paper/semi.py:depthmix,labels=372,seed=42 --workdir=DIR
Options: labels=, seed=, dataset=cityscapes|camvid|mapillary, selection=random|ent|us|ds|ds_us,
    lists=published|ours (published.py).
Hardware, time: an accelerator, 40000 steps of 2 + 2 crops a run; not run.
The paper's numbers: PAPER, Cityscapes val mIoU [%]. Ours: not run.
"""

import published
from published import LABELS, SDE, SEEDS, SOURCE, STAGES  # noqa: F401  read by cli.table

TITLE = "Mixing unlabeled images (Table 3)"
METRIC = "miou"
ROWS = {
    "baseline": {"task.name": "supervised"},
    "pseudo_labels": {"task.name": "semi_supervised", "task.mix": "none"},
    "classmix": {"task.name": "semi_supervised", "task.mix": "class"},
    "classmix_video": {  # 83300 unlabeled frames instead of 2975
        "task.name": "semi_supervised",
        "task.mix": "class",
        "data.unlabeled_split": "video",
        "data.prepared_dir": "prepared/cityscapes_video",  # as the depth stages prepare it
    },
    "depthmix": {"task.name": "semi_supervised", "task.mix": "depth", "task.depth_checkpoint": SDE},
}
PAPER = {
    ("baseline", 100): "48.75 ± 1.61",
    ("baseline", 372): "59.14 ± 1.02",
    ("baseline", 744): "63.46 ± 0.38",
    ("baseline", 2975): "67.77 ± 0.13",
    ("pseudo_labels", 372): "62.39 ± 0.86",
    ("classmix", 372): "63.16 ± 0.89",
    ("classmix", 2975): "69.60 ± 0.32",
    ("depthmix", 372): "64.14 ± 1.34",
    ("depthmix", 2975): "69.83 ± 0.36",
}


def get_config(arg="baseline"):
    return published.configure(ROWS, arg, __file__)
