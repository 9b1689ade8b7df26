import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import Toy, assert_finite, batch, fast_jit, state_of, streams, variables

from sde_seg_jax.models.intrinsics import LearntIntrinsics
from sde_seg_jax.tasks import depth, multitask_supervised
from sde_seg_jax.tasks.motion import poses_and_intrinsics, triplet

LOSSES = {"photometric": 1.0}


def run(task, losses, network):
    state = state_of(network, optax.sgd(0.1))
    both = fast_jit(jax.value_and_grad(task.make_loss(network, losses=losses), has_aux=True))
    return both(state.student.params, state, streams(2), jax.random.key(3))


@pytest.mark.parametrize("learn", ["focal", "all"])
def test_the_photometric_loss_moves_the_camera_and_logs_its_focal_lengths(learn):
    (loss, aux), gradient = run(depth, LOSSES, Toy(intrinsics=LearntIntrinsics(learn)))
    assert_finite((loss, gradient))
    assert np.abs(gradient["intrinsics"]["change"]).min() > 0
    assert aux.logs["focal_x"] == aux.logs["focal_y"] == 20  # training starts with the nominal camera


def test_a_camera_at_its_start_gives_the_loss_of_the_nominal_camera():
    (with_camera, _), _ = run(depth, LOSSES, Toy(intrinsics=LearntIntrinsics("all")))
    (without, aux), _ = run(depth, LOSSES, Toy())
    np.testing.assert_allclose(with_camera, without, rtol=1e-6)  # fused differently
    assert "focal_x" not in aux.logs


def test_multitask_learning_moves_the_camera_too():
    losses = {"cross_entropy": 1.0, "photometric": 1.0}
    (_, aux), gradient = run(multitask_supervised, losses, Toy(intrinsics=LearntIntrinsics("focal")))
    assert np.abs(gradient["intrinsics"]["change"]).min() > 0
    assert aux.logs["focal_x"] == 20


def test_loss_and_pictures_see_the_learnt_camera():
    network = Toy(intrinsics=LearntIntrinsics("focal"))
    found = variables(network)
    params = {**found.params, "intrinsics": {"change": jnp.array([np.log(2.0)], jnp.float32)}}
    frames = triplet(batch(2))
    _, learnt, _ = poses_and_intrinsics(network, params, found.batch_stats, frames, batch(2).intrinsics)
    np.testing.assert_allclose(learnt.fx, 40, rtol=1e-6)  # one float32 rounding
    shown = depth.as_view(network, found.replace(params=params), batch(2)).intrinsics
    jax.tree.map(np.testing.assert_array_equal, shown, learnt)
