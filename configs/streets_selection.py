"""Street scenes: which of them to label, at small scale, from random weights and without downloads.

Claim, which did not hold here (docs/record/results.md: 1 to 2 points below random): with the same number of labels,
images that a depth network finds diverse (ds), that a depth student finds hard (us), or both (ds_us) teach more than
random ones; entropy needs labels to choose by. Every list trains the baseline.
Command: python -m sde_seg_jax.cli.table --config=configs/streets_selection.py --workdir=runs/streets
On a CPU: --config=configs/streets_selection.py:size=cpu
One list: python -m sde_seg_jax.cli.select --config=configs/streets_selection.py:select_ds_us,seed=42,size=cpu
    --workdir=runs/streets/select_ds_us_s42     (the teacher: runs/streets/depth, the stage of streets_ablation.py)
Options: labels=, seed=, size= gpu, cpu, toy, as for streets_ablation.py, whose baseline all rows train.
Hardware, time, ours: size=cpu in docs/record/results.md; gpu: not run. The paper's number: none (no street scenes).
"""

import base
import streets_ablation

from sde_seg_jax.experiment import rows
from sde_seg_jax.experiment.config import UsageError

TITLE = "Choosing street scenes to label"
METRIC = "miou"
LABELS = (20, 40)
SEEDS = (42, 43, 44)
SOURCE = ""
PAPER: dict[tuple[str, int], str] = {}
CRITERIA = ("random", "entropy", "us", "ds", "ds_us")
ROWS = {name: {"task.name": "supervised"} for name in CRITERIA}
SELECT = {f"select_{name}": {"select.criterion": name} for name in CRITERIA[1:]}  # random needs no stage
STAGES = {"depth": "configs/streets_selection.py:depth"} | {
    f"{row}_s{seed}": f"configs/streets_selection.py:{row},seed={seed}" for row in SELECT for seed in SEEDS
}
OPTIONS = {"labels": 0, "seed": 42, "size": streets_ablation.OPTIONS["size"]}
STEPS = {"gpu": (10, 20, 40), "cpu": (10, 20, 40), "toy": (10, 20, 40)}  # labels after each step
STUDENT_STEPS = {"gpu": (1000, 2000), "cpu": (150, 300), "toy": (2, 2)}  # after each step but the last
ENTROPY_STEPS = {"gpu": (1500, 3000), "cpu": (200, 400), "toy": (2, 2)}


def get_config(arg="random"):
    row, options = rows.parse(arg, ROWS | SELECT | {"depth": {}}, OPTIONS, __file__)
    size, seed = options["size"], options["seed"]
    if row == "depth":  # the same as in the other table: a finished one can be brought along
        return streets_ablation.get_config(f"depth,size={size},labels={_labels(size)}")
    if row in SELECT:
        return _selection(row, seed, size)
    labels = options["labels"] or min(LABELS[0], STEPS[size][-1])
    c = streets_ablation.get_config(f"baseline,seed={seed},size={size},labels={labels}")
    c.name = f"street scenes: {row}"
    if row != "random":
        if c.data.labels > STEPS[size][-1]:
            listed = f"the selections list {STEPS[size][-1]} scenes; random takes more"
            raise UsageError(f"{__file__}: labels={c.data.labels}: {listed}")
        c.data.label_file = f"@select_{row}_s{seed}/labels.txt"
    return rows.change(c, ROWS[row])


def _labels(size):
    return min(streets_ablation.LABELS[0], streets_ablation.SCENES[size][0])


def _selection(row, seed, size):
    entropy = row == "select_entropy"
    c = streets_ablation.get_config(f"baseline,seed={seed},size={size},labels={_labels(size)}")
    c.name = f"street scenes: {row}"
    steps = (ENTROPY_STEPS if entropy else STUDENT_STEPS)[size]
    if not entropy:
        network = c.model.copy_and_resolve_references()
        base.student_depth(c)
        c.model = network  # as small as the other networks here, but with batch norm
        c.model.batch_norm = True
        c.task.depth_checkpoint = "@depth"
        c.optim.learning_rate = streets_ablation.DEPTH_RATES[size]  # from scratch
    base.selection(c)
    c.train.steps = steps[0]
    c.select.steps, c.select.student_steps = STEPS[size], steps
    c.select.scale = 0.0  # disparities here are thirty times smaller than the published ones
    return rows.change(c, SELECT[row])
