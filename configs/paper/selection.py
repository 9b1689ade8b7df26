"""Table 1 of the paper: which images to label, by the selections that its authors published, or by ours.

Supervised training.

Claim: images chosen by depth alone (diversity and uncertainty) are worth more than random ones, and no less than
those chosen with labels (entropy). The quoted re-run confirms the first by 3 to 6 points; for the second it finds
DS+US and entropy within noise.
Command: python -m sde_seg_jax.cli.table --config=configs/paper/selection.py --config.data.raw_dir=DIR --workdir=DIR
Our own lists: --config=configs/paper/selection.py:lists=ours, which first trains self-supervised depth and then runs
    select_images.py for every criterion and seed; random is drawn as before.
CamVid: --config=configs/paper/selection.py:dataset=camvid --labels=25,50,100 --rows=random,ds_us, or all rows with
    dataset=camvid,lists=ours.
One run: python -m sde_seg_jax.cli.train --config=configs/paper/selection.py:ds_us,labels=372,seed=42 --workdir=DIR
Options: labels=, seed= (42, 43 or 44: one list each), dataset=cityscapes|camvid, lists=published|ours.
Hardware, time: an accelerator, 40000 steps of 2 crops a run; not run.
The paper's numbers: PAPER, Cityscapes val mIoU [%]. Ours: not run.
"""

import published
from published import SEEDS, SOURCE, STAGES  # noqa: F401  read by cli.table

TITLE = "Choosing images to label (Table 1)"
METRIC = "miou"
LABELS = (100, 372, 744)
ROWS = {
    "random": {"task.name": "supervised", "selection": "random"},
    "entropy": {"task.name": "supervised", "selection": "ent"},
    "us": {"task.name": "supervised", "selection": "us"},
    "ds": {"task.name": "supervised", "selection": "ds"},
    "ds_us": {"task.name": "supervised", "selection": "ds_us"},
}
PAPER = {
    ("random", 100): "48.75 ± 1.61",
    ("random", 372): "59.14 ± 1.02",
    ("random", 744): "63.46 ± 0.38",
    ("entropy", 100): "53.63 ± 0.77",
    ("entropy", 372): "63.51 ± 0.68",
    ("entropy", 744): "66.18 ± 0.50",
    ("us", 100): "51.75 ± 1.12",
    ("us", 372): "62.77 ± 0.46",
    ("us", 744): "66.76 ± 0.45",
    ("ds", 100): "53.00 ± 0.51",
    ("ds", 372): "63.23 ± 0.69",
    ("ds", 744): "66.37 ± 0.20",
    ("ds_us", 100): "54.37 ± 0.36",
    ("ds_us", 372): "64.25 ± 0.18",
    ("ds_us", 744): "66.94 ± 0.59",
}


def get_config(arg="random"):
    return published.configure(ROWS, arg, __file__)
