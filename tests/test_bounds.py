"""Values of configurations against what their readers declare."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import pytest

from sde_seg_jax.bounds import Bounds, Count, NotNegative, Positive, Probability, Seed, complaint
from sde_seg_jax.experiment.check import check
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.configuration.configure import configure

TINY = "tests/tiny/config.py"


@pytest.mark.parametrize(
    ("annotation", "right", "wrong", "text"),
    [
        (Probability, (0, 1.0, 0.5), (-0.1, 2, "a", True, math.nan), "a number from 0 to 1"),
        (Positive, (1e-9, 3), (0, -1.0), "a number above 0"),
        (Positive | None, (None, 1.0), (0.0,), "a number above 0 or None"),
        (Count, (1, 7), (0, 2.0, True), "a whole number 1 or more"),
        (Annotated[float, Bounds(0, 1, open_high=True)], (0, 0.9), (1,), "a number from 0 to below 1"),
        (bool, (True, False), (1, "yes"), "True or False"),
        (str, ("", "a"), (None, 3), "a text"),
        (Positive, (1.0,), (math.inf, -math.inf, math.nan), "a number above 0"),
        (float, (1, 2.5), ("1", math.inf, -math.inf, math.nan), "a number"),
        (Seed, (0, 2**32 - 1), (-1, 2**32), "a whole number from 0 to 4294967295"),
        (Sequence[Count], ((1, 2), [3], ()), ((1, 0), [2.5]), "a whole number 1 or more"),
        (Mapping[str, NotNegative] | None, ({"a": 0.5}, {}, None), ({"a": math.inf},), "a number 0 or more or None"),
        (dict[str, float], ({}, 3), (), ""),
    ],
)
def test_a_value_is_what_its_annotation_says(annotation, right, wrong, text):
    assert [complaint(annotation, value) for value in right] == [""] * len(right)
    assert [complaint(annotation, value) for value in wrong] == [text] * len(wrong)


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        ("semi_supervised", {"task.confidence": 2.0}, "config.task.confidence=2.0: expected a number from 0 to 1"),
        ("semi_supervised", {"task.jitter_strength": 0.9}, "config.task.jitter_strength=0.9: .* from 0 to 0.5"),
        ("semi_supervised", {"task.mix": "clas"}, "unknown task.mix 'clas'; known: .*; did you mean 'class'?"),
        ("depth", {"task.min_depth": -1.0}, "config.task.min_depth=-1.0: expected a number above 0"),
        ("supervised", {"optim.momentum": 1.5}, "config.optim.momentum=1.5: expected a number from 0 to below 1"),
        ("supervised", {"optim.learning_rate": -1.0}, "config.optim.learning_rate=-1.0: .* 0 or more"),
        (
            "supervised",
            {"optim.name": "adm"},
            "unknown optim.name 'adm'; known: sgd, adam, adamw; did you mean 'adam'?",
        ),
        ("supervised", {"data.batch_size": 0}, "config.data.batch_size=0: expected a whole number 1 or more"),
        ("supervised", {"data.labels": -3}, "config.data.labels=-3: expected a whole number 0 or more"),
        ("supervised", {"train.log_every": -1}, "config.train.log_every=-1: expected a whole number 0 or more"),
        ("supervised", {"train.steps": -1}, "config.train.steps=-1: expected a whole number 0 or more"),
        ("supervised", {"train.steps": 10**30}, "config.train.steps=10{30}: expected a whole number up to 2147483647"),
        ("supervised", {"seed": -1}, "config.seed=-1: expected a whole number from 0 to 4294967295"),
        ("supervised", {"seed": 2**40}, "config.seed=1099511627776: expected a whole number from 0 to 4294967295"),
        ("supervised", {"data.label_seed": -1}, "config.data.label_seed=-1: expected a whole number from 0 to"),
        (
            "supervised",
            {"model.decoder_channels": (4, 4, 0, 8, 8)},
            r"config.model.decoder_channels=\(4, 4, 0.* 1 or more",
        ),
        ("supervised", {"model.aspp_rates": (1, -2)}, r"config.model.aspp_rates=\(1, -2\): .* 1 or more"),
        ("supervised", {"model.head_stride": 0}, "config.model.head_stride=0: expected a whole number 1 or more"),
        ("supervised", {"model.dropout": 1.0}, "config.model.dropout=1.0: expected a number from 0 to below 1"),
        ("depth", {"model.pose_width": 0}, "config.model.pose_width=0: expected a whole number 1 or more"),
        ("depth", {"model.pose_channels": 0}, "config.model.pose_channels=0: expected a whole number 1 or more"),
        ("supervised", {"eval.batch_size": 0}, "config.eval.batch_size=0: expected a whole number 1 or more"),
        ("supervised", {"data.size": (0, 64)}, r"config.data.size=\[0, 64\]: expected a whole number 1 or more"),
        ("supervised", {"data.field_of_view": 200.0}, "config.data.field_of_view=200.0: .* from 0 to below 180"),
        ("supervised", {"optim.learning_rate": "1e400"}, "config.optim.learning_rate=inf: expected a finite number"),
        ("supervised", {"optim.learning_rate": 1e39}, "config.optim.learning_rate=1e.39: expected a finite number"),
        ("supervised", {"optim.module_rates": "{'encoder': 1e400}"}, "config.optim.module_rates"),
        ("depth", {"model.pose_scale": "-1e999"}, "config.model.pose_scale=-inf: expected a finite number"),
        ("supervised", {"losses.cross_entropy": "1e400"}, "config.losses.cross_entropy=inf: expected a finite number"),
        (
            "supervised",
            {"losses": {"berhu": {"weight": float("nan")}}},
            "config.losses.berhu.weight=nan: expected a fi",
        ),
        ("supervised", {"losses": {"berhu": {"weight": 1.0, "bottom": "low"}}}, "config.losses.berhu.bottom='low'"),
    ],
)
def test_a_value_that_cannot_be_is_an_error_before_any_work(row, changes, message):
    with pytest.raises((UsageError, ValueError), match=message):
        check(configure(f"{TINY}:{row}", changes), sources=False)
