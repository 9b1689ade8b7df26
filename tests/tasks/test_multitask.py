import jax
import numpy as np
import optax
import pytest
from toy import Toy, assert_finite, fast_jit, state_of, streams

from sde_seg_jax.tasks import multitask, multitask_supervised
from sde_seg_jax.tasks.forward import predict, to_float

LOSSES = {"cross_entropy": 1.0, "photometric": 1.0, "smoothness": 1e-3}


def state():
    return state_of(Toy(), optax.sgd(0.1), teacher=True)


def run(task, data, **options):
    loss = task.make_loss(Toy(), losses=LOSSES, **options)
    both = fast_jit(jax.value_and_grad(loss, has_aux=True))
    made = state()
    return both(made.student.params, made, data, jax.random.key(3))


def weighted(logs, prefix, names):
    return sum(LOSSES[name] * logs[prefix + name] for name in names)


@pytest.mark.parametrize("size", [1, 2])
def test_the_loss_is_segmentation_and_depth_of_both_streams_and_agreement(size):
    (loss, aux), gradient = run(multitask, streams(size, labeled=[True, False][:size]), consistency=0.5)
    assert_finite((loss, aux, gradient))
    logs = aux.logs
    depth = weighted(logs, "unlabeled/", ("photometric", "smoothness"))
    np.testing.assert_allclose(loss, weighted(logs, "", LOSSES) + depth + 0.5 * logs["agreement"], rtol=1e-5)
    assert "unlabeled/cross_entropy" not in logs


def test_without_a_second_stream_there_is_no_agreement():
    (loss, aux), gradient = run(multitask_supervised, streams(2).replace(unlabeled=None))
    assert_finite((loss, aux, gradient))
    np.testing.assert_allclose(loss, weighted(aux.logs, "", LOSSES), rtol=1e-5)
    assert "agreement" not in aux.logs


def test_the_pose_network_on_mixed_images_moves_nothing_but_statistics():
    data = streams(2)
    (with_it, aux), gradient = run(multitask, data)
    (without, other), same = run(multitask, data, pose_on_mixed=False)
    assert with_it == without
    jax.tree.map(np.testing.assert_array_equal, gradient, same)
    assert not all(jax.tree.leaves(jax.tree.map(np.array_equal, aux.batch_stats, other.batch_stats)))


def test_depth_gets_a_gradient_from_the_labeled_stream_alone_too():
    _, gradient = run(multitask_supervised, streams(2).replace(unlabeled=None))
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient["depth_decoder"]))


def test_pictures_mix_by_the_disparity_of_the_student():
    made, data = state(), streams(2)
    mixer = multitask.make_mixer(Toy(), mix="depth", mix_margin=0.03, teacher="batch_stats")
    mix = mixer(made, data, jax.random.key(0))["mixing"]
    own = predict(Toy(), made.student, to_float(data.unlabeled.image)).disparity[0]
    low, high = (reduce(own, axis=(1, 2, 3), keepdims=True) for reduce in (np.min, np.max))
    np.testing.assert_allclose(mix.kept_disparity, (own - low) / (high - low), rtol=1e-5, atol=1e-6)
