"""One step, on problems small enough to solve by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sde_seg_jax.training import sharding
from sde_seg_jax.training.step import Aux, init_state, make_step, parameter_count, split_named
from sde_seg_jax.types import Batch, Intrinsics, Streams, Variables


def streams(*values):
    image = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    zero = np.zeros(len(values), np.float32)
    return Streams(labeled=Batch(image=image, intrinsics=Intrinsics(zero, zero, zero, zero)))


def loss(params, state, streams, rng):
    """Mean of w * x; statistics count the steps; one log is random."""
    x = streams.labeled.image.astype(jnp.float32)
    stats = {"count": state.student.batch_stats["count"] + 1.0}
    return jnp.mean(params["w"] * x), Aux(stats, {"noise": jax.random.uniform(rng)})


def start(teacher=False, seed=0):
    student = Variables({"w": jnp.ones(())}, {"count": jnp.zeros(())})
    return init_state(
        student, optax.sgd(0.5), seed=seed, teacher=teacher, frozen={"f": Variables({"a": jnp.ones(2)}, {})}
    )


def test_a_step_is_one_gradient_update():
    state, logs = jax.jit(make_step(loss, optax.sgd(0.5)))(start(), streams(2, 4))
    assert state.student.params["w"] == 1 - 0.5 * 3  # the gradient is mean(x)
    assert state.student.batch_stats["count"] == 1
    assert (state.step, logs["loss"], logs["gradient_norm"]) == (1, 3, 3)
    np.testing.assert_array_equal(state.frozen["f"].params["a"], 1)


def test_frozen_modules_have_no_gradient_and_no_part_in_its_norm():
    def both(params, state, streams, rng):
        value, aux = loss({"w": params["w"] * params["scale"]}, state, streams, rng)
        return value, aux

    params = {"w": jnp.ones(()), "scale": jnp.full((), 2.0)}
    state = start().replace(student=Variables(params, {"count": jnp.zeros(())}))
    state = state.replace(opt_state=optax.sgd(0.5).init(params))
    after, logs = make_step(both, optax.sgd(0.5), frozen=("scale",))(state, streams(2, 4))
    assert logs["gradient_norm"] == 6
    assert (after.student.params["w"], after.student.params["scale"]) == (1 - 0.5 * 6, 2)


def test_randomness_follows_from_seed_and_step_number_alone():
    step = jax.jit(make_step(loss, optax.sgd(0.5)))
    state, noise = start(), []
    for _ in range(3):
        state, logs = step(state, streams(1))
        noise.append(float(logs["noise"]))
    assert len(set(noise)) == 3
    resumed = start().replace(step=jnp.int32(2))
    assert float(step(resumed, streams(9))[1]["noise"]) == noise[2]
    assert float(step(start(seed=1), streams(1))[1]["noise"]) != noise[0]
    np.testing.assert_array_equal(*(jax.random.key_data(s.key) for s in (state, start())))


def test_the_teacher_update_sees_the_new_student_and_counts_updates_from_one():
    seen = []

    def update(teacher, student, number):
        seen.append((teacher, student, number))
        return teacher

    make_step(loss, optax.sgd(0.5), update)(start(teacher=True), streams(2))
    teacher, student, number = seen[0]
    assert (teacher.params["w"], student.params["w"], number) == (1, 0, 1)


def test_the_teacher_starts_as_a_copy_in_buffers_of_its_own():
    state = start(teacher=True)
    assert state.teacher.params["w"] == state.student.params["w"]
    pointers = [x["w"].unsafe_buffer_pointer() for x in (state.teacher.params, state.student.params)]
    assert pointers[0] != pointers[1]
    assert start().teacher is None


def test_a_teacher_on_batch_statistics_keeps_its_own_running_ones():
    def with_teacher_stats(params, state, streams, rng):
        value, aux = loss(params, state, streams, rng)
        return value, Aux(aux.batch_stats, aux.logs, {"count": jnp.float32(7)})

    step = make_step(with_teacher_stats, optax.sgd(0.5), lambda teacher, student, number: teacher)
    assert step(start(teacher=True), streams(2))[0].teacher.batch_stats["count"] == 7


def test_starting_compiles_a_program_for_all_arrays_not_one_for_every_shape():
    sizes = {str(n): np.zeros(n, np.float32) for n in range(1, 21)}
    compiled = []
    listen = lambda event, seconds, **_: compiled.append(event)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        state = init_state(Variables(sizes, sizes), optax.sgd(1e-2, momentum=0.9), seed=0, teacher=True)
        sharding.replicate(state, sharding.make_mesh([1]))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert 0 < sum("backend_compile" in event for event in compiled) < len(sizes) / 2


def test_keys_are_split_by_name():
    keys = split_named(jax.random.key(0), "a", "b")
    assert keys.keys() == {"a", "b"}
    assert jax.random.uniform(keys["a"]) != jax.random.uniform(keys["b"])


def test_parameters_are_counted():
    assert parameter_count({"a": jnp.zeros((2, 3)), "b": {"c": jnp.zeros(4)}}) == 10


@pytest.mark.parametrize("teacher", [False, True])
def test_a_state_is_a_pytree(teacher):
    state = start(teacher)
    leaves, structure = jax.tree.flatten(state)
    assert jax.tree.structure(jax.tree.unflatten(structure, leaves)) == structure
