"""Two devices compute what one computes."""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tasks"))
import toy

from sde_seg_jax.tasks import domain_adaptation, supervised
from sde_seg_jax.training import ema, sharding
from sde_seg_jax.training.step import make_step
from sde_seg_jax.types import Batch, Intrinsics, Streams


def test_the_mesh_has_as_many_devices_as_divide_every_batch():
    assert sharding.make_mesh([4, 2]).size == 2
    assert sharding.make_mesh([4, 3]).size == 1
    assert sharding.make_mesh([1]).size == 1


class WithoutDropout(toy.Toy):
    """Dropout off: its mask is drawn for the global batch all the same, but that is not what is tested here."""

    def __call__(self, image, *, train=False, dropout=None):
        return super().__call__(image, train=train, dropout=False)


def supervised_task(network, optimizer):
    """(starting state, loss, streams of a seed, update of the teacher)."""
    state = toy.state_of(network, optimizer)
    loss = supervised.make_loss(network, losses={"cross_entropy": 1.0})
    return state, loss, lambda seed: Streams(labeled=toy.batch(4, seed)), None


def adaptation_task(network, optimizer):
    """All three streams, both mixes by depth, strong augmentation, a teacher."""
    frozen = {name: toy.variables(network, seed) for name, seed in (("depth", 5), ("source_depth", 6))}
    state = toy.state_of(network, optimizer, teacher=True, frozen=frozen)
    networks = {"depth_network": network, "source_depth_network": network}
    loss = domain_adaptation.make_loss(network, losses={"cross_entropy": 1.0}, **networks)
    streams = lambda seed: toy.streams(4, seed, [True, False] * 2).replace(source=toy.batch(4, seed + 7))  # noqa: E731
    return state, loss, streams, ema.update_rule("batch_stats")


def after_two_steps(task, devices):
    optimizer = optax.sgd(1e-2, momentum=0.9)
    state, loss, streams, update_teacher = task(WithoutDropout(), optimizer)
    mesh = sharding.make_mesh([4]) if devices == 2 else sharding.make_mesh([1])
    assert mesh.size == devices
    state = sharding.replicate(state, mesh)
    step = sharding.compile_step(make_step(loss, optimizer, update_teacher), mesh)
    for seed in (0, 1):
        state, logs = step(state, sharding.put(streams(seed), mesh))
    return jax.device_get((state.student, state.teacher, logs))


@pytest.mark.parametrize("task", [supervised_task, adaptation_task])
def test_two_devices_give_the_loss_parameters_and_statistics_of_one(task):
    one, two = after_two_steps(task, 1), after_two_steps(task, 2)
    # The same sums over pixels in another order: relative rounding 2^-24 times the square root of about 1e3 terms,
    # carried through two updates.
    for a, b in zip(*map(jax.tree.leaves, (one, two)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def double(state, streams):
    return jax.tree.map(lambda x: 2 * x, state), {"sum": jnp.sum(streams.labeled.image.astype(jnp.int32))}


def images(*values):
    image = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    zero = np.zeros(len(values), np.float32)
    names = np.array([f"n{v}" for v in values])
    return Streams(labeled=Batch(image=image, intrinsics=Intrinsics(zero, zero, zero, zero), name=names))


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("make", [np.ones, jnp.ones])
def test_no_two_leaves_or_devices_share_a_buffer(make, devices):
    shared = make(300, np.float32)
    tree = {"a": shared, "b": shared, "key": jax.random.key(0)}
    copies = sharding.replicate(tree, sharding.make_mesh([devices]))
    shards = [shard.data for name in "ab" for shard in copies[name].addressable_shards]
    places = [data.unsafe_buffer_pointer() for data in shards]
    own = shared.ctypes.data if make is np.ones else shared.unsafe_buffer_pointer()
    assert len({own, *places}) == 1 + 2 * devices
    assert jax.random.key_data(copies["key"]).tolist() == [0, 0]


def test_the_old_state_is_donated_even_if_leaves_shared_a_buffer():
    mesh = sharding.make_mesh([2])
    shared = jnp.ones(3)
    state = sharding.replicate({"a": shared, "b": shared}, mesh)
    after, logs = sharding.compile_step(double, mesh)(state, sharding.put(images(3, 4), mesh))
    assert state["a"].is_deleted()
    assert logs["sum"] == 7
    np.testing.assert_array_equal(after["b"], 2)
    np.testing.assert_array_equal(shared, 1)


def test_batches_are_split_and_lose_their_names():
    mesh = sharding.make_mesh([4])
    placed = sharding.put(images(1, 2, 3, 4), mesh)
    assert placed.labeled.name is None
    assert [s.data.shape[0] for s in placed.labeled.image.addressable_shards] == [2, 2]


def test_batches_come_in_order_and_to_the_end():
    mesh = sharding.make_mesh([1])
    placed = list(sharding.to_devices(iter([images(v) for v in range(5)]), mesh))
    assert [int(s.labeled.image[0, 0, 0, 0]) for s in placed] == [0, 1, 2, 3, 4]


def test_batches_are_fetched_ahead():
    taken = []

    def source():
        for value in range(9):
            taken.append(value)
            yield images(value)

    next(sharding.to_devices(source(), sharding.make_mesh([1]), ahead=2))
    assert taken == [0, 1, 2]
