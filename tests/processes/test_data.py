"""Streams and scores of several processes are together those of one."""

import pickle

import jax
import numpy as np
import pytest
import toy_data

import launch


def seen(count, folder):
    launch.together("data", folder, count=count)
    return pickle.loads((folder / "data").read_bytes())


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return seen(2, tmp_path_factory.mktemp("two"))


def check(found, count):
    one, parts = toy_data.streams(), found["streams"]
    assert len(parts) == count
    for number, (names, images) in enumerate(one):
        np.testing.assert_array_equal(np.concatenate([part[number][0] for part in parts]), names)
        np.testing.assert_array_equal(np.concatenate([part[number][1] for part in parts]), images)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b, strict=True), found["scores"], toy_data.scores())


def test_streams_of_two_are_those_of_one_and_scores_are_equal_to_the_last_bit(two):
    check(two, 2)
    assert two["scores"]["matrices"].sum() == toy_data.COUNT * np.prod(toy_data.SIZE)  # 13 samples, batches of 2


@pytest.mark.slow
def test_so_are_those_of_four(tmp_path):
    check(seen(4, tmp_path), 4)
