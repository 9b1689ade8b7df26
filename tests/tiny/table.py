"""The smallest table, for tests: 64x64 street scenes; one row starts from a depth stage, one row diverges."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import config as tiny

from sde_seg_jax.experiment.rows import change, parse

TITLE = "Tiny table"
METRIC = "miou"
ROWS = {
    "diverges": {"optim.learning_rate": 1e30},
    "supervised": {},
    "transfer": {"model.init": "@depth", "model.transfer": ("encoder",)},
}
LABELS = (3,)
SEEDS = (42, 43)
PAPER = {("supervised", 3): "12.34 ± 0.56"}
SOURCE = "as quoted in nobody's table"
STAGES = {"depth": "tests/tiny/config.py:depth"}


def get_config(arg="supervised"):
    row, options = parse(arg, ROWS, {"labels": 3, "seed": 42, "width": 8}, __file__)
    c = tiny.get_config("supervised")
    c.seed = c.data.label_seed = options["seed"]
    c.data.labels = options["labels"]
    c.model.width = options["width"]
    c.train.steps = 2
    c.train.save_every = 1
    c.train.eval_every = 1
    return change(c, ROWS[row])
