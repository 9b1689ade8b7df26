import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.training import ema
from sde_seg_jax.types import Variables

TEACHER = Variables(params={"w": jnp.asarray([1.0, 2.0])}, batch_stats={"mean": jnp.asarray([3.0])})
STUDENT = Variables(params={"w": jnp.asarray([5.0, -2.0])}, batch_stats={"mean": jnp.asarray([7.0])})


def test_the_first_update_weighs_both_alike_and_the_decay_is_the_limit():
    found = ema.alpha(jnp.asarray([1, 2, 98, 99, 100, 40000]), 0.99)
    np.testing.assert_allclose(found, [1 / 2, 2 / 3, 98 / 99, 0.99, 0.99, 0.99], rtol=1e-6)


def test_parameters_are_averaged_and_statistics_stay_the_teachers():
    found = jax.jit(ema.update_rule("batch_stats"))(TEACHER, STUDENT, jnp.int32(1))
    np.testing.assert_array_equal(found.params["w"], [3, 0])
    np.testing.assert_array_equal(found.batch_stats["mean"], [3])


def test_statistics_are_averaged_too_in_the_mode_that_predicts_with_them():
    found = jax.jit(ema.update_rule("ema_stats"))(TEACHER, STUDENT, jnp.int32(1))
    np.testing.assert_array_equal(found.params["w"], [3, 0])
    np.testing.assert_array_equal(found.batch_stats["mean"], [5])


def test_an_unknown_mode_lists_the_known_ones():
    with pytest.raises(ValueError, match="known: batch_stats, ema_stats"):
        ema.update_rule("none")


def test_a_teacher_starts_as_the_student_in_buffers_of_its_own():
    teacher = ema.initial_teacher(STUDENT)
    for t, s in zip(jax.tree.leaves(teacher), jax.tree.leaves(STUDENT), strict=True):
        np.testing.assert_array_equal(t, s)
        assert t.unsafe_buffer_pointer() != s.unsafe_buffer_pointer()


@pytest.mark.parametrize("mode", sorted(ema.UPDATES))
def test_a_teacher_equal_to_the_student_stays_equal_and_keeps_its_type(mode):
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), STUDENT)
    found = ema.update_rule(mode)(half, half, jnp.int32(1))
    for t, s in zip(jax.tree.leaves(found), jax.tree.leaves(half), strict=True):
        assert t.dtype == s.dtype
        np.testing.assert_array_equal(t, s)
