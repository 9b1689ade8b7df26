"""ConvNeXt computes what transformers' class does with the same weights; three ways to name them are read."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from originals import TOLERANCE, encoder_as_read, seen_by

from sde_seg_jax.models.backbones import make_encoder
from sde_seg_jax.models.import_weights import encoder_part, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch

WIDTH, BLOCKS = 4, (2, 1, 2, 1)
SIZES = [(64, 32), (32, 96), (96, 96)]
CASES = [
    *((size, np.float64) for size in SIZES),
    (SIZES[0], np.float32),
    *(pytest.param(size, np.float32, marks=pytest.mark.slow) for size in SIZES[1:]),
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(PyTorch's network, ours, our variables as read from its file)."""
    transformers = pytest.importorskip("transformers", reason="make install brings it")
    encoder = make_encoder("convnext_tiny", width=WIDTH, blocks=BLOCKS)
    torch.manual_seed(0)
    model = transformers.ConvNextModel(
        transformers.ConvNextConfig(hidden_sizes=list(encoder.channels), depths=list(BLOCKS))
    ).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape) * 0.3
            parameter.copy_(drawn + 1 if re.search("layer_scale|norm.*weight", name) else drawn)
    return model, encoder, encoder_as_read(model, encoder, tmp_path_factory.mktemp("convnext"), SIZES[0])


def maps_of(model, image):
    """PyTorch's four maps [B,h,w,C] of an image [B,H,W,3] in [0,1]."""
    x, found = model.embeddings(seen_by(model, image)), []
    for stage in model.encoder.stages:
        x = stage(x)
        found.append(x.permute(0, 2, 3, 1))
    return found


@pytest.mark.parametrize(("size", "dtype"), CASES)
def test_maps_are_those_of_transformers(pair, size, dtype):
    model, encoder, variables = pair
    wide = dtype == np.float64
    image = np.random.default_rng(0).random((2, *size, 3)).astype(dtype)
    with jax.enable_x64(wide):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), variables.params)
        found = [np.asarray(x) for x in jax.jit(encoder.apply)({"params": params}, image)]
    expected = maps_of(model.to(torch.double if wide else torch.float), image)
    for x, wanted, stride in zip(found, expected, encoder.strides, strict=True):
        assert x.shape[1:3] == (size[0] // stride, size[1] // stride)
        scale = TOLERANCE[dtype]["atol"] * max(1.0, wanted.abs().max().item())
        np.testing.assert_allclose(x, wanted.detach().numpy(), rtol=TOLERANCE[dtype]["rtol"], atol=scale)


def test_a_gradient_is_that_of_transformers(pair):
    model, encoder, variables = pair
    image = np.random.default_rng(0).random((1, 32, 64, 3))
    model = model.double()
    model.zero_grad()
    sum((x**2).mean() for x in maps_of(model, image)).backward()
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables.params)
        loss = lambda p: sum(jnp.square(x).mean() for x in encoder.apply({"params": p}, image))  # noqa: E731
        gradient = jax.tree.map(np.asarray, jax.jit(jax.grad(loss))(params))
    grads = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
    wanted = grads["encoder.stages.2.layers.1.dwconv.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_allclose(gradient["block_2_1"]["dwconv"]["kernel"], wanted, rtol=1e-7, atol=1e-9)
    wanted = grads["encoder.stages.0.layers.0.layer_scale_parameter"]
    np.testing.assert_allclose(gradient["block_0_0"]["gamma"], wanted, rtol=1e-7, atol=1e-9)


def as_timm(name):
    """A name of facebookresearch's as timm has it."""
    name = re.sub(r"^downsample_layers\.0\.", "stem.", name)
    name = re.sub(r"^downsample_layers\.(\d)\.", r"stages.\1.downsample.", name)
    name = re.sub(r"^stages\.(\d)\.(\d+)\.", r"stages.\1.blocks.\2.", name)
    return name.replace("dwconv", "conv_dw").replace("pwconv", "mlp.fc")


def test_names_of_facebookresearch_and_timm_are_read_and_written(pair, tmp_path):
    _, _, variables = pair
    state = to_torch(variables, [encoder_part((), "", variables)])
    assert {"downsample_layers.2.1.weight", "stages.2.1.dwconv.bias", "stages.0.0.gamma"} <= set(state)
    last = {"norm.weight": np.ones(48, np.float32), "head.weight": np.ones((10, 48), np.float32)}
    np.savez(tmp_path / "facebook.npz", **state, **last)
    timm = {as_timm(name): value for name, value in state.items()}
    np.savez(tmp_path / "timm.npz", **timm, **{"head.norm.weight": last["norm.weight"]})
    for name in ("facebook", "timm"):
        found = module_from_torch(read_state(tmp_path / f"{name}.npz"), "encoder", variables)
        jax.tree.map(np.testing.assert_array_equal, found.params, variables.params)


def test_weights_of_another_size_are_refused_with_what_to_set(pair):
    _, _, variables = pair
    state = to_torch(variables, [encoder_part((), "models.encoder.encoder.", variables)])
    other = initial_variables(make_encoder("convnext_tiny", width=WIDTH, blocks=(1, 1, 1, 1)), 0, SIZES[0], None)
    with pytest.raises(ValueError, match=r"have 6 channels at first and \(2, 1, 2, 1\) blocks, the encoder 6 and \(1,"):
        module_from_torch(state, "encoder", other)


def test_its_pyramid_of_four_maps_feeds_the_published_decoder():
    options = {"encoder": "convnext_base", "width": 4, "encoder_options": {"blocks": (1, 1, 1, 1)}, "num_classes": 3}
    network = make_network(**options, decoder_channels=(4,) * 5, aspp_rates=(1,), pose=False)
    variables = initial_variables(network, 0, (64, 96))
    tree = {"params": variables.params, "batch_stats": variables.batch_stats}
    outputs = jax.eval_shape(network.apply, tree, np.zeros((1, 64, 96, 3), np.float32))
    assert [d.shape[1:3] for d in outputs.disparity] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    assert outputs.logits.shape == (1, 64, 96, 3)
    assert network.stride == 32


def test_stages_that_are_not_four_are_refused():
    with pytest.raises(ValueError, match=r"blocks of convnext_tiny: \(1, 2\) are 2 stages, expected 4"):
        make_encoder("convnext_tiny", blocks=(1, 2))
