"""A new state that is not finite is told with the step that made it, whatever part it is in."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sde_seg_jax.training.ema import update_rule
from sde_seg_jax.training.finite import all_finite, not_finite
from sde_seg_jax.training.step import Aux, init_state, make_step
from sde_seg_jax.types import Batch, Intrinsics, Streams, Variables


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("where", [0, 11, 23])
def test_one_bad_number_anywhere_is_found(bad, dtype, where):
    tree = {"a": jnp.ones((2, 3, 4), dtype), "b": jnp.full(5, -7.0), "c": jnp.zeros((0, 3)), "n": jnp.arange(3)}
    check = jax.jit(all_finite)
    assert check(tree)
    spoilt = tree["a"].ravel().at[where].set(bad).reshape(2, 3, 4)
    assert not check({**tree, "a": spoilt})
    assert not check({**tree, "b": tree["b"].at[4].set(bad)})
    assert not check({"scalar": jnp.asarray(bad, dtype)})


def test_the_largest_numbers_are_finite_and_a_tree_without_floats_is():
    assert all_finite({"w": jnp.full((2, 2), jnp.finfo(jnp.float32).max), "h": jnp.full(3, 65504, jnp.float16)})
    assert all_finite({"n": jnp.arange(3), "key": jax.random.key(0)})


def streams():
    zero, image = np.zeros(2, np.float32), np.full((2, 1, 1, 1), 9, np.uint8)
    return Streams(labeled=Batch(image=image, intrinsics=Intrinsics(zero, zero, zero, zero)))


def after_a_step(rate=0.5, w=1.0, mean=0.0):
    """Logs of a step whose loss is finite: the mean of w * x, with `mean` as the new running statistics."""

    def loss(params, state, streams, rng):
        value = jnp.mean(params["w"] * streams.labeled.image.astype(jnp.float32))
        return value, Aux({"mean": jnp.float32(mean)}, {})

    optimizer = optax.sgd(rate, momentum=0.9)
    student = Variables({"w": jnp.full((), w)}, {"mean": jnp.zeros(())})
    state = init_state(student, optimizer, seed=0, teacher=True)
    return jax.jit(make_step(loss, optimizer, update_rule("batch_stats")))(state, streams())[1]


def test_the_loss_and_gradient_are_finite_where_the_new_state_is_not():
    fine = after_a_step()
    assert not_finite(fine) == ""
    over = after_a_step(rate=1e38)  # times 9, the gradient: no float32
    assert np.isfinite(over["loss"])
    assert np.isfinite(over["gradient_norm"])
    assert not_finite(over) == "numbers of the student and numbers of the teacher"
    statistics = after_a_step(mean=np.inf)
    assert not_finite(statistics) == "numbers of the student"


def test_a_state_without_a_teacher_tells_nothing_of_one():
    optimizer = optax.sgd(0.1)
    state = init_state(Variables({"w": jnp.ones(())}, {}), optimizer, seed=0, teacher=False)
    loss = lambda params, *_: (params["w"], Aux({}, {}))  # noqa: E731
    logs = make_step(loss, optimizer)(state, streams())[1]
    assert [name for name in logs if name.startswith("state_finite/")] == ["state_finite/student"]
