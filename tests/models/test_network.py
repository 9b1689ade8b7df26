"""The assembled network: parameter names, shapes, precision, modes, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network

OPTIONS = {
    "num_classes": 3,
    "encoder": "resnet18",
    "width": 4,
    "dilate": [False, False, True],
    "decoder_channels": [4, 4, 4, 8, 8],
    "aspp_rates": [1, 2],
    "pose_width": 4,
}
SIZE = (32, 64)
IMAGE = np.random.default_rng(0).random((1, *SIZE, 3), np.float32)


@functools.cache
def made(**options):
    network = make_network(**(OPTIONS | options))
    drawn = initial_variables(network, 0, SIZE)
    return network, {"params": drawn.params, "batch_stats": drawn.batch_stats}


@functools.cache
def evaluated():
    network, variables = made()
    return jax.jit(network.apply)(variables, IMAGE)


def structure(tree):
    return jax.tree.map(np.shape, tree)


def test_top_level_parts_have_their_documented_names():
    _, variables = made()
    for collection in variables.values():
        assert set(collection) == {"encoder", "depth_decoder", "segmentation", "pose"}
    assert set(variables["params"]["segmentation"]) == {"decoder", "head"}
    assert set(variables["params"]["pose"]) == {"encoder", "decoder"}


def test_segmentation_decoder_is_the_depth_decoder_without_heads():
    _, variables = made()
    depth = {k: v for k, v in variables["params"]["depth_decoder"].items() if not k.startswith("disparity")}
    assert structure(depth) == structure(variables["params"]["segmentation"]["decoder"])
    stats = variables["batch_stats"]
    assert structure(stats["depth_decoder"]) == structure(stats["segmentation"]["decoder"])


def test_outputs_have_full_size_and_four_scales():
    outputs = evaluated()
    assert outputs.logits.shape == (1, *SIZE, 3)
    assert [d.shape for d in outputs.disparity] == [(1, SIZE[0] >> s, SIZE[1] >> s, 1) for s in range(4)]
    assert outputs.bottleneck.shape == (1, SIZE[0] // 16, SIZE[1] // 16, 32)
    for disparity in outputs.disparity:
        assert ((disparity > 0) & (disparity < 1)).all()


def test_parts_that_are_off_have_neither_outputs_nor_parameters():
    network, variables = made(segmentation=False, pose=False)
    outputs = jax.eval_shape(network.apply, variables, IMAGE)
    assert outputs.logits is None
    assert set(variables["params"]) == {"encoder", "depth_decoder"}
    with pytest.raises(ValueError, match="no pose part; make it with pose=True"):
        network.apply(variables, IMAGE, IMAGE, method="pose")


def test_evaluation_is_deterministic_and_needs_no_random_stream():
    network, variables = made()
    again = jax.jit(network.apply)(variables, IMAGE)
    jax.tree.map(np.testing.assert_array_equal, evaluated(), again)


def test_bottleneck_needs_only_the_encoder():
    network, variables = made()
    encoder = {name: {"encoder": tree["encoder"]} for name, tree in variables.items()}
    got = jax.jit(functools.partial(network.apply, method="bottleneck"))(encoder, IMAGE)
    np.testing.assert_allclose(got, evaluated().bottleneck, rtol=1e-5, atol=1e-5)


def test_bfloat16_returns_float32_near_the_float32_result():
    network, variables = made(dtype="bfloat16")
    outputs = jax.jit(network.apply)(variables, IMAGE)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(outputs)} == {"float32"}
    # 8 bits of mantissa through 18 + 11 layers
    np.testing.assert_allclose(outputs.disparity[0], evaluated().disparity[0], atol=0.02)


def test_bfloat16_training_keeps_float32_parameters_gradients_and_statistics():
    network, variables = made(dtype="bfloat16")

    def loss(params):
        state = {"params": params, "batch_stats": variables["batch_stats"]}
        streams = {"dropout": jax.random.key(0)}
        outputs, updated = network.apply(state, IMAGE, train=True, rngs=streams, mutable=["batch_stats"])
        return outputs.logits.mean(), updated

    grads, updated = jax.eval_shape(jax.grad(loss, has_aux=True), variables["params"])
    assert {leaf.dtype.name for leaf in jax.tree.leaves((grads, updated))} == {"float32"}


@pytest.mark.slow
def test_training_on_a_single_image_has_finite_gradients_and_moves_statistics():
    network, variables = made()

    @jax.jit
    def step(params):
        def loss(params):
            state = {"params": params, "batch_stats": variables["batch_stats"]}
            streams = {"dropout": jax.random.key(0)}
            outputs, updated = network.apply(state, IMAGE, train=True, rngs=streams, mutable=["batch_stats"])
            state["batch_stats"] = updated["batch_stats"]
            motion, updated = network.apply(state, IMAGE, IMAGE, train=True, mutable=["batch_stats"], method="pose")
            heads = (outputs.logits, *outputs.disparity, *motion)
            return sum(jnp.square(x).mean() for x in heads), updated["batch_stats"]

        return jax.grad(loss, has_aux=True)(params)

    grads, stats = step(variables["params"])
    for path, leaf in jax.tree_util.tree_leaves_with_path((grads, stats)):
        assert np.isfinite(leaf).all(), path
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), stats, variables["batch_stats"])
    for path, one in jax.tree_util.tree_leaves_with_path(moved):
        # one image has no variance over the images: that one statistic stays
        assert one or "pooled" in str(path), path


def test_dropout_is_off_on_demand_in_training_mode():
    network, variables = made()
    run = jax.jit(functools.partial(network.apply, train=True, dropout=False))
    without = run(variables, IMAGE)
    jax.tree.map(np.testing.assert_array_equal, without, run(variables, IMAGE))
    assert not np.array_equal(without.logits, evaluated().logits)


def test_size_that_does_not_fit_is_refused_with_the_next_valid_sizes():
    network, variables = made()
    assert network.stride == 16
    network.check_size(512, 1024)
    with pytest.raises(ValueError, match=r"stride 16 .*height 500; next valid: 496 or 512\. Change"):
        network.check_size(500, 1024)
    with pytest.raises(ValueError, match="width 16; next valid: 32"):
        network.check_size(32, 16)
    with pytest.raises(ValueError, match="height 500"):
        jax.eval_shape(network.apply, variables, jax.ShapeDtypeStruct((1, 500, 512, 3), np.float32))


UNDILATED = {"dilate": [False, False, False], "pose": False}


@pytest.mark.parametrize(
    ("options", "least"),
    [
        pytest.param(UNDILATED, 32, id="ASPP, then enlarged"),
        pytest.param(UNDILATED | {"aspp_rates": []}, 64, id="a reflected convolution first"),
        pytest.param(OPTIONS | {"pose": False}, 32, id="dilated: ASPP, not enlarged"),
    ],
)
def test_all_sizes_from_the_smallest_on_work(options, least):
    network = make_network(**(OPTIONS | options))
    drawn = initial_variables(network, 0, (64, 128))
    image = np.zeros((1, least, 2 * least, 3), np.float32)
    variables = {"params": drawn.params, "batch_stats": drawn.batch_stats}
    assert np.isfinite(jax.jit(network.apply)(variables, image).logits).all()
    with pytest.raises(ValueError, match=f"from {least} on"):
        network.check_size(least - network.stride, 2 * least)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": None}, "needs num_classes"),
        ({"decoder_channels": [64, 64]}, "2 entries, expected 5"),
        ({"dtype": "float8"}, "use one of float32, bfloat16"),
        ({"dilate": [True]}, "1 entries, expected 3"),
        ({"head_layers": [10]}, "head_layers"),
        ({"encoder": "resnet19"}, "known: "),
    ],
)
def test_inconsistent_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_network(**(OPTIONS | options))


def test_decoder_level_features_have_the_levels_size():
    network, variables = made()
    level = functools.partial(network.apply, method="decoder_level", level=3)
    assert jax.eval_shape(level, variables, IMAGE).shape == (1, SIZE[0] // 8, SIZE[1] // 8, 8)
