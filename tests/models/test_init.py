"""Initial weights follow their published distributions and do not depend on one another."""

import math

import jax
import numpy as np
import pytest

from sde_seg_jax.models.init import he_normal_fan_out, initial_variables, torch_default
from sde_seg_jax.models.network import make_network

TINY = {
    "num_classes": 3,
    "encoder": "resnet18",
    "width": 4,
    "dilate": [False, False, False],
    "decoder_channels": [4, 4, 4, 4, 4],
    "aspp_rates": [1, 2],
    "pose_width": 4,
}
SIZE = (64, 96)


@pytest.mark.parametrize(
    ("rule", "std"),
    [(he_normal_fan_out, math.sqrt(2 / (9 * 64))), (torch_default, 1 / math.sqrt(3 * 9 * 32))],
    ids=["torchvision", "torch default"],
)
def test_both_generators_follow_the_published_distribution(rule, std):
    shape = (3, 3, 32, 64)
    initial = rule(shape)
    for draw in (initial.draw(np.random.default_rng(0), shape), initial(jax.random.key(0), shape)):
        assert draw.dtype == np.float32
        assert abs(float(draw.mean())) < 0.03 * std
        np.testing.assert_allclose(draw.std(), std, rtol=0.02)
        if initial.kind == "uniform":
            assert np.abs(draw).max() <= 1 / math.sqrt(9 * 32)


def test_all_parts_get_the_variables_that_flax_would_make():
    network = make_network(**TINY)
    drawn = initial_variables(network, 0, SIZE)
    image = jax.ShapeDtypeStruct((1, *SIZE, 3), np.float32)
    made = jax.eval_shape(lambda x: network.init(jax.random.key(0), x, method="initialize"), image)
    assert jax.tree.map(np.shape, drawn.params) == jax.tree.map(lambda leaf: leaf.shape, made["params"])
    assert jax.tree.map(np.shape, drawn.batch_stats) == jax.tree.map(lambda leaf: leaf.shape, made["batch_stats"])


def test_same_seed_same_values_other_seed_other_values():
    network = make_network(**TINY)
    first, again, other = (initial_variables(network, seed, SIZE).params for seed in (1, 1, 2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert not np.array_equal(first["encoder"]["conv1"]["kernel"], other["encoder"]["conv1"]["kernel"])


def test_a_part_starts_alike_whatever_else_the_network_has():
    whole = initial_variables(make_network(**TINY), 1, SIZE).params
    alone = initial_variables(make_network(**TINY, pose=False, depth=False), 1, SIZE).params
    jax.tree.map(np.testing.assert_array_equal, whole["segmentation"], alone["segmentation"])


def test_disparity_heads_start_at_the_given_bias():
    params = initial_variables(make_network(**TINY, disparity_bias=-2.0), 1, SIZE).params["depth_decoder"]
    for scale in range(4):
        np.testing.assert_array_equal(params[f"disparity_{scale}"]["bias"], [-2.0])
