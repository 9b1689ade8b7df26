import numpy as np
import pytest

from sde_seg_jax.data.reading import order


def test_every_epoch_holds_every_sample_once():
    for epoch in range(3):
        found = [order.sample_at(position, 7, seed=5) for position in range(epoch * 7, epoch * 7 + 7)]
        assert {e for e, _ in found} == {epoch}
        assert sorted(sample for _, sample in found) == list(range(7))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(order.permutation(seed, epoch, 50)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_unshuffled_positions_count_through_the_samples():
    assert [order.sample_at(p, 3, seed=0, shuffle=False)[1] for p in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_position_has_its_own_random_numbers():
    draws = [order.rng_at(seed, position).random() for seed in (0, 1) for position in (0, 1, 2)]
    assert len(set(draws)) == 6
    assert order.rng_at(1, 2).random() == draws[-1]


def test_augmentation_does_not_reuse_the_numbers_of_shuffling():
    shuffling = np.random.default_rng((order.SHUFFLE, 3, 4)).random()
    assert order.rng_at(3, 4).random() != shuffling


@pytest.mark.parametrize(
    ("batch_size", "host", "hosts", "message"),
    [
        (5, 0, 2, "batch_size 5 is no positive multiple of the 2 hosts"),
        (4, 2, 2, "host_index 2 is outside 0..1"),
    ],
)
def test_uneven_batches_and_unknown_hosts_are_errors(batch_size, host, hosts, message):
    with pytest.raises(ValueError, match=message):
        order.host_slice(batch_size, host, hosts)
