"""Conversion of PyTorch states: exact both ways, and strict."""

import jax
import numpy as np
import pytest

from sde_seg_jax.models.import_weights import network_from_torch, network_parts, read_npz, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network


@pytest.fixture(scope="module")
def variables():
    network = make_network(
        num_classes=3,
        encoder="resnet18",
        width=4,
        dilate=[False, False, False],
        decoder_channels=[4, 4, 4, 4, 4],
        aspp_rates=[1, 2],
        head_inter_channels=4,
        batch_norm=True,
        skip_features=4,
        pose_width=4,
    )
    return initial_variables(network, 0, (64, 64))


@pytest.fixture
def state(variables):
    return to_torch(variables, network_parts(variables))


def test_there_and_back_is_the_identity(variables, state):
    back = network_from_torch(state, variables)
    jax.tree.map(np.testing.assert_array_equal, back, variables)


def test_kernels_change_from_hwio_to_oihw(variables, state):
    kernel = variables.params["encoder"]["layer2_0"]["shortcut_conv"]["kernel"]
    name = "models.encoder.encoder.layer2.0.downsample.0.weight"
    np.testing.assert_array_equal(state[name], kernel.transpose(3, 2, 0, 1))


def test_missing_left_over_and_misshapen_names_are_all_listed(variables, state):
    del state["models.pose.net.0.bias"]
    state["models.encoder.encoder.fc.weight"] = np.zeros((2, 2))
    state["models.depth.decoder.14.conv.weight"] = np.zeros((1, 5, 3, 3))
    with pytest.raises(ValueError, match="3 problems") as error:
        network_from_torch(state, variables)
    assert "missing: models.pose.net.0.bias" in str(error.value)
    assert "left over: models.encoder.encoder.fc.weight" in str(error.value)
    shape = r"models.depth.decoder.14.conv.weight: shape (1, 5, 3, 3), expected (1, 4, 3, 3)"
    assert shape in str(error.value)


def test_unused_heads_of_the_published_segmentation_network_are_dropped(variables, state):
    without = network_from_torch(state, variables)
    state["models.segmentation.unet_dec.decoder.14.conv.weight"] = np.zeros((1, 4, 3, 3))
    jax.tree.map(np.testing.assert_array_equal, network_from_torch(state, variables), without)


def test_named_extras_can_be_left_out(variables, state):
    state["models.imnet_encoder.encoder.conv1.weight"] = np.zeros(1)
    with pytest.raises(ValueError, match="left over"):
        network_from_torch(state, variables)
    network_from_torch(state, variables, ignore="imnet_encoder")


def test_npz_is_read_under_its_own_names(tmp_path, state):
    np.savez(tmp_path / "state.npz", **state)
    read = read_npz(tmp_path / "state.npz")
    assert set(read) == set(state)
