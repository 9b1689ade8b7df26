"""Vision transformers compute what transformers' Dinov2 does with the same weights, at any size; files are read."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from originals import TOLERANCE, encoder_as_read, seen_by

from sde_seg_jax.models.backbones import configured_encoder, make_encoder
from sde_seg_jax.models.import_weights import encoder_part, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.positions import bicubic, resized_positions
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch
from sde_seg_jax.types import Variables

transformers = pytest.importorskip("transformers", reason="make install brings it")

PATCH, GRID, BLOCKS, WIDTH, HEADS = 14, 3, 4, 4, 6
SIZES = [(28, 56), (70, 42), (84, 84)]  # pixels; the embeddings are for 42 x 42
ENDINGS = ["", "_reg"]
OPTIONS = {"blocks": BLOCKS, "grid": GRID, "layers": (0, 1, 2, 3)}
CASES = [
    *((size, np.float64) for size in SIZES),
    (SIZES[0], np.float32),
    *(pytest.param(size, np.float32, marks=pytest.mark.slow) for size in SIZES[1:]),
]


def original(ending):
    """transformers' class with random weights, all of them."""
    kinds = {
        "": (transformers.Dinov2Config, transformers.Dinov2Model),
        "_reg": (transformers.Dinov2WithRegistersConfig, transformers.Dinov2WithRegistersModel),
    }
    config, model = kinds[ending]
    torch.manual_seed(0)
    sizes = {"hidden_size": WIDTH * HEADS, "num_attention_heads": HEADS, "num_hidden_layers": BLOCKS}
    found = model(config(**sizes, image_size=GRID * PATCH, patch_size=PATCH)).eval()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
        for name, parameter in found.named_parameters():
            if "lambda1" in name or re.search("norm.*weight", name):
                parameter.add_(1)
    return found


@pytest.fixture(scope="module", params=ENDINGS, ids=["plain", "registers"])
def pair(request, tmp_path_factory):
    """(PyTorch's network, ours, our variables as read from its file)."""
    model, encoder = original(request.param), make_encoder(f"dinov2_vits14{request.param}", width=WIDTH, **OPTIONS)
    return model, encoder, encoder_as_read(model, encoder, tmp_path_factory.mktemp("vit"), SIZES[0])


def features_of(model, image):
    """Normalised tokens of all blocks but those in front, [B,h,w,C] each, of an image [B,H,W,3] in [0,1]."""
    front = 1 + getattr(model.config, "num_register_tokens", 0)
    states = model(seen_by(model, image), output_hidden_states=True).hidden_states[1:]
    grid = (len(image), image.shape[1] // PATCH, image.shape[2] // PATCH, -1)
    return [model.layernorm(state)[:, front:].reshape(grid) for state in states]


@pytest.mark.parametrize(("size", "dtype"), CASES)
def test_features_are_those_of_transformers(pair, size, dtype, monkeypatch):
    model, encoder, variables = pair
    wide = dtype == np.float64
    if wide:
        monkeypatch.setattr(torch, "float32", torch.float64)  # it resizes the positions in float32
    with jax.enable_x64(wide):
        image = np.random.default_rng(0).random((2, *size, 3)).astype(dtype)
        params = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), variables.params)
        found = jax.jit(encoder.apply)({"params": params}, image)
    expected = features_of(model.to(torch.double if wide else torch.float), image)
    for x, wanted in zip(found, expected, strict=True):
        assert x.dtype == dtype
        np.testing.assert_allclose(x, wanted.detach().numpy(), **TOLERANCE[dtype])


