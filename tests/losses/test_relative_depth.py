"""Depth up to scale and shift: what costs nothing, which way it pushes, and PyTorch's value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from sde_seg_jax.losses import relative_depth
from sde_seg_jax.tasks import depth
from sde_seg_jax.types import Batch, Outputs, View

REFERENCE = np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 7, 1)).astype(np.float32)


@jax.jit
def loss(disparity, reference):
    outputs = Outputs(disparity=(disparity,))
    return relative_depth.term(View(image=None, outputs=outputs, reference_disparity=reference), jax.random.key(0))


def test_scale_and_shift_of_each_image_cost_nothing():
    moved = REFERENCE * np.array([0.1, 3.0]).reshape(2, 1, 1, 1) + np.array([0.2, -1.0]).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(loss(moved.astype(np.float32), REFERENCE), 0, atol=2e-6)


def test_depth_upside_down_costs_more_than_none():
    assert loss(-REFERENCE, REFERENCE) > 1.5 * loss(np.full_like(REFERENCE, 0.3), REFERENCE) > 0


def test_value_and_gradient_are_pytorchs():
    start = np.random.default_rng(1).uniform(0.1, 0.9, REFERENCE.shape)
    theirs, wanted = torch.tensor(start, requires_grad=True), torch.tensor(REFERENCE, dtype=torch.double)

    def relative(x):
        centred = x - x.flatten(1).median(1).values.reshape(-1, 1, 1, 1)  # an odd number of pixels
        return centred / centred.abs().mean((1, 2, 3), keepdim=True)

    expected = (relative(theirs) - relative(wanted)).abs().mean()
    expected.backward()
    with jax.enable_x64(True):
        value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(start), jnp.asarray(REFERENCE, jnp.float64))
    np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_the_task_reads_cached_disparities_for_it_alone():
    assert depth.TASK.cached({"photometric": 1.0, "relative_depth": 0.1}, {}) == ("unlabeled",)
    assert depth.TASK.cached({"photometric": 1.0, "smoothness": 1e-3}, {}) == ()


def test_without_a_cache_the_message_names_the_remedy():
    with pytest.raises(ValueError, match=r"losses\.relative_depth compares with cached disparities.*data\.depth_cache"):
        depth._cached_disparity(Batch(image=None, intrinsics=None), {"photometric": 1.0, "relative_depth": 0.1})
