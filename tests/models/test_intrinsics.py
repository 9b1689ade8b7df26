import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.geometry import camera
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.tasks.motion import known_camera
from sde_seg_jax.types import Intrinsics

NOMINAL = Intrinsics(*(jnp.array(v, jnp.float32) for v in ([80.0, 90.0], [70.0, 70.0], [63.5, 10.0], [31.5, 20.0])))


def network(learn, **options):
    tiny = {"encoder": "resnet18", "width": 8, "dilate": (False,) * 3, "decoder_channels": (4,) * 5, "aspp_rates": (1,)}
    tiny |= {"pose_width": 8, "pose_channels": 8, "segmentation": False, "learn_intrinsics": learn}
    return make_network(**tiny | options)


def variables(learn):
    return initial_variables(network(learn), 0, (64, 64))


@pytest.mark.parametrize(("learn", "count"), [("focal", 1), ("all", 4)])
def test_training_starts_with_exactly_the_nominal_camera(learn, count):
    params = variables(learn).params
    assert params["intrinsics"]["change"].shape == (count,)
    found = known_camera(network(learn), params, NOMINAL)
    jax.tree.map(np.testing.assert_array_equal, found, NOMINAL)


def test_without_learnt_intrinsics_the_parameters_are_the_same_and_the_camera_is_the_nominal_one():
    plain, learnt = variables("none"), variables("all")
    assert set(learnt.params) - set(plain.params) == {"intrinsics"}
    for part, tree in plain.params.items():
        jax.tree.map(np.testing.assert_array_equal, tree, learnt.params[part])
    assert known_camera(network("none"), plain.params, NOMINAL) is NOMINAL


def test_a_network_without_pose_has_no_camera_to_learn():
    assert network("focal", pose=False).intrinsics is None


def test_one_number_scales_both_focal_lengths():
    found = camera.refine(NOMINAL, jnp.full((2, 1), np.log(1.5), jnp.float32))
    np.testing.assert_allclose(found.fx, [120, 135], rtol=1e-6)  # one float32 rounding
    np.testing.assert_allclose(found.fy, [105, 105], rtol=1e-6)
    np.testing.assert_array_equal(found.cx, NOMINAL.cx)
    np.testing.assert_array_equal(found.cy, NOMINAL.cy)


def test_four_numbers_follow_their_formula():
    change = np.array([0.2, -0.3, 0.4, -0.5], np.float32)
    found = camera.refine(NOMINAL, jnp.tile(change, (2, 1)))
    np.testing.assert_allclose(found.fx, NOMINAL.fx * np.exp(0.2), rtol=1e-6)  # one float32 rounding
    np.testing.assert_allclose(found.fy, NOMINAL.fy * np.exp(-0.3), rtol=1e-6)
    np.testing.assert_allclose(found.cx, NOMINAL.cx + 0.25 * np.tanh(0.4) * NOMINAL.fx, rtol=1e-6)
    np.testing.assert_allclose(found.cy, NOMINAL.cy - 0.25 * np.tanh(0.5) * NOMINAL.fy, rtol=1e-6)


@pytest.mark.parametrize("learn", ["focal", "all"])
def test_gradients_are_finite_also_far_from_the_start(learn):
    count = {"focal": 1, "all": 4}[learn]

    def total(change):
        return sum(leaf.sum() for leaf in jax.tree.leaves(camera.refine(NOMINAL, jnp.tile(change, (2, 1)))))

    for value in (0.0, 5.0, -5.0):
        gradient = jax.grad(total)(jnp.full(count, value))
        assert np.isfinite(gradient).all()
        assert (gradient[: max(1, count - 2)] > 0).all()  # longer focal lengths


@pytest.mark.parametrize("count", [1, 4])
def test_learning_then_cropping_and_resizing_equals_cropping_and_resizing_then_learning(count):
    change = jnp.tile(jnp.array([0.2, -0.3, 0.4, -0.5])[:count], (2, 1))

    def moved(intrinsics):
        return camera.resize(camera.crop(intrinsics, 3, 5), (40, 60), (20, 30))

    found, wanted = camera.refine(moved(NOMINAL), change), moved(camera.refine(NOMINAL, change))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, wanted)  # float32


def test_an_unknown_choice_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown model.learn_intrinsics 'fx'; known: none, focal, all"):
        network("fx")
