"""The smallest table with selections, for tests: 64x64 street scenes; the rows' labels are chosen by stages."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import config as tiny

from sde_seg_jax.experiment.rows import change, parse

TITLE = "Tiny selection"
METRIC = "miou"
ROWS = {
    "random": {},
    "ds": {"data.label_file": "@select_ds/labels.txt"},
    "us": {"data.label_file": "@select_us/labels.txt"},
}
SELECT = {"select_ds": {"select.criterion": "ds"}, "select_us": {"select.criterion": "us"}}
LABELS = (3,)
SEEDS = (42,)
STAGES = {"depth": "tests/tiny/config.py:depth"} | {row: f"tests/tiny/selection_table.py:{row}" for row in SELECT}


def get_config(arg="random"):
    row, options = parse(arg, ROWS | SELECT, {"labels": 3, "seed": 42}, __file__)
    c = tiny.get_config("student_depth" if row in SELECT else "supervised")
    c.seed = c.data.label_seed = options["seed"]
    c.data.labels = options["labels"]
    c.train.steps = 2
    if row in SELECT:
        tiny.base.selection(c)
        c.select.steps = (2, 4)
        c.select.student_steps = (2,)
        c.select.pool = (2, 2)
    return change(c, (ROWS | SELECT)[row])
