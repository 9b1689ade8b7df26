"""Street scenes: which frames of a redundant video to label, 16 or 48 of 480? Depth against images against chance.

Claim, the paper's: frames that a depth network finds diverse (ds), that a depth student finds hard (us), or both
(ds_us) teach more than random ones. Here the pool is what a car records: most frames are of a few dull stretches.
`coreset` (Sener & Savarese 2018) asks for diversity, too, of an image encoder: it needs neither depth nor video.
Command: python -m sde_seg_jax.cli.table --config=configs/streets_few_selection.py --workdir=runs/few_selection
    --split=test
Options: labels=, seed=, steps= (of the rows), as in streets_few_labels.py, whose baseline all rows train.
Hardware, time, ours: docs/record/results.md. The paper's number: none, it has no street scenes.
"""

import base
import streets_few_labels as few

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "Choosing frames of a redundant video"
METRIC = "miou"
LABELS = (16, 48)
SEEDS = few.SEEDS
SPLIT = "test"
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
CRITERIA = ("random", "coreset", "entropy", "us", "ds", "ds_us")
ROWS = {name: {"task.name": "supervised"} for name in CRITERIA}
AGAINST = dict.fromkeys(CRITERIA[1:], "random")
SELECT = {f"select_{name}": {"select.criterion": name} for name in CRITERIA[1:]}  # random needs no stage
FILE = "configs/streets_few_selection.py"
STAGES = {"depth": f"{FILE}:depth"} | {
    f"{row}_s{s}": f"{FILE}:{row},seed={s}" for row in SELECT for s in (*SEEDS, 7, 8)
}
OPTIONS = few.OPTIONS
DEPTH = ("select_us", "select_ds", "select_ds_us")
STEPS = (8, 16, 32, 48)  # labels after each step
STUDENT_STEPS = (150, 300, 450)  # after each step but the last


def get_config(arg="random"):
    row, options = rows.parse(arg, ROWS | SELECT | {"depth": {}}, OPTIONS, __file__)
    base_row = "depth" if row == "depth" else "baseline"
    c = few.get_config(",".join([base_row, *(f"{key}={value}" for key, value in options.items())]))
    c.name = f"street scenes, frames to label: {row}"
    c.data.prepared_dir = "prepared/streets_few_video"
    c.dataset.pool = "video"
    if row in SELECT:
        return _selection(c, row)
    if row not in ("depth", "random"):
        if c.data.labels > STEPS[-1]:
            raise UsageError(f"{__file__}: labels={c.data.labels}: the selections list {STEPS[-1]} scenes")
        c.data.label_file = f"@select_{row}_s{options['seed']}/labels.txt"
    return rows.change(c, ROWS.get(row, {}))


def _selection(c, row):
    if row in DEPTH:
        network = c.model.copy_and_resolve_references()
        base.student_depth(c)
        c.model = network  # the network of all rows, from ImageNet, but with batch norm
        c.model.batch_norm = True
        c.task.depth_checkpoint = "@depth"
        c.optim.learning_rate = 1e-3
    base.selection(c)
    c.train.steps = STUDENT_STEPS[0]
    c.select.steps, c.select.student_steps = STEPS, STUDENT_STEPS
    c.select.scale = 0.0  # the published mask and bias are made for disparities whose median is 0.2
    return rows.change(c, SELECT[row])
