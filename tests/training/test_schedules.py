import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training.schedules import SCHEDULES, find_schedule, spelled_out


def factors(updates_done, *, name, **options):
    return np.asarray(jax.jit(SCHEDULES[name](**options))(jnp.asarray(updates_done, jnp.int32)))


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


def test_cosine_rises_falls_and_stays():
    found = factors([0, 1, 3, 4, 8, 12, 20], name="cosine", steps=12, warmup=4, floor=0.1)
    np.testing.assert_allclose(found, [0.2, 0.4, 0.8, 1, 0.55, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(factors([0, 5, 10], name="cosine", steps=10), [1, 0.5, 0], atol=1e-6)


def test_an_unknown_schedule_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown schedule 'cosin'; known: constant, step, poly, cosine"):
        find_schedule("cosin", "schedule")


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        SCHEDULES["step"](milestones=[20, 10])
    with pytest.raises(ValueError, match="steps >= 1"):
        SCHEDULES["poly"](steps=0)
    with pytest.raises(ValueError, match="more steps than its warm-up, got 5 and 5"):
        SCHEDULES["cosine"](steps=5, warmup=5)
    with pytest.raises(TypeError):
        SCHEDULES["poly"](steps=5, gamma=0.1)


@pytest.mark.parametrize(
    ("name", "options", "found"),
    [
        ("poly", {}, {"steps": 400}),
        ("poly", {"steps": 0, "power": 1.0}, {"steps": 400, "power": 1.0}),
        ("poly", {"steps": 900}, {"steps": 900}),
        ("step", {"milestones": (0.75, 390), "gamma": 0.1}, {"milestones": [300, 390], "gamma": 0.1}),
        ("step", {"milestones": (0.29, 160000 / 300000)}, {"milestones": [116, 213]}),
        ("step", {"milestones": ()}, {"milestones": []}),
        ("constant", {}, {}),
    ],
)
def test_lengths_left_open_and_shares_are_those_of_the_training(name, options, found):
    assert spelled_out(SCHEDULES[name], options, 400) == found


def test_a_share_of_a_training_is_rounded_down_and_exact_where_decimals_are_not():
    assert spelled_out(SCHEDULES["step"], {"milestones": (0.29, 0.75)}, 100)["milestones"] == [29, 75]
    assert spelled_out(SCHEDULES["step"], {"milestones": (0.75,)}, 2)["milestones"] == [1]
