"""Labeled synthetic images help on your own: any source with any target, with few labels of the target or none.

Claim: a segmentation network for images that hardly anybody labeled, from GTA5 or SYNTHIA and two raw_dirs.
Command: python -m sde_seg_jax.cli.train --config=configs/adaptation.py:classmix,source=gta5,target=folder
    --config.data.raw_dir=YOUR_DIR --config.source_data.raw_dir=GTA5_DIR --workdir=DIR
Rows: joint (source + target labels), classmix (ClassMix across domains: needs no depth), unsupervised (the same
    without target labels), depthmix (mixes within and across the domains by depth: name the depth runs with
    --config.task.depth_checkpoint=DIR and --config.task.source_depth_checkpoint=DIR), matching (the same, and source
    crops are chosen by geometry), mtl (matching, and depth is learnt with segmentation: the target needs video).
Options: source=gta5|synthia|street_scenes, target=folder|cityscapes|camvid|street_scenes, size=published|quick (96x192,
    500 steps: minutes on two CPU cores, to try it), labels= (0: all that there are), seed=.
Classes: GTA5 and SYNTHIA have those of Cityscapes. CamVid's are mapped below. Of your own classes.json those count that
    have the same names; add rules with --config.source_data.class_map="('by_name', 'vegetation -> tree')".
Hardware, time and our numbers: docs/record/results.md (quick). The paper's: configs/paper/ssda.py.
"""

import base
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows

ADAPT = {"task.intra_domain": 0.0, "task.cross_domain": 0.0}
CLASSMIX = {"task.intra_domain": 0.0, "task.cross_mix": "class"}
MATCHING = {"matching.candidates": 64}
ROWS = {
    "joint": ADAPT,
    "classmix": CLASSMIX,
    "unsupervised": CLASSMIX | {"task.target": 0.0},
    "depthmix": {"task.depth_checkpoint": "@depth", "task.source_depth_checkpoint": "@depth_source"},
    "matching": MATCHING | {"task.depth_checkpoint": "@depth", "task.source_depth_checkpoint": "@depth_source"},
    "mtl": MATCHING | {"task.depth_checkpoint": "@depth", "task.source_depth_checkpoint": "@depth_source"},
}
OPTIONS = {
    "source": ("gta5", "synthia", "street_scenes"),
    "target": ("folder", "cityscapes", "camvid", "street_scenes"),
    "size": ("published", "quick"),
    "labels": 0,
    "seed": 42,
}
SOURCES = {  # options of the source's description
    "gta5": {},
    "synthia": {"classes": 19},
    "street_scenes": {"domain": "source", "counts": {"train": 960, "val": 1}},
}
TARGETS = {"folder": {}, "cityscapes": {}, "camvid": {}, "street_scenes": {"counts": {"train": 480, "val": 64}}}
TO_CAMVID = (  # the eleven classes of Badrinarayanan et al. (SegNet), from their 32
    *("by_name", "sidewalk -> pavement", "wall -> building", "vegetation -> tree", "terrain -> tree"),
    *("traffic light -> sign symbol", "traffic sign -> sign symbol", "person -> pedestrian", "rider -> bicyclist"),
    *("motorcycle -> bicyclist", "bicycle -> bicyclist", "truck -> car", "bus -> car", "train -> car"),
)
CLASS_MAPS = {"camvid": TO_CAMVID, "folder": ("by_name",)}


def get_config(arg="classmix"):
    row, options = rows.parse(arg, ROWS, OPTIONS, __file__)
    source, target = options["source"], options["target"]
    c = base.get_config()
    c.name = f"{row}, {source} to {target}"
    c.seed = c.data.label_seed = options["seed"]
    c.data.dataset, c.data.prepared_dir, c.data.labels = target, f"prepared/{target}", options["labels"]
    if target == "camvid":
        c.data.size, c.data.crop = (512, 672), (512, 512)
    if target == "folder":
        c.data.video_split = "video"
    c.dataset = ConfigDict(TARGETS[target])
    (base.multitask_adaptation if row == "mtl" else base.domain_adaptation)(c)
    c.source_data.dataset, c.source_data.prepared_dir = source, f"prepared/{source}_source"
    c.source_data.class_map = CLASS_MAPS.get(target, ())
    c.source_dataset = ConfigDict(SOURCES[source])
    if options["size"] == "quick":
        _shrink(c)
        if target == "camvid":
            c.data.size = (96, 128)
    return rows.change(c, ROWS[row])


def _shrink(c):
    base.small(c)
    for data in (c.data, c.source_data):
        data.prepared_dir += "_quick"
        data.size = (96, 192)
    c.data.crop = (96, 128)
    c.data.batch_size = 2
    c.optim.name = "adam"
    c.optim.learning_rate = 3e-3
    c.optim.weight_decay = 0.0
    c.optim.module_rates = ConfigDict()
    c.train.steps = 500
    c.schedule = ConfigDict({"name": "poly", "steps": 0})
