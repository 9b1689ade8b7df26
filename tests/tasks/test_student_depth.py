import jax
import numpy as np
import optax
import pytest
from toy import Toy, assert_finite, batch, fast_jit, state_of, variables

from sde_seg_jax.tasks import student_depth
from sde_seg_jax.types import Streams


def run(losses, data, depth_network=None):
    frozen = {"depth": variables(Toy(), seed=5)} if depth_network else None
    state = state_of(Toy(), optax.sgd(0.1), frozen=frozen)
    loss = student_depth.make_loss(Toy(), losses=losses, depth_network=depth_network)
    both = fast_jit(jax.value_and_grad(loss, has_aux=True))
    return both(state.student.params, state, Streams(labeled=data), jax.random.key(0))


def unlabeled(size):
    return batch(size).replace(label=None, labeled=None)


def test_it_imitates_the_frozen_network_without_any_label():
    (loss, aux), gradient = run({"berhu": 1.0}, unlabeled(2), depth_network=Toy())
    assert_finite((loss, aux, gradient))
    assert loss == aux.logs["berhu"] > 0
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient["depth_decoder"]))


def test_a_cached_disparity_takes_the_network_s_place():
    data = unlabeled(2)
    (near, _), _ = run({"berhu": 1.0}, data.replace(disparity=np.full(data.image.shape[:3], 0.05, np.float32)))
    (far, _), _ = run({"berhu": 1.0}, data.replace(disparity=np.full(data.image.shape[:3], 0.9, np.float32)))
    assert 0 < near < far


def test_labels_and_a_segmentation_part_are_asked_for_only_with_a_loss_that_reads_them():
    assert student_depth.streams({"berhu": 1.0}, {}) == {"labeled": ()}
    assert student_depth.needs({"berhu": 1.0}, {}) == ("depth",)
    both = {"berhu": 1.0, "cross_entropy": 1.0}
    assert student_depth.streams(both, {}) == {"labeled": ("label",)}
    assert student_depth.needs(both, {}) == ("depth", "segmentation")


def test_with_cross_entropy_it_segments_too():
    (loss, aux), _ = run({"berhu": 1.0, "cross_entropy": 2.0}, batch(2), depth_network=Toy())
    np.testing.assert_allclose(loss, aux.logs["berhu"] + 2 * aux.logs["cross_entropy"], rtol=1e-5)


def test_neither_cache_nor_network_names_the_remedy():
    with pytest.raises(ValueError, match=r"needs a depth network: set task.depth_checkpoint"):
        run({"berhu": 1.0}, unlabeled(1))
