import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.mixing.apply import next_in_batch, paste


def tree(batch, seed):
    rng = np.random.default_rng(seed)
    return {
        "image": jnp.asarray(rng.uniform(size=(batch, 6, 8, 3)), jnp.float32),
        "softmax": jnp.asarray(rng.uniform(size=(batch, 6, 8, 5)), jnp.float32),
        "label": jnp.asarray(rng.integers(0, 5, (batch, 6, 8)), jnp.uint8),
        "weight": jnp.asarray(rng.uniform(size=(batch, 6, 8)), jnp.float32),
        "absent": None,
    }


def some_mask(batch):
    return jnp.asarray(np.random.default_rng(9).integers(0, 2, (batch, 6, 8, 1)) > 0)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_the_partner_of_the_last_sample_is_the_first(batch):
    numbers = next_in_batch(jnp.arange(batch))
    np.testing.assert_array_equal(numbers, [(i + 1) % batch for i in range(batch)])


@pytest.mark.parametrize("batch", [1, 3])
def test_paste_takes_each_pixel_from_one_of_the_two(batch):
    a, b, mask = tree(batch, 1), tree(batch, 2), some_mask(batch)
    mixed = jax.jit(paste)(a, b, mask)
    assert mixed["absent"] is None
    for name in ("image", "softmax", "label", "weight"):
        assert mixed[name].dtype == a[name].dtype
        for at in np.ndindex(batch, 6, 8):
            expected = a[name][at] if mask[at][0] else b[name][at]
            np.testing.assert_array_equal(mixed[name][at], expected)


def test_a_mask_of_zeros_and_ones_is_the_same_as_a_bool_mask():
    a, b, mask = tree(2, 1), tree(2, 2), some_mask(2)
    jax.tree.map(np.testing.assert_array_equal, paste(a, b, mask), paste(a, b, mask.astype(jnp.float32)))


def test_a_hidden_nan_stays_hidden_and_gets_no_gradient():
    a, mask = jnp.ones((1, 6, 8, 3)), jnp.ones((1, 6, 8, 1), bool)
    value, gradient = jax.value_and_grad(lambda b: paste(a, b, mask).sum())(jnp.full_like(a, jnp.nan))
    assert value == a.size
    np.testing.assert_array_equal(gradient, np.zeros(a.shape))


@pytest.mark.parametrize("shape", [(2, 3, 4, 3), (2, 19), (1, 6, 8, 3)])
def test_arrays_that_do_not_fit_the_mask_are_refused(shape):
    with pytest.raises(ValueError, match="of the mask, got"):
        paste(jnp.zeros(shape), jnp.zeros(shape), some_mask(2))


def test_a_mask_without_channel_axis_is_refused():
    with pytest.raises(ValueError, match=r"expected a mask \[B,H,W,1\]"):
        paste(jnp.zeros((2, 6, 8)), jnp.zeros((2, 6, 8)), some_mask(2)[..., 0])
