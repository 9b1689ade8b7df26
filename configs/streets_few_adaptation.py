"""Street scenes: few labels, and labelled synthetic scenes beside them. What does each way to join them win?

Claim, the paper's: with labels of a synthetic source, 1/30 of the target's labels reach 97 % of the score with all of
them. The target, its 16 labels, network, steps and baseline are those of streets_few_labels.py; the source is 960
scenes of the simpler rendering.
Command: python -m sde_seg_jax.cli.table --config=configs/streets_few_adaptation.py --workdir=runs/few_adaptation
    --split=test
Options: labels=, seed=, steps= (of the rows), as in streets_few_labels.py.
Hardware, time, ours: docs/record/results.md. The paper's number: none, it has no street scenes.
"""

import base
import streets_few_labels as few
from ml_collections import ConfigDict

from sde_seg_jax.experiment import rows

TITLE = "Few labels and a synthetic source, street scenes"
METRIC = "miou"
LABELS = few.LABELS
SEEDS = few.SEEDS
SPLIT = "test"
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
STAGES = {"depth": few.STAGES["depth"], "depth_source": "configs/streets_few_adaptation.py:depth_source"}

FRAME = ("baseline", "all_labels")  # rows of streets_few_labels.py: with the same --workdir they are not run again
JOINT = {"task.name": "domain_adaptation", "task.intra_domain": 0.0, "task.cross_domain": 0.0}
CLASS = JOINT | {"task.cross_domain": 1.0, "task.cross_mix": "class"}
DEPTH = {"task.depth_checkpoint": few.DEPTH, "task.source_depth_checkpoint": "@depth_source"}
CROSS = JOINT | DEPTH | {"task.cross_domain": 1.0, "task.cross_mix": "depth"}
WITHIN = JOINT | {"task.intra_domain": 1.0, "task.mix": "class"}
ROWS = {key: {} for key in FRAME} | {
    "source_only": JOINT | {"task.target": 0.0},
    "joint": JOINT,
    "joint_classmix": CLASS,
    "joint_cross": CROSS,
    "joint_cross_matching_5": CROSS | {"matching.candidates": 5},
    "joint_cross_matching_64": CROSS | {"matching.candidates": 64},
    "joint_within": WITHIN,
    "joint_transfer": JOINT | few.TRANSFER,
    "joint_transfer_within": WITHIN | few.TRANSFER,
    "joint_all": few.TRANSFER | CROSS | WITHIN | {"task.cross_domain": 1.0, "matching.candidates": 64},
    "unsupervised": CROSS | {"task.target": 0.0},
}
AGAINST = {
    **dict.fromkeys(("joint_classmix", "joint_cross", "joint_within", "joint_transfer"), "joint"),
    **dict.fromkeys(("joint_cross_matching_5", "joint_cross_matching_64"), "joint_cross"),
    "joint": "baseline",
    "all_labels": "baseline",
    "joint_transfer_within": "joint_within",
    "joint_all": "joint_transfer_within",
    "unsupervised": "source_only",
}
STAGE = {"depth_source": few.STAGE["depth"]}
OPTIONS = few.OPTIONS
SOURCE_SCENES = {"train": 960, "val": 64}


def get_config(arg="joint"):
    row, options = rows.parse(arg, ROWS | STAGE, OPTIONS, __file__)
    base_row = row if row in FRAME else "depth" if row in STAGE else "baseline"
    c = few.get_config(",".join([base_row, *(f"{key}={value}" for key, value in options.items())]))
    if row in FRAME:
        return c
    c.name = f"street scenes, few labels and a source: {row}"
    if row in STAGE:
        c.data.prepared_dir = "prepared/streets_few_source"
        c.dataset = ConfigDict({"domain": "source", "seed": 0, "counts": SOURCE_SCENES})
        return rows.change(c, STAGE[row])
    short = {key: c[key] for key in ("data", "optim", "train", "schedule")}
    base.domain_adaptation(c)
    c.update(short)
    c.source_data.dataset = c.data.dataset
    c.source_data.prepared_dir = "prepared/streets_few_source"
    c.source_data.size = c.data.size
    c.source_dataset = ConfigDict({"domain": "source", "seed": 0, "counts": SOURCE_SCENES})
    c.matching.cells = (16, 32)
    base.short_mixing(c)
    changes = ROWS[row]
    if not changes.get("task.target", 1.0):  # these two read labels of the target
        changes = changes | {"task.kept": "unlabeled", "task.prior": 0.0}
    return rows.change(c, changes)