def test_a_gradient_is_that_of_transformers(pair, monkeypatch):
    monkeypatch.setattr(torch, "float32", torch.float64)
    model, encoder, variables = pair
    image = np.random.default_rng(0).random((1, 28, 56, 3))
    model = model.double()
    model.zero_grad()
    (features_of(model, image)[-1] ** 3).sum().backward()
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables.params)
        loss = lambda params: (encoder.apply({"params": params}, image)[-1] ** 3).sum()  # noqa: E731
        gradient = jax.tree.map(np.asarray, jax.jit(jax.grad(loss))(params))
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    token = gradient["pos_embed"]
    np.testing.assert_allclose(token, grads["embeddings.position_embeddings"], rtol=1e-8, atol=1e-9)
    query = grads["encoder.layer.1.attention.q_proj.weight"].T
    np.testing.assert_allclose(gradient["block_1"]["qkv"]["kernel"][:, : WIDTH * HEADS], query, rtol=1e-8, atol=1e-9)
    scale = grads["encoder.layer.0.layer_scale2.lambda1"]
    np.testing.assert_allclose(gradient["block_0"]["ls2"]["gamma"], scale, rtol=1e-8, atol=1e-9)


def test_names_of_facebookresearch_and_timm_are_read_and_written(pair, tmp_path):
    _, encoder, variables = pair
    state = to_torch(variables, [encoder_part((), "", variables)])
    assert {"blocks.3.attn.qkv.weight", "blocks.0.ls1.gamma", "patch_embed.proj.bias", "norm.weight"} <= set(state)
    state["mask_token"] = np.zeros((1, WIDTH * HEADS), np.float32)
    np.savez(tmp_path / "facebook.npz", **state)
    timm = {
        name.replace("register_tokens", "reg_token"): value for name, value in state.items() if name != "mask_token"
    }
    if "reg_token" in timm:  # it has the class token's position in the class token
        timm["cls_token"] = timm["cls_token"] + timm["pos_embed"][:, :1]
        timm["pos_embed"] = timm["pos_embed"][:, 1:]
    np.savez(tmp_path / "timm.npz", **timm)
    image = np.random.default_rng(0).random((1, 28, 56, 3)).astype(np.float32)
    wanted = jax.jit(encoder.apply)({"params": variables.params}, image)[-1]
    for name in ("facebook", "timm"):
        found = module_from_torch(read_state(tmp_path / f"{name}.npz"), "encoder", variables)
        x = jax.jit(encoder.apply)({"params": found.params}, image)[-1]
        np.testing.assert_allclose(x, wanted, rtol=1e-5, atol=1e-5)


def old_names(name):
    """As files were written before transformers 5."""
    for letter, word in (("q", "query"), ("k", "key"), ("v", "value")):
        name = name.replace(f"attention.{letter}_proj", f"attention.attention.{word}")
    return name.replace("attention.o_proj", "attention.output.dense")


def test_names_of_older_files_of_transformers_are_read(pair, tmp_path):
    model, _, variables = pair
    np.savez(tmp_path / "old.npz", **{old_names(k): v.float().numpy() for k, v in model.state_dict().items()})
    found = module_from_torch(read_state(tmp_path / "old.npz"), "encoder", variables)
    jax.tree.map(np.testing.assert_array_equal, found.params, variables.params)


def zeros_of(name, **options):
    """Variables of an encoder, all zero."""
    encoder = make_encoder(name, **options)
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), jnp.zeros((1, 28, 28, 3))))
    return Variables(jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes["params"]), {})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dinov2_vits14_reg", {}, r"without registers: set model\.encoder to its name without '_reg'$"),
        ("dinov2_vits14", {"grid": 5}, r"of 3x3 patches: set model\.encoder_options\.grid=3$"),
        ("dinov2_vits14", {"blocks": 6}, r"have 4 blocks: set model\.encoder_options\.blocks=4$"),
        ("dinov2_vitb14", {}, r"have 384 channels, the encoder 768: set model\.encoder to 'dinov2_vits14'"),
    ],
)
def test_weights_of_another_transformer_are_refused_with_what_to_set(name, options, message):
    source = zeros_of("dinov2_vits14", **OPTIONS)
    state = to_torch(source, [encoder_part((), "models.encoder.encoder.", source)])
    with pytest.raises(ValueError, match=message):
        module_from_torch(state, "encoder", zeros_of(name, **(OPTIONS | options)))


