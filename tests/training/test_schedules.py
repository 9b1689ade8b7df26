import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training.schedules import make_schedule


def factors(updates_done, **options):
    return np.asarray(jax.jit(make_schedule(**options))(jnp.asarray(updates_done, jnp.int32)))


def test_constant_is_one():
    np.testing.assert_array_equal(factors([0, 7], name="constant"), [1, 1])


def test_step_drops_from_the_milestone_on():
    found = factors([0, 9, 10, 11, 20, 99], name="step", milestones=[10, 20], gamma=0.1)
    np.testing.assert_allclose(found, [1, 1, 0.1, 0.1, 0.01, 0.01], rtol=1e-6)


def test_step_without_milestones_is_constant():
    np.testing.assert_array_equal(factors([0, 9], name="step", milestones=[]), [1, 1])


def test_poly_follows_its_power_and_ends_above_zero():
    found = factors([0, 25, 100, 101, 1000], name="poly", steps=100, power=0.9)
    np.testing.assert_allclose(found, [1, 0.75**0.9, 1e-6, 1e-6, 1e-6], rtol=1e-6)


def test_the_first_update_of_every_schedule_has_the_full_rate():
    for options in ({"name": "constant"}, {"name": "step", "milestones": [1]}, {"name": "poly", "steps": 5}):
        assert factors(0, **options) == 1


def test_an_unknown_schedule_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown schedule 'cosine'; known: constant, step, poly"):
        make_schedule(name="cosine")


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        make_schedule(name="step", milestones=[20, 10])
    with pytest.raises(ValueError, match="steps >= 1"):
        make_schedule(name="poly", steps=0)
    with pytest.raises(TypeError):
        make_schedule(name="poly", steps=5, gamma=0.1)
