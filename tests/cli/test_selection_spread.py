"""Picks that are spread over clips, of the random order and by score."""

import types

import numpy as np
import pytest

from sde_seg_jax.experiment.selection import select
from sde_seg_jax.experiment.selection.plan import RANDOM, UNCERTAINTY

NAMES = ["long/0", "long/1", "long/2", "long/3", "short/0", "short/1"]


@pytest.fixture
def work():
    """work(spread, criterion) -> what the steps of a selection see of six frames of two clips."""

    def call(spread, criterion=RANDOM):
        plan = types.SimpleNamespace(spread=spread, criterion=criterion, farthest=False)
        scores = np.array([9.0, 8.0, 7.0, 6.0, 2.0, 1.0])
        return types.SimpleNamespace(plan=plan, names=NAMES, order=np.arange(6), scores=lambda chosen: scores)

    return call


def chosen(found):
    return [NAMES[index] for _, index, *_ in found]


def test_without_it_a_long_clip_gets_all(work):
    assert chosen(select._first(work(False), [], 3)) == ["long/0", "long/1", "long/2"]
    assert chosen(select._next(work(False, UNCERTAINTY), [0], 2)) == ["long/1", "long/2"]


def test_each_pick_is_of_the_clip_with_the_fewest(work):
    assert chosen(select._first(work(True), [], 3)) == ["long/0", "short/0", "long/1"]
    assert chosen(select._next(work(True), [0, 1], 2)) == ["short/0", "short/1"]
    assert chosen(select._next(work(True, UNCERTAINTY), [0], 3)) == ["short/0", "long/1", "short/1"]