@pytest.mark.parametrize(("n", "m"), [(3, 7), (7, 3), (5, 6), (37, 16)])
@pytest.mark.parametrize("antialias", [False, True])
def test_bicubic_is_that_of_pytorch(n, m, antialias):
    x = torch.randn(1, 1, n, 2, dtype=torch.float64)
    wanted = torch.nn.functional.interpolate(x, size=(m, 2), mode="bicubic", antialias=antialias)
    np.testing.assert_allclose(bicubic(n, m, antialias=antialias) @ x[0, 0].numpy(), wanted[0, 0], atol=1e-12)


def test_an_offset_is_the_scale_factor_of_facebookresearch():
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    scale = tuple((n + 0.1) / 5 for n in (7, 3))
    wanted = torch.nn.functional.interpolate(x, scale_factor=scale, mode="bicubic").permute(0, 2, 3, 1)
    with jax.enable_x64(True):
        flat = jnp.concatenate([jnp.zeros((1, 1, 4)), x.permute(0, 2, 3, 1).reshape(1, 25, 4).numpy()], axis=1)
        found = resized_positions(flat, (7, 3), offset=0.1)
    np.testing.assert_allclose(found[:, 1:].reshape(1, 7, 3, 4), wanted, atol=1e-12)


@pytest.fixture(scope="module")
def tiny():
    options = OPTIONS | {"drop_path": 0.5}
    encoder = make_encoder("dinov2_vits14", width=WIDTH, **options)
    return (
        encoder,
        initial_variables(encoder, 0, (28, 28), None),
        np.random.default_rng(0).random((4, 28, 28, 3), np.float32),
    )


def test_blocks_are_dropped_per_sample_in_training_with_a_key_only(tiny):
    encoder, variables, image = tiny
    tree = {"params": variables.params}
    plain = encoder.apply(tree, image)[-1]
    np.testing.assert_array_equal(encoder.apply(tree, image, train=True)[-1], plain)
    one, other = (encoder.apply(tree, image, train=True, rngs={"dropout": jax.random.key(k)})[-1] for k in (0, 1))
    assert not np.array_equal(one, plain)
    assert not np.array_equal(one, other)
    first = encoder.apply(tree, image, train=True, rngs={"dropout": jax.random.key(0)})[0]
    np.testing.assert_array_equal(first, encoder.apply(tree, image)[0])  # the first block is never dropped


def test_remat_changes_neither_values_nor_gradients_nor_what_is_dropped(tiny):
    encoder, variables, image = tiny

    def gradient(encoder):
        loss = lambda p: sum(  # noqa: E731
            jnp.square(x * x).mean()
            for x in encoder.apply({"params": p}, image, train=True, rngs={"dropout": jax.random.key(0)})
        )
        return jax.jit(jax.value_and_grad(loss))(variables.params)

    for a, b in zip(*(jax.tree.leaves(gradient(encoder.clone(remat=r))) for r in (False, True)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_near_float32_and_keeps_parameters(tiny):
    encoder, variables, image = tiny
    half = encoder.clone(dtype=jnp.bfloat16)
    found = jax.jit(half.apply)({"params": variables.params}, image)[-1]
    assert found.dtype == jnp.bfloat16
    wanted = encoder.apply({"params": variables.params}, image)[-1]
    # normalised tokens of order 1, eight bits of mantissa, four blocks
    np.testing.assert_allclose(found.astype(jnp.float32), wanted, atol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [1, 12]}, r"layers \(1, 12\) of dinov2_vits14: expected growing numbers of its blocks, 0 to 11"),
        ({"implementation": "flash"}, "attention implementation 'flash' is unknown"),
        ({"drop_paths": 0.1}, r"has no option 'drop_paths'; did you mean 'drop_path'\?"),
        ({"drop_path": 1.5}, r"model\.encoder_options\.drop_path=1\.5: expected a number from 0 to below 1"),
        ({"width": 8}, "has no option 'width'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        configured_encoder("dinov2_vits14", options, width=4, dilate=(False,) * 3, dtype=None, remat=False)


def test_an_image_that_is_no_whole_patches_is_refused():
    with pytest.raises(ValueError, match="image of 28x30 is not whole patches of 14x14"):
        jax.eval_shape(lambda: make_encoder("dinov2_vits14").init(jax.random.key(0), jnp.zeros((1, 28, 30, 3))))
