"""Picks that are spread over clips, of the random order and by score."""

import types

import numpy as np
import pytest

from sde_seg_jax.experiment.selection.choosing import choose_step
from sde_seg_jax.experiment.selection.plan import RANDOM, UNCERTAINTY

NAMES = ["long/0", "long/1", "long/2", "long/3", "short/0", "short/1"]
SCORES = np.array([9.0, 8.0, 7.0, 6.0, 2.0, 1.0])


@pytest.fixture
def work():
    """work(spread, criterion) -> what the steps of a selection see of six frames of two clips."""

    def call(spread, criterion=RANDOM):
        plan = types.SimpleNamespace(spread=spread, criterion=criterion, farthest=False)
        return types.SimpleNamespace(plan=plan, names=NAMES, order=np.arange(6))

    return call


def chosen(found):
    return [NAMES[index] for _, index, *_ in found]


def test_without_it_a_long_clip_gets_all(work):
    assert chosen(choose_step(work(False), [], [], 3, None)) == ["long/0", "long/1", "long/2"]
    assert chosen(choose_step(work(False, UNCERTAINTY), [], [0], 3, SCORES)) == ["long/1", "long/2"]


def test_each_pick_is_of_the_clip_with_the_fewest(work):
    assert chosen(choose_step(work(True), [], [], 3, None)) == ["long/0", "short/0", "long/1"]
    assert chosen(choose_step(work(True), [], [0, 1], 4, None)) == ["short/0", "short/1"]
    assert chosen(choose_step(work(True, UNCERTAINTY), [], [0], 4, SCORES)) == ["short/0", "long/1", "short/1"]
