"""Uncertainty of a student against its teacher, and of a segmentation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.selection.uncertainty import KINDS, depth_error, entropy, far_away


def test_the_default_error_is_of_logarithms():
    student, teacher = jnp.full((1, 100, 4), 0.5), jnp.full((1, 100, 4), 0.25)
    error = depth_error(student, teacher)
    np.testing.assert_allclose(error[0, :87], np.log(1.5 / 1.25), rtol=1e-6)  # float32
    assert not error[0, 87:].any()  # the car's hood


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("abs", 0.25),
        ("sq", 0.0625),
        ("abs_rel", 0.25 / 0.35),
        ("sq_rel", 0.0625 / 0.35),
        ("abs_inv", 2),
        ("abs_inv_log", np.log(2)),
    ],
)
def test_other_errors_follow_their_definition(kind, expected):
    error = depth_error(jnp.full((1, 1, 1), 0.5), jnp.full((1, 1, 1), 0.25), kind=kind, bottom=0)
    np.testing.assert_allclose(error, [[[expected]]], rtol=1e-6)  # float32


def test_far_pixels_and_their_surroundings_do_not_count():
    teacher = jnp.full((2, 9, 9), 0.5).at[0, 4, 4].set(0.0)
    expected = np.zeros((2, 9, 9), bool)
    expected[0, 1:8, 1:8] = True
    np.testing.assert_array_equal(far_away(teacher, 0.07, 7), expected)
    error = np.asarray(depth_error(jnp.full((2, 9, 9), 0.6), teacher, kind="abs", bottom=0))
    np.testing.assert_array_equal(error == 0, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_fails_at_zero_disparity_or_perfection(kind):
    teacher = jnp.linspace(0, 1, 60).reshape(1, 6, 10)
    assert not depth_error(teacher, teacher, kind=kind).any()
    masked_only = teacher.at[0, 0, 0].set(0.0)
    gradient = jax.grad(lambda s: depth_error(s, teacher, kind=kind).sum())(masked_only)
    assert jnp.isfinite(gradient).all()


def test_wrong_arguments_are_named():
    x = jnp.zeros((1, 4, 4))
    with pytest.raises(ValueError, match="unknown depth error 'huber'; use one of abs,"):
        depth_error(x, x, kind="huber")
    with pytest.raises(ValueError, match=r"got \(1, 4, 4\) and \(1, 4, 5\)"):
        depth_error(x, jnp.zeros((1, 4, 5)))
    with pytest.raises(ValueError, match="bottom is 13; it is a fraction of the height"):
        depth_error(x, x, bottom=13)
    with pytest.raises(ValueError, match="grow is 4 pixels; use an odd number"):
        depth_error(x, x, grow=4)


def test_entropy_is_one_for_equal_and_zero_for_certain_classes():
    logits = jnp.array([[[[0.0, 0, 0, 0], [900.0, 0, 0, 0]]]])
    np.testing.assert_allclose(entropy(logits), [[[1, 0]]], atol=1e-6)  # float32
