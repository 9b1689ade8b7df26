"""Learning rates of every row: as published, as measured in docs/record/results.md, and following train.steps."""

import pathlib

import numpy as np
import pytest

from sde_seg_jax.experiment.config import load_config, load_module
from sde_seg_jax.experiment.schedule import follows, make_factor
from sde_seg_jax.experiment.selection.plan import make_plan
from sde_seg_jax.experiment.selection.work import student_config
from sde_seg_jax.training.schedules import POLY_FLOOR

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = [path for path in sorted((ROOT / "configs").rglob("*.py")) if "def get_config" in path.read_text()]
CASES = [(path, row) for path in FILES for row in getattr(load_module(str(path)), "ROWS", [""])]
SIZES = [  # lengths that differ by option: the row, train.steps, the last update at the full rate
    ("configs/base.py", 40000, 30000),
    ("configs/paper/semi.py:baseline,dataset=camvid", 20000, 15000),
    ("configs/paper/semi.py:baseline,dataset=mapillary", 40000, 30000),
    ("configs/paper/ssda.py:cross_intra,source=synthia", 40000, 30000),
    ("configs/sde_frozen.py", 300000, 160000),
    ("configs/sde_source.py:gta", 300000, 160000),
    ("configs/quickstart.py:depth", 1000, 750),
    ("configs/camvid.py:depth", 20000, 15000),
    ("configs/camvid.py:depthmix", 20000, 15000),
    ("configs/folder.py:depth", 20000, 15000),
    ("configs/folder.py:quick_depth", 600, 450),
    ("configs/kitti.py:depth", 66350, 49762),
    ("configs/kitti.py:quick_depth", 600, 450),
    ("configs/learnt_intrinsics.py", 2000, 1600),
    ("configs/streets_ablation.py:depth,size=cpu", 1400, 1050),
    ("configs/streets_ablation.py:depth,size=toy,labels=3", 4, 3),
]


def factors(config, *updates):
    return [float(make_factor(config)(np.int32(update))) for update in updates]


def configuration(case):
    path, _, row = case.partition(":")
    return load_config(str(ROOT / path), row)


@pytest.mark.parametrize(("case", "steps", "drop"), SIZES, ids=lambda x: str(x).removeprefix("configs/"))
def test_the_rate_drops_where_it_is_published_or_was_measured(case, steps, drop):
    config = configuration(case)
    assert config.train.steps == steps
    np.testing.assert_allclose(factors(config, 0, drop - 1, drop, steps), [1, 1, 0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize(("path", "row"), CASES, ids=lambda x: getattr(x, "stem", x))
def test_a_row_anneals_within_its_training_however_long_that_is(path, row):
    config = load_config(str(path), row)
    for steps in (config.train.steps, 400):
        config.train.steps = steps
        found = factors(config, 0, steps // 2, steps - 1, steps)
        if config.schedule.name == "poly":
            np.testing.assert_allclose(found[:2], [1, (1 - steps // 2 / steps) ** 0.9], rtol=1e-5)
            assert found[2] > found[3] == np.float32(POLY_FLOOR)
        elif config.schedule.name == "step":
            np.testing.assert_allclose(found, [1, 1, 0.1, 0.1], rtol=1e-6)
        else:
            assert set(found) == {1.0}
        assert all(follows(value) for key, value in config.schedule.items() if key in ("steps", "milestones"))


@pytest.mark.parametrize(("path", "row"), CASES, ids=lambda x: getattr(x, "stem", x))
def test_a_student_anneals_over_the_steps_that_it_is_trained(path, row):
    config = load_config(str(path), row)
    if "select" in config:
        plan = make_plan(**config.select.to_dict())
        for labels, steps in zip(plan.steps, plan.student_steps, strict=False):  # the last list trains no student
            found = factors(student_config(config, plan, labels), 0, steps // 2, steps)
            np.testing.assert_allclose(found, [1, (1 - steps // 2 / steps) ** 0.9, POLY_FLOOR], rtol=1e-5)
