import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import Toy, assert_finite, batch, dtypes, fast_jit, state_of, streams, variables

from sde_seg_jax.tasks import depth
from sde_seg_jax.types import Outputs, Streams, View

LOSSES = {"photometric": 1.0, "smoothness": 1e-3}


def run(data, losses=LOSSES, network=None, frozen=None, **options):
    """(loss, aux), gradient."""
    network = network or Toy()
    state = state_of(network, optax.sgd(0.1), frozen=frozen)
    loss = depth.make_loss(network, losses=losses, **options)
    both = fast_jit(jax.value_and_grad(loss, has_aux=True))
    return both(state.student.params, state, data, jax.random.key(3))


@pytest.mark.parametrize(("size", "options"), [(1, {}), (3, {"error": "l1", "frames": "average", "auto_mask": False})])
def test_any_batch_size_gives_a_finite_loss_and_gradient_of_depth_and_pose(size, options):
    (loss, aux), gradient = run(streams(size), **options)
    assert_finite((loss, aux, gradient))
    for part in ("encoder", "depth_decoder", "pose_network"):
        assert max(abs(np.asarray(leaf)).max() for leaf in jax.tree.leaves(gradient[part])) > 0, part
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient["segmentation"]))
    wanted = {"photometric", "smoothness", "disparity_spread", "translation_norm"}
    assert wanted == aux.logs.keys()
    np.testing.assert_allclose(loss, aux.logs["photometric"] + 1e-3 * aux.logs["smoothness"], rtol=1e-6)
    before = variables(Toy()).batch_stats  # running statistics move
    assert jax.tree.structure(before) == jax.tree.structure(aux.batch_stats)
    assert any(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, (before, aux.batch_stats)), strict=True))


def test_bfloat16_computes_a_finite_loss_with_float32_parameters_and_statistics():
    (loss, aux), gradient = run(streams(2), network=Toy("bfloat16"))
    assert_finite((loss, gradient))
    assert dtypes((loss, aux.batch_stats, gradient)) == {"float32"}


def test_feature_distance_is_zero_at_the_frozen_encoder_and_grows_away_from_it():
    terms = {"feature_distance": 1.0}
    other = variables(Toy(), seed=1)
    (far, _), gradient = run(streams(1), terms, frozen={"imagenet": other})
    assert far > 1
    assert_finite(gradient)
    # the reference normalises with running statistics, the student with its batch's: not zero, but nearer
    (near, _), _ = run(streams(1), terms, frozen={"imagenet": variables(Toy())})
    assert 0 < near < far


def test_a_batch_without_neighbors_names_the_remedy():
    data = Streams(unlabeled=batch(1).replace(neighbors=None))
    with pytest.raises(ValueError, match=r"needs neighboring frames; choose a split with video \(data.video_split\)"):
        run(data)


@pytest.mark.parametrize(("option", "known"), [("error", "ssim_l1, l1"), ("frames", "minimum, average")])
def test_unknown_options_list_the_known_ones(option, known):
    with pytest.raises(ValueError, match=f"unknown task.{option} 'x'; known: {known}"):
        depth.make_loss(Toy(), losses=LOSSES, **{option: "x"})


def test_a_constant_disparity_map_shows_in_the_monitor():
    def monitors(disparity):
        poses = jnp.broadcast_to(jnp.eye(4), (2, 2, 4, 4))
        view = View(image=None, outputs=Outputs(disparity=(disparity,)), source_from_target=poses)
        return depth.monitors(view)

    flat, ramp = jnp.full((2, 4, 4, 1), 0.3), jnp.linspace(0.1, 0.9, 32).reshape(2, 4, 4, 1)
    assert monitors(flat)["disparity_spread"] < 1e-6
    assert monitors(ramp)["disparity_spread"] > 0.1
    assert monitors(ramp)["translation_norm"] == 0


def test_pictures_see_the_task_without_augmentation():
    network = Toy()
    view = depth.as_view(network, variables(network), batch(2))
    np.testing.assert_allclose(view.image * 255, batch(2).image, atol=1e-3)  # one float32 rounding
    assert view.source_from_target.shape == (2, 2, 4, 4)
