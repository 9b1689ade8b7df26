import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.mixing import cross_domain
from sde_seg_jax.mixing.rule import find_rule

SOURCE = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 4, 6, 1)


@dataclasses.dataclass(frozen=True)
class Side:
    disparity: jax.Array


def mask(source, target, margins):
    sides = [Side(jnp.asarray(disparity)) for disparity in (source, target)]
    drawn = jnp.asarray(margins)[:, None, None, None]
    return np.asarray(find_rule("depth").mask(*sides, jax.random.key(0), lambda key, disparity: drawn))


def test_what_is_nearer_in_the_source_is_pasted():
    found = mask(SOURCE, np.full_like(SOURCE, 0.5), np.zeros(1, np.float32))
    np.testing.assert_array_equal(found, SOURCE >= 0.5)


def test_the_sign_of_the_margin_decides_near_ties():
    same = np.tile(SOURCE, (2, 1, 1, 1))
    found = mask(same, same, np.array([0.03, -0.03], np.float32))
    assert found[0].all()
    assert not found[1].any()


def test_a_draw_above_one_half_negates_the_margin():
    draws = jnp.array([0.2, 0.5, 0.7], jnp.float32)
    np.testing.assert_array_equal(cross_domain.signed_margins(draws, 0.03), np.float32([0.03, 0.03, -0.03]))


def test_each_image_draws_its_own_sign_with_probability_one_half():
    found = np.asarray(cross_domain.random_margins(jax.random.key(0), jnp.zeros((1000, 1, 1, 1)), 0.03))
    np.testing.assert_array_equal(np.abs(found), np.float32(0.03))
    assert abs((found > 0).mean() - 0.5) < 0.05  # three standard deviations


@pytest.mark.parametrize("margin", [0.03, -0.1])
def test_a_fixed_margin_is_the_same_for_all(margin):
    found = cross_domain.fixed_margins(jax.random.key(0), jnp.zeros((3, 2, 2, 1)), margin)
    np.testing.assert_array_equal(found, np.float32([margin] * 3))


def test_pasted_pixels_count_fully_and_the_others_by_the_confident_share():
    found = cross_domain.pixel_weights(jnp.asarray(SOURCE >= 0.5), jnp.float32(0.25))
    np.testing.assert_array_equal(found, np.where(SOURCE[..., 0] >= 0.5, 1, np.float32(0.25)))
