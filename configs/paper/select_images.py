"""Our own selection of the images to label, with the published constants (METHOD 4). One run chooses one ordered list.

Claim: what a depth network finds diverse and a student finds hard is worth a label before any label exists.
Command: python -m sde_seg_jax.cli.select --config=configs/paper/select_images.py:ds_us,seed=42
    --config.data.raw_dir=DIR --workdir=runs/select_ds_us_s42     (the teacher: runs/sde_feature_distance)
In a table: python -m sde_seg_jax.cli.table --config=configs/paper/selection.py:lists=ours ... selects and trains.
Beside the published lists: python -m sde_seg_jax.cli.overlap --ours=runs/select_ds_us_s42
    --other=configs/paper/selections/cityscapes_ds_us_42.txt --config=configs/paper/select_images.py
Rows: ds_us, ds, us, entropy (a segmentation network on the labels so far), random. Options: seed=,
dataset=cityscapes (25-50-100-200-372-744 of 2975) or camvid (25-50-100 of 367).
Hardware, time: an accelerator, 4000 to 20000 steps after each step but the last, 60000 in all; not run.
The paper's numbers: configs/paper/selection.py. Ours: not run.
"""

import base
import published
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows

ROWS = {name: {"select.criterion": name} for name in ("ds_us", "ds", "us", "entropy", "random")}
OPTIONS = {"seed": 42, "dataset": tuple(published.SELECTION_STEPS)}
STUDENT_STEPS = (4000, 8000, 12000, 16000, 20000, 24000)  # with 25, 50, 100, 200, 372, 744 images


def get_config(arg="ds_us"):
    row, options = rows.parse(arg, ROWS, OPTIONS, __file__)
    dataset = options["dataset"]
    c = base.get_config()
    c.name = f"select by {row}"
    c.seed = c.data.label_seed = options["seed"]
    c.data.dataset = dataset
    c.data.prepared_dir = f"prepared/{dataset}"  # that of the runs that train on the list
    c.model.transfer = published.IMAGENET
    if row == "entropy":  # the network and the optimizer of the rows that train on the list
        base.supervised(c)
    else:
        base.student_depth(c)
        c.task.depth_checkpoint = published.SDE
        c.sources.imagenet = "hf://timm/resnet50.tv_in1k/model.safetensors"
    c.schedule = ConfigDict({"name": "poly", "steps": 0})  # as long as a student is trained
    base.selection(c)
    c.select.steps = published.SELECTION_STEPS[dataset]
    c.select.student_steps = STUDENT_STEPS[: len(c.select.steps)]
    rows.change(c, {"data.size": published.DATASETS[dataset]["data.size"]})
    return rows.change(c, ROWS[row])
