"""Parts of a batch, one after the other, make one update."""

import pathlib
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tasks"))
import toy

from sde_seg_jax.tasks import semi_supervised, supervised
from sde_seg_jax.training import ema, sharding
from sde_seg_jax.training.micro_batches import part_size, split
from sde_seg_jax.training.step import Aux, init_state, make_step
from sde_seg_jax.types import Batch, Intrinsics, Streams, Variables

SGD = optax.sgd(0.1)
LOSSES = {"cross_entropy": 1.0}


def streams(*values):
    image = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    zero = np.zeros(len(values), np.float32)
    return Streams(labeled=Batch(image=image, intrinsics=Intrinsics(zero, zero, zero, zero)))


def loss(params, state, streams, rng):
    """Mean of w * x; the statistics of student and teacher are running sums; one log is random."""
    mean = jnp.mean(streams.labeled.image.astype(jnp.float32))
    stats = {"sum": 0.5 * state.student.batch_stats["sum"] + mean}
    teacher = None if state.teacher is None else {"sum": 2 * state.teacher.batch_stats["sum"] + mean}
    return params["w"] * mean, Aux(stats, {"noise": jax.random.uniform(rng)}, teacher)


def start(teacher=False):
    return init_state(Variables({"w": jnp.ones(())}, {"sum": jnp.zeros(())}), SGD, seed=0, teacher=teacher)


def assert_close(a, b, **tolerance):
    for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


def test_a_part_takes_every_kth_sample():
    image = split(streams(1, 2, 3, 4, 5, 6), 2).labeled.image
    np.testing.assert_array_equal(image[..., 0, 0, 0], [[1, 3, 5], [2, 4, 6]])


def test_the_gradient_is_the_mean_and_statistics_advance_from_part_to_part():
    step = make_step(loss, SGD, lambda teacher, student, number: teacher, micro_batches=2)
    state, logs = jax.jit(step)(start(teacher=True), streams(1, 2, 3, 4, 5, 6))
    assert state.step == 1
    assert logs["gradient_norm"] == logs["loss"] == 3.5
    assert state.student.params["w"] == np.float32(1) - np.float32(0.1) * np.float32(3.5)
    assert state.student.batch_stats["sum"] == 0.5 * 3 + 4
    assert state.teacher.batch_stats["sum"] == 2 * 3 + 4


def test_a_part_draws_with_the_steps_key_and_its_number():
    _, logs = jax.jit(make_step(loss, SGD, micro_batches=3))(start(), streams(1, 2, 3))
    rng = jax.random.fold_in(start().key, 0)
    draws = [jax.random.uniform(jax.random.fold_in(rng, part)) for part in range(3)]
    np.testing.assert_allclose(logs["noise"], np.mean(draws), rtol=1e-6)


def test_one_part_is_the_program_without_parts():
    steps = make_step(loss, SGD, micro_batches=1), make_step(loss, SGD)
    one, plain = (str(jax.make_jaxpr(step)(start(), streams(1))) for step in steps)
    assert one == plain
    assert "scan" not in one


class WithoutNorm(toy.Toy):
    """Running statistics normalise, nothing drops out: a sample's result does not depend on the others."""

    def __call__(self, image, *, train=False, dropout=None):
        return super().__call__(image, train=False, dropout=False)


@pytest.mark.parametrize("parts", [2, 4])
def test_without_batch_norm_the_parts_make_the_whole_batchs_step(parts):
    network = WithoutNorm()
    task = supervised.make_loss(network, losses=LOSSES)
    state, data = toy.state_of(network, SGD), toy.streams(4)
    whole, logs = toy.fast_jit(make_step(task, SGD))(state, data)
    in_parts, part_logs = toy.fast_jit(make_step(task, SGD, micro_batches=parts))(state, data)
    # Sums over samples in another order: a few roundings of 2^-24.
    assert_close((whole.student, logs), (in_parts.student, part_logs), rtol=1e-5, atol=1e-7)


def semi():
    network = toy.Toy()
    task = semi_supervised.make_loss(network, losses=LOSSES, depth_network=toy.Toy())
    frozen = {"depth": toy.variables(toy.Toy(), seed=5)}
    return task, toy.state_of(network, SGD, teacher=True, frozen=frozen)


def test_batch_norm_mixing_and_confidence_stay_within_a_part():
    """The oracle: the task's loss on each part by itself, the statistics handed on by hand."""
    task, state = semi()
    data = toy.streams(4, labeled=[True, False, False, False])
    gradient = toy.fast_jit(jax.value_and_grad(task, has_aux=True))
    rng, seen, values, grads = jax.random.fold_in(state.key, 0), state, [], []
    for number in range(2):
        part = jax.tree.map(lambda x, j=number: x[j::2], data)
        (value, aux), grad = gradient(state.student.params, seen, part, jax.random.fold_in(rng, number))
        student = seen.student.replace(batch_stats=aux.batch_stats)
        seen = seen.replace(student=student, teacher=seen.teacher.replace(batch_stats=aux.teacher_stats))
        values.append(value)
        grads.append(grad)
    params = jax.tree.map(lambda p, a, b: p - 0.1 * (a + b) / 2, state.student.params, *grads)

    step = make_step(task, SGD, ema.update_rule("batch_stats"), micro_batches=2)
    after, logs = toy.fast_jit(step)(state, data)
    # The same program inside a loop; other fusions round differently.
    assert_close(logs["loss"], sum(values) / 2, rtol=1e-5)
    assert_close(after.student, Variables(params, seen.student.batch_stats), rtol=1e-5, atol=1e-6)
    assert_close(after.teacher.batch_stats, seen.teacher.batch_stats, rtol=1e-5, atol=1e-6)
    whole, _ = toy.fast_jit(make_step(task, SGD, ema.update_rule("batch_stats")))(state, data)
    difference = jax.tree.map(lambda a, b: np.abs(a - b).max(), whole.student.batch_stats, after.student.batch_stats)
    assert max(jax.tree.leaves(difference)) > 1e-3  # batch norm: two parts are not one batch


def on_devices(devices, parts):
    task, state = semi()
    mesh = sharding.make_mesh([4 if devices == 2 else 1])
    assert mesh.size == devices
    step = sharding.compile_step(make_step(task, SGD, ema.update_rule("batch_stats"), parts), mesh)
    state, data = sharding.replicate(state, mesh), sharding.put(toy.streams(4), mesh)
    compiled = step.lower(state, data).compile()
    return compiled.as_text(), state, *compiled(state, data)


def test_devices_keep_their_samples_and_the_result_and_the_old_state_is_donated():
    _, _, one, _ = on_devices(1, 2)
    program, old, two, _ = on_devices(2, 2)
    assert_close(one.student, two.student, rtol=1e-4, atol=1e-6)  # as in test_sharding
    assert_close(one.teacher, two.teacher, rtol=1e-4, atol=1e-6)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(old.student))
    moved = re.findall(r"= (?:u8|pred)\[.*(?:all-gather|all-to-all|collective-permute)", program)
    assert not moved


@pytest.mark.parametrize(("batch", "parts"), [(4, 3), (4, 0), (2, 4)])
def test_a_batch_that_cannot_be_split_names_the_keys(batch, parts):
    with pytest.raises(ValueError, match=r"batch of \d cannot .* data.batch_size a multiple of train.micro_batches"):
        part_size(batch, parts)


def test_a_part_is_a_fraction_of_the_batch():
    assert part_size(12, 3) == 4
