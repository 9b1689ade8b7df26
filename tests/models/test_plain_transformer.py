"""A backbone is one file: flax's own layers, without batch norm, work with every decoder, and weights are read."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import plain_transformer
import pytest
import torch

from sde_seg_jax.experiment.prediction.predictor import class_predictor
from sde_seg_jax.models import backbones, weight_names
from sde_seg_jax.models.import_weights import encoder_part, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.maps import declared
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch
from sde_seg_jax.tasks import supervised
from sde_seg_jax.training.step import init_state, make_step
from sde_seg_jax.types import Batch, Intrinsics, Streams, Variables

SIZE = (48, 64)
OPTIONS = {"encoder": "plain", "width": 8, "num_classes": 3, "aspp_rates": (1,), "decoder_channels": (4,) * 5}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    own = backbones._own_modules()
    monkeypatch.setattr(backbones, "_own_modules", lambda: own | {"plain": plain_transformer})
    weight_names._kinds.cache_clear()
    yield
    weight_names._kinds.cache_clear()


def networks():
    return {
        "deeplab": make_network(**OPTIONS, depth=False, pose=False),
        "exchange": make_network(**OPTIONS, pose=False, distillation_level=2),
    }


def batch():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, *SIZE, 3), np.uint8)
    label = rng.integers(0, 3, (2, *SIZE)).astype(np.uint8)
    return Batch(image, Intrinsics(*(np.ones(2, np.float32),) * 4), label=label, labeled=np.ones(2, bool))


def test_its_maps_are_declared():
    maps = declared(backbones.make_encoder("plain"))
    assert (maps.tokens, maps.multiple, maps.unit) == (True, 8, "patch size")


def test_start_values_are_those_of_flax_and_do_not_depend_on_other_parts():
    whole = initial_variables(make_network(**OPTIONS, pose=False), 3, SIZE)
    alone = initial_variables(make_network(**OPTIONS, pose=False, depth=False), 3, SIZE)
    jax.tree.map(np.testing.assert_array_equal, whole.params["encoder"], alone.params["encoder"])
    np.testing.assert_array_equal(whole.params["encoder"]["norm_0"]["scale"], np.ones(8))
    assert 0.1 < whole.params["encoder"]["dense_0"]["kernel"].std() < 0.6  # LeCun: 1 / sqrt(8) = 0.35
    assert "encoder" not in whole.batch_stats


def test_classes_of_images_that_are_no_whole_patches_are_scored_at_their_own_size():
    network = networks()["deeplab"]
    image = np.random.default_rng(0).integers(0, 256, (1, 50, 67, 3), np.uint8)
    found = class_predictor(network)(initial_variables(network, 0, SIZE), image)
    assert found.shape == (1, 50, 67)
    assert 0 <= found.min() <= found.max() < 3


@pytest.mark.parametrize("name", ["deeplab", "exchange"])
def test_a_training_step_moves_all_of_it(name):
    network = networks()[name]
    variables = initial_variables(network, 0, SIZE)
    transform = optax.sgd(0.1)
    loss = supervised.make_loss(network, losses={"cross_entropy": 1.0})
    state = init_state(variables, transform, seed=0, teacher=False)
    after, logs = jax.jit(make_step(loss, transform))(state, Streams(labeled=batch()))
    assert np.isfinite(logs["loss"])
    moved = jax.tree.map(
        lambda a, b: bool(np.any(a != b)), variables.params["encoder"], after.student.params["encoder"]
    )
    assert all(jax.tree.leaves(moved)), moved


def test_disparities_have_the_sizes_of_their_levels():
    network = make_network(**OPTIONS, segmentation=False, pose=False)
    variables = initial_variables(network, 0, SIZE)
    image = np.zeros((1, *SIZE, 3), np.float32)
    tree = {"params": variables.params, "batch_stats": variables.batch_stats}
    outputs = jax.eval_shape(network.apply, tree, image)
    assert [d.shape[1:3] for d in outputs.disparity] == [(48, 64), (24, 32), (12, 16), (6, 8)]


def test_a_square_dense_weight_is_read_transposed_and_a_token_by_its_name(tmp_path):
    encoder = backbones.make_encoder("plain")
    like = initial_variables(encoder, 0, SIZE, None)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, *SIZE, 3)).astype(np.float32)
    state = {
        "patches.weight": rng.normal(size=(8, 3, 8, 8)),
        "patches.bias": rng.normal(size=8),
        "cls_token": rng.normal(size=(1, 1, 8)),
        **{f"dense.{i}.weight": rng.normal(size=(8, 8)) for i in range(2)},
        **{f"dense.{i}.bias": rng.normal(size=8) for i in range(2)},
        **{f"norm.{i}.{leaf}": rng.normal(size=8) for i in range(2) for leaf in ("weight", "bias")},
    }
    torch.save({name: torch.tensor(value, dtype=torch.float32) for name, value in state.items()}, tmp_path / "w.pth")
    found = module_from_torch(read_state(tmp_path / "w.pth"), "encoder", like)
    t = {name: torch.tensor(value, dtype=torch.float32) for name, value in state.items()}
    x = torch.nn.functional.conv2d(
        torch.tensor(image).permute(0, 3, 1, 2), t["patches.weight"], t["patches.bias"], stride=8
    )
    x = x.flatten(2).transpose(1, 2) + t["cls_token"]
    for i in range(2):
        y = torch.nn.functional.layer_norm(x, (8,), t[f"norm.{i}.weight"], t[f"norm.{i}.bias"], eps=1e-6)
        y = torch.nn.functional.linear(y, t[f"dense.{i}.weight"], t[f"dense.{i}.bias"])
        x = x + torch.nn.functional.gelu(y, approximate="tanh")
    maps = encoder.apply({"params": found.params}, jnp.asarray(image))
    np.testing.assert_allclose(maps[-1].reshape(1, -1, 8), x, rtol=2e-4, atol=2e-4)
    back = to_torch(found, [encoder_part((), "", found)])
    for name, value in state.items():
        np.testing.assert_array_equal(back[name], value.astype(np.float32), err_msg=name)


def test_images_that_are_no_whole_patches_are_refused_with_the_next_valid_sizes():
    network = networks()["deeplab"]
    with pytest.raises(ValueError, match=r"patch size 8 .*: height 50; next valid: 48 or 56\. Change data\.crop"):
        network.check_size(50, 64)


def test_a_declaration_that_contradicts_itself_is_refused():
    broken = type("Broken", (), {"channels": (4, 4), "strides": (8,)})
    with pytest.raises(ValueError, match="Broken declares 2 channels and 1 strides"):
        declared(broken())
    mixed = type("Mixed", (), {"channels": (4, 4), "strides": (4, 8), "tokens": True})
    with pytest.raises(ValueError, match="expected one stride"):
        declared(mixed())


def test_variables_without_statistics_are_an_empty_collection():
    found = initial_variables(backbones.make_encoder("plain"), 0, SIZE, None)
    assert isinstance(found, Variables)
    assert found.batch_stats == {}
