"""DINOv3's transformers compute what transformers' class does with the same weights, at any size; files are read."""

import copy

import jax
import numpy as np
import pytest
import torch
from originals import TOLERANCE, encoder_as_read, seen_by

from sde_seg_jax.models.backbones import make_encoder
from sde_seg_jax.models.import_weights import encoder_part, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.rotary import rotation
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch

PATCH, BLOCKS, WIDTH, HEADS, REGISTERS = 16, 4, 8, 6, 4
SIZES = [(32, 64), (80, 48), (64, 64)]
CASES = [
    *((size, np.float64) for size in SIZES),
    (SIZES[0], np.float32),
    *(pytest.param(size, np.float32, marks=pytest.mark.slow) for size in SIZES[1:]),
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(PyTorch's network in float64, ours, our variables as read from its file)."""
    transformers = pytest.importorskip("transformers", reason="make install brings it")
    sizes = {"hidden_size": WIDTH * HEADS, "intermediate_size": 4 * WIDTH * HEADS, "num_attention_heads": HEADS}
    config = transformers.DINOv3ViTConfig(**sizes, num_hidden_layers=BLOCKS, num_register_tokens=REGISTERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "float32", torch.float64)  # its periods would be rounded, and stay so
        model = transformers.DINOv3ViTModel(config).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape) * 0.3
            scales = "lambda1" in name or ("norm" in name and name.endswith("weight"))
            parameter.copy_(drawn + 1 if scales else drawn)
    encoder = make_encoder("dinov3_vits16", width=WIDTH, blocks=BLOCKS, layers=(0, 1, 2, 3))
    variables = encoder_as_read(model, encoder, tmp_path_factory.mktemp("vit"), SIZES[0])
    return model.double(), encoder, variables


def features_of(model, image):
    """Normalised tokens of all blocks but those in front, [B,h,w,C] each, of an image [B,H,W,3] in [0,1]."""
    found, grid = [], (len(image), image.shape[1] // PATCH, image.shape[2] // PATCH, -1)
    hooks = [layer.register_forward_hook(lambda _, __, output: found.append(output)) for layer in model.model.layer]
    model(seen_by(model, image))
    for hook in hooks:
        hook.remove()
    return [model.norm(x)[:, 1 + REGISTERS :].reshape(grid) for x in found]


@pytest.mark.parametrize(("size", "dtype"), CASES)
def test_features_are_those_of_transformers(pair, size, dtype, monkeypatch):
    model, encoder, variables = pair
    wide = dtype == np.float64
    if wide:
        monkeypatch.setattr(torch, "float32", torch.float64)  # it computes the angles in float32
    image = np.random.default_rng(0).random((2, *size, 3)).astype(dtype)
    with jax.enable_x64(wide):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), variables.params)
        found = [np.asarray(x) for x in jax.jit(encoder.apply)({"params": params}, image)]
    expected = features_of(copy.deepcopy(model).to(torch.double if wide else torch.float), image)
    assert len(found) == len(expected) == BLOCKS
    for x, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, wanted.detach().numpy(), **TOLERANCE[dtype])


def test_a_gradient_is_that_of_transformers(pair, monkeypatch):
    monkeypatch.setattr(torch, "float32", torch.float64)
    model, encoder, variables = pair
    image = np.random.default_rng(0).random((1, 32, 64, 3))
    model.zero_grad()
    (features_of(model, image)[-1] ** 3).sum().backward()
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables.params)
        loss = lambda params: (encoder.apply({"params": params}, image)[-1] ** 3).sum()  # noqa: E731
        gradient = jax.tree.map(np.asarray, jax.jit(jax.grad(loss))(params))
    grads = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
    query = grads["model.layer.1.attention.q_proj.weight"].T
    np.testing.assert_allclose(gradient["block_1"]["qkv"]["kernel"][:, : WIDTH * HEADS], query, rtol=1e-8, atol=1e-8)
    tokens = grads["embeddings.register_tokens"]
    np.testing.assert_allclose(gradient["register_tokens"], tokens, rtol=1e-8, atol=1e-8)


def test_names_of_facebookresearch_are_read(pair, tmp_path):
    _, _, variables = pair
    state = to_torch(variables, [encoder_part((), "", variables)])
    assert {"register_tokens", "blocks.3.attn.qkv.bias"} <= set(state)
    keys = slice(WIDTH * HEADS, 2 * WIDTH * HEADS)
    theirs = {"rope_embed.periods": np.ones(2, np.float32), "mask_token": np.zeros((1, WIDTH * HEADS), np.float32)}
    for name, value in state.items():
        theirs[name.replace("register_tokens", "storage_tokens")] = value.copy()
        if name.endswith("qkv.bias"):
            theirs[name][keys] = 7  # what is there does not count
            theirs[f"{name}_mask"] = np.ones_like(value)
            theirs[f"{name}_mask"][keys] = np.nan
    np.savez(tmp_path / "dinov3.npz", **theirs)
    found = module_from_torch(read_state(tmp_path / "dinov3.npz"), "encoder", variables)
    jax.tree.map(np.testing.assert_array_equal, found.params, variables.params)


def test_names_of_older_files_of_transformers_are_read(pair, tmp_path):
    model, _, variables = pair
    old = {name.removeprefix("model."): value.float().numpy() for name, value in model.state_dict().items()}
    np.savez(tmp_path / "old.npz", **old)
    found = module_from_torch(read_state(tmp_path / "old.npz"), "encoder", variables)
    jax.tree.map(np.testing.assert_array_equal, found.params, variables.params)


def test_weights_of_the_other_kind_are_refused_with_what_to_set(pair):
    _, _, variables = pair
    state = to_torch(variables, [encoder_part((), "models.encoder.encoder.", variables)])
    encoder = make_encoder("dinov2_vits14_reg", width=WIDTH, blocks=BLOCKS, layers=(0, 1, 2, 3))
    like = initial_variables(encoder, 0, (28, 28), None)
    with pytest.raises(ValueError, match=r"The weights are of a DINOv3: set model\.encoder to one of those$"):
        module_from_torch(state, "encoder", like)


def test_heads_that_cannot_be_turned_are_refused():
    with pytest.raises(ValueError, match=r"multiple of 4 channels, got 6; change model\.width"):
        rotation((2, 3), 6)
