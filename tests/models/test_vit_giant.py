"""DINOv2's giant: SwiGLU computes what transformers' does, and files of three origins are read."""

import dataclasses
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
from sde_seg_jax.models.vit import ENCODERS, ViT
from sde_seg_jax.models.vit_names import name_of
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch

transformers = pytest.importorskip("transformers", reason="make install brings it")

GIANT = "dinov2_vitg14"
PATCH, GRID, BLOCKS, HEADS, WIDTH = 14, 3, 2, 5, 4  # 20 channels: two thirds of 80 are no whole eights
SIZES = [(28, 56), (70, 42), (84, 84)]  # pixels; the embeddings are for 42 x 42


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(PyTorch's network with random weights, ours, our variables as read from its file)."""
    torch.manual_seed(0)
    sizes = {"hidden_size": WIDTH * HEADS, "num_attention_heads": HEADS, "num_hidden_layers": BLOCKS}
    config = transformers.Dinov2Config(**sizes, image_size=GRID * PATCH, patch_size=PATCH, use_swiglu_ffn=True)
    model = transformers.Dinov2Model(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3 + float("lambda1" in name or "norm" in name))
    size = dataclasses.replace(ENCODERS[GIANT], blocks=BLOCKS, heads=HEADS, layers=(0, 1))
    encoder = ViT(size, WIDTH, GRID)
    return model, encoder, encoder_as_read(model, encoder, tmp_path_factory.mktemp("giant"), SIZES[0])


def tokens_of(model, image):
    """Normalised tokens of the patches after the last block, [B,N,C], of an image [B,H,W,3] in [0,1]."""
    return model(seen_by(model, image)).last_hidden_state[:, 1:]


@pytest.mark.parametrize(("size", "dtype"), [*((size, np.float64) for size in SIZES), (SIZES[0], np.float32)])
def test_features_are_those_of_transformers(pair, size, dtype, monkeypatch):
    model, encoder, variables = pair
    wide = dtype == np.float64
    if wide:
        monkeypatch.setattr(torch, "float32", torch.float64)  # it resizes the positions in float32
    with jax.enable_x64(wide):
        image = np.random.default_rng(0).random((2, *size, 3)).astype(dtype)
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), variables.params)
        found = jax.jit(encoder.apply)({"params": params}, image)[-1]
    expected = tokens_of(model.to(torch.double if wide else torch.float), image).detach().numpy()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected.reshape(found.shape), **TOLERANCE[dtype])


def test_gradients_of_its_layers_are_those_of_transformers(pair, monkeypatch):
    monkeypatch.setattr(torch, "float32", torch.float64)
    model, encoder, variables = pair
    image = np.random.default_rng(0).random((1, 28, 56, 3))
    model = model.double()
    model.zero_grad()
    (tokens_of(model, image) ** 3).sum().backward()
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables.params)
        loss = lambda params: (encoder.apply({"params": params}, image)[-1] ** 3).sum()  # noqa: E731
        gradient = jax.jit(jax.grad(loss))(params)
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    for number in range(BLOCKS):
        for ours, theirs in (("w12", ("gate", "up")), ("w3", ("down",))):
            found, start = gradient[f"block_{number}"][ours], f"encoder.layer.{number}.mlp"
            for kind, value in (("weight", found["kernel"].T), ("bias", found["bias"])):
                wanted = np.concatenate([grads[f"{start}.{layer}_proj.{kind}"] for layer in theirs])
                np.testing.assert_allclose(value, wanted, rtol=1e-8, atol=1e-9)


def test_names_of_older_files_of_transformers_are_read(pair, tmp_path):
    model, _, variables = pair
    state = {name: value.float().numpy() for name, value in model.state_dict().items()}
    old = {name.replace("mlp.down_proj", "mlp.weights_out"): value for name, value in state.items()}
    old = {name: value for name, value in old.items() if not re.search(r"mlp\.(gate|up)_proj", name)}
    for number in range(BLOCKS):
        for kind in ("weight", "bias"):
            parts = [state[f"encoder.layer.{number}.mlp.{part}_proj.{kind}"] for part in ("gate", "up")]
            old[f"encoder.layer.{number}.mlp.weights_in.{kind}"] = np.concatenate(parts)
    np.savez(tmp_path / "old.npz", **old)
    found = module_from_torch(read_state(tmp_path / "old.npz"), "encoder", variables)
    jax.tree.map(np.testing.assert_array_equal, found.params, variables.params)


@pytest.mark.parametrize("registers", [False, True])
def test_names_of_facebookresearch_and_timm_are_read(pair, registers, tmp_path):
    _, encoder, variables = pair
    if registers:
        size = dataclasses.replace(ENCODERS[f"{GIANT}_reg"], blocks=BLOCKS, heads=HEADS, layers=(0, 1))
        encoder = ViT(size, WIDTH, GRID)
        variables = initial_variables(encoder, 0, SIZES[0], None)
        variables = jax.tree.map(lambda x: np.asarray(x) + np.float32(0.1), variables)
    state = to_torch(variables, [encoder_part((), "", variables)])  # as facebookresearch names them
    assert {"blocks.1.mlp.w12.weight", "blocks.1.mlp.w3.bias", "blocks.0.ls1.gamma", "norm.weight"} <= set(state)
    assert state["blocks.1.mlp.w12.weight"].shape == (112, 20)
    timm = {
        name.replace("w12", "fc1").replace("w3", "fc2").replace("register_tokens", "reg_token"): value
        for name, value in state.items()
    }
    if registers:  # it has the class token's position in the class token
        timm["cls_token"] = timm["cls_token"] + timm["pos_embed"][:, :1]
        timm["pos_embed"] = timm["pos_embed"][:, 1:]
    image = np.random.default_rng(0).random((1, 28, 56, 3)).astype(np.float32)
    wanted = jax.jit(encoder.apply)({"params": variables.params}, image)[-1]
    for name, content in (("facebook", state | {"mask_token": np.zeros((1, 20), np.float32)}), ("timm", timm)):
        np.savez(tmp_path / f"{name}.npz", **content)
        found = module_from_torch(read_state(tmp_path / f"{name}.npz"), "encoder", variables)
        x = jax.jit(encoder.apply)({"params": found.params}, image)[-1]
        np.testing.assert_allclose(x, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ending", ["", "_reg"])
def test_the_giant_has_the_parameters_that_are_published(ending):
    kind = "Dinov2WithRegisters" if ending else "Dinov2"
    sizes = {"hidden_size": 1536, "num_attention_heads": 24, "num_hidden_layers": 40, "image_size": 518}
    config = getattr(transformers, f"{kind}Config")(**sizes, patch_size=PATCH, use_swiglu_ffn=True)
    with torch.device("meta"):
        model = getattr(transformers, f"{kind}Model")(config)
    wanted = sum(p.numel() for name, p in model.named_parameters() if "mask_token" not in name)
    encoder = make_encoder(f"{GIANT}{ending}")
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), jnp.zeros((1, 28, 28, 3))))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == wanted
    assert encoder.size.layers == (9, 19, 29, 39)
    tokens = {"pos_embed": shapes["pos_embed"]} | ({"register_tokens": 0} if ending else {})
    assert name_of({"cls_token": shapes["cls_token"], **tokens}) == f"{GIANT}{ending}"
