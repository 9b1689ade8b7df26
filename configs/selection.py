"""Which images to label, for your own data or any other: automatic selection by depth, before there is any label.

Claim: images that differ most from each other and are hard for a depth student are worth more labels than random ones
(METHOD 4; configs/paper/selection.py quotes the paper's table; what we measured: docs/record/results.md).
Command: python -m sde_seg_jax.cli.select --config=configs/selection.py --config.data.raw_dir=DIR --checkpoint=DIR
--workdir=DIR, after python -m sde_seg_jax.cli.train --config=configs/folder.py:depth (see docs/selection.md).
Rows, the criteria: ds_us (diversity and uncertainty of depth), ds, us, random; coreset (diversity of an image
encoder's features: neither depth nor video); entropy (of a segmentation network, so it needs the labels of what was
chosen before). Options: data=folder (your own), street_scenes or camvid; size=full (the
published students, for an accelerator) or quick (small ones, for two CPU cores).
Hardware, time and our numbers: docs/record/results.md. The paper's: configs/paper/selection.py.
"""

import base
import folder
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows

ROWS = {name: {"select.criterion": name} for name in ("ds_us", "ds", "us", "coreset", "entropy", "random")}
OPTIONS = {"data": ("folder", "street_scenes", "camvid"), "size": ("full", "quick"), "seed": 42}
SIZES = {  # height, width of stored images
    ("folder", "full"): (512, 1024),
    ("folder", "quick"): (96, 320),
    ("street_scenes", "full"): (128, 256),
    ("street_scenes", "quick"): (64, 128),
    ("camvid", "full"): (512, 672),
    ("camvid", "quick"): (96, 128),
}


def get_config(arg="ds_us"):
    row, options = rows.parse(arg, ROWS, OPTIONS, __file__)
    c = base.get_config()
    c.name = f"selection: {row}"
    c.seed = options["seed"]
    c.data.dataset = options["data"]
    if c.data.dataset == "folder":  # stored like the images of its depth run
        own = folder.get_config("depth" if options["size"] == "full" else "quick_depth")
        c.data, c.dataset = own.data, own.dataset
    else:
        c.data.prepared_dir = f"prepared/{c.data.dataset}" + ("_quick" if options["size"] == "quick" else "")
    if row == "entropy":
        base.supervised(c)
        c.schedule = ConfigDict({"name": "poly", "steps": 0})
    else:
        base.student_depth(c)
    c.model.transfer = ("encoder from imagenet",)
    if options["size"] == "quick":
        _shrink(c)
    c.data.size = height, width = SIZES[c.data.dataset, options["size"]]
    c.data.crop = (min(height, 512), min(width, 512))
    base.selection(c)
    c.select.scale = 0.0  # your depth network's scale is not the published one's
    c.select.steps = (25, 50, 100)
    c.select.student_steps = (150, 300) if options["size"] == "quick" else (4000, 8000)
    c.sources.imagenet = "hf://timm/resnet50.tv_in1k/model.safetensors" if row != "entropy" else c.sources.imagenet
    if row == "coreset" and options["size"] == "quick":
        c.model.encoder, c.model.width = "efficientnet_lite0", 32
        c.model.transfer, c.sources.imagenet = ("encoder from imagenet",), base.LITE0
    return rows.change(c, ROWS[row])


def _shrink(c):
    base.small(c)
    c.model.encoder = "resnet18"
    c.model.transfer = ()  # from scratch: no downloads
    c.optim.name = "adam"
    c.optim.learning_rate = 1e-3
    c.optim.weight_decay = 0.0
    c.optim.module_rates = ConfigDict()
