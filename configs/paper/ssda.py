"""Domain adaptation with few target labels: GTA5 or SYNTHIA join Cityscapes, row by row (METHOD 5).

Claim: labeled synthetic images are worth target labels, the more so if scenes are mixed along their geometry, within
the target and across the domains. The abstract: GTA5 and 1/30 of the labels reach 97 % of the supervised baseline with
all labels, which is about 65.7 % mIoU, derived from 0.97 x 67.77 %. No cell of the tables is quoted where we looked.
Command: python -m sde_seg_jax.cli.table --config=configs/paper/ssda.py --workdir=DIR --config.data.raw_dir=DIR
    --config.source_data.raw_dir=DIR     (the source's videos: prepare configs/sde_source.py:gta before)
SYNTHIA: --config=configs/paper/ssda.py:source=synthia --metric=miou_16 (or miou_13)
One run: python -m sde_seg_jax.cli.train --config=configs/paper/ssda.py:cross_intra,labels=200,seed=43 --workdir=DIR
Options: labels=, seed=, source=gta5|synthia, selection=random|ent|us|ds|ds_us, lists=published|ours (published.py).
From ImageNet instead of the target's depth network, but for the multi-task rows:
    --config.model.transfer="('encoder from imagenet',)"
Hardware, time: an accelerator, 40000 steps of 2 + 2 + 2 crops a run; not run.
The paper's numbers: none quoted. Ours: not run.
"""

import published
from ml_collections import ConfigDict
from published import MULTITASK_TRANSFER, SDE, SEEDS, TRANSFER  # noqa: F401  SEEDS is read by cli.table

from sde_seg_jax.experiment import rows

TITLE = "Semi-supervised domain adaptation"
METRIC = "miou"
LABELS = (100, 200, 500, 2975)
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
SOURCE_SDE = {"gta5": "sde_source_gta", "synthia": "sde_source_synthia"}
STAGES = published.STAGES | {
    "sde_source_gta": "configs/sde_source.py:gta",
    "sde_source_synthia": "configs/sde_source.py:synthia",
}
SUBSETS = {"gta5": 0, "synthia": (16, 13)}  # of Cityscapes' classes: SYNTHIA lacks some
DATA_OPTIONS = {"gta5": {}, "synthia": {"labels": "raw16", "label_folder": "GT/LABELS", "classes": 19}}
OPTIONS = {
    "labels": LABELS[0],
    "seed": 42,
    "source": tuple(SOURCE_SDE),
    "selection": published.OPTIONS["selection"],
    "lists": published.OPTIONS["lists"],
}


def table(source):
    """The rows with a source domain. Named by what they do: `tdm` and `cdm` changed their meaning between experiments.

    In experiment 260 cdm mixes within the target domain and tdm across domains (Q31), in 262 it is the other way round.
    """
    start = {"model.init": SDE, "model.transfer": TRANSFER}
    joint = start | {"task.name": "domain_adaptation", "task.intra_domain": 0.0, "task.cross_domain": 0.0}
    selection = {"selection": "ds_us"}
    intra = {"task.intra_domain": 1.0, "task.depth_checkpoint": SDE}
    cross = {
        "task.cross_domain": 1.0,
        "task.depth_checkpoint": SDE,
        "task.source_depth_checkpoint": f"@{SOURCE_SDE[source]}",
    }
    matching = {"matching.candidates": 5}
    mtl = {"base": "multitask_adaptation", "model.transfer": MULTITASK_TRANSFER}
    return {
        # experiment 260
        "baseline": joint,
        "selection": joint | selection,  # sel
        "classmix": joint | {"task.cross_domain": 1.0, "task.cross_mix": "class"},
        "cross_domain": joint | cross,  # depthmix_tdm
        "intra_domain": joint | intra,  # depthmix_cdm
        "cross_intra": joint | cross | intra,  # depthmix_tdm_cdm
        "cross_intra_matching": joint | cross | intra | matching,  # depthmix_tdm_cdm_mg
        # experiment 262
        "mtl": joint | mtl,
        "selection_intra_mtl": joint | selection | intra | mtl,  # sel_tdm_mtl
        "cross_intra_matching_mtl": joint | cross | intra | matching | mtl,  # tdm_cdm_mg_mtl
        "selection_cross_intra_matching_mtl": joint | selection | cross | intra | matching | mtl,  # sel_tdm_cdm_mg_mtl
        # ours, to compare with: source_only reads no target label, whatever the label count
        "source_only": joint | {"task.target": 0.0},
        "target_only": start | {"task.name": "supervised"},
    }


ROWS = table("gta5")


def get_config(arg="baseline"):
    _, options = rows.parse(arg, ROWS, OPTIONS, __file__)
    source = options["source"]
    c = published.configure(table(source), arg, __file__, OPTIONS)
    c.name += f", {source}"
    rows.change(c, {"eval.classes": SUBSETS[source]})
    if "source_data" in c:
        c.source_data.dataset = source
        c.source_data.prepared_dir = f"prepared/{source}"  # its size is the target's, as published (Q33)
        c.source_dataset = ConfigDict(DATA_OPTIONS[source])
    return c
