"""The DPT decoder computes what transformers' Depth Anything does; it transfers, exchanges, and decodes pyramids."""

import functools

import jax
import numpy as np
import pytest
import torch
from originals import TOLERANCE, seen_by

from sde_seg_jax.models.decoders import DECODERS
from sde_seg_jax.models.import_weights import network_parts, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch
from sde_seg_jax.types import Variables

PATCH, GRID, BLOCKS, WIDTH, HEADS, FEATURES, BETWEEN, HIDDEN = 14, 3, 4, 4, 6, 8, (4, 6, 8, 12), 4
SIZES = [(28, 56), (70, 42), (42, 98)]
DEPTH = {
    "encoder": "dinov2_vits14",
    "width": WIDTH,
    "encoder_options": {"blocks": BLOCKS, "grid": GRID},
    "decoder": "dpt",
    "decoder_options": {"features": FEATURES, "reassembled": BETWEEN, "hidden": HIDDEN, "output": "relative"},
    "segmentation": False,
    "pose": False,
    "dtype": None,
}
BOTH = DEPTH | {"segmentation": True, "num_classes": 3}
CASES = [
    *((size, np.float64) for size in SIZES),
    (SIZES[0], np.float32),
    *(pytest.param(size, np.float32, marks=pytest.mark.slow) for size in SIZES[1:]),
]


def original():
    """transformers' Depth Anything with random weights."""
    transformers = pytest.importorskip("transformers", reason="make install brings it")
    sizes = {"hidden_size": WIDTH * HEADS, "num_attention_heads": HEADS, "num_hidden_layers": BLOCKS}
    backbone = transformers.Dinov2Config(
        **sizes,
        image_size=GRID * PATCH,
        patch_size=PATCH,
        out_indices=list(range(1, BLOCKS + 1)),
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=WIDTH * HEADS,
        neck_hidden_sizes=list(BETWEEN),
        fusion_hidden_size=FEATURES,
        head_hidden_size=HIDDEN,
    )
    torch.manual_seed(0)
    model = transformers.DepthAnythingForDepthEstimation(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape) * 0.2
            parameter.copy_(drawn + 1 if "lambda1" in name or ("norm" in name and "weight" in name) else drawn)
    return model


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(PyTorch's network, ours, our variables as read from its file, the file)."""
    model, network = original(), make_network(**DEPTH)
    path = tmp_path_factory.mktemp("dpt") / "model.bin"
    torch.save(model.state_dict(), path)
    like, state = initial_variables(network, 0, SIZES[0]), read_state(path)
    params = {name: module_from_torch(state, name, part(like, name)).params for name in like.params}
    return model, network, Variables(params, {}), path


def part(variables, name):
    return Variables(variables.params[name], variables.batch_stats.get(name, {}))


def depth_of(model, image):
    """PyTorch's prediction [B,H,W,1] of an image [B,H,W,3] in [0,1]."""
    return model(seen_by(model, image)).predicted_depth[..., None]


def unbounded(network, tree, image):
    """What the head gives, before it is bounded."""
    method = lambda net, x: net.depth_decoder.unbounded(net.depth_decoder(net.encoder(x)))  # noqa: E731
    return jax.jit(functools.partial(network.apply, method=method))(tree, image)


@pytest.mark.parametrize(("size", "dtype"), CASES)
def test_depth_is_that_of_transformers(pair, size, dtype, monkeypatch):
    model, network, variables, _ = pair
    wide = dtype == np.float64
    if wide:
        monkeypatch.setattr(torch, "float32", torch.float64)  # it resizes the positions in float32
    image = np.random.default_rng(0).random((2, *size, 3)).astype(dtype)
    wanted = depth_of(model.to(torch.double if wide else torch.float), image).detach().numpy()
    assert (wanted > 0).mean() > 0.1, "the test would compare zeros"
    with jax.enable_x64(wide):
        tree = {"params": jax.tree.map(lambda leaf: np.asarray(leaf, dtype), variables.params)}
        found = np.asarray(unbounded(network, tree, image))
        disparity = np.asarray(jax.jit(network.apply)(tree, image).disparity[0])
    scale = {**TOLERANCE[dtype], "atol": TOLERANCE[dtype]["atol"] * max(1, np.abs(wanted).max())}
    np.testing.assert_allclose(np.maximum(found, 0), wanted, **scale)
    np.testing.assert_allclose(disparity, wanted / wanted.max((1, 2, 3), keepdims=True), **TOLERANCE[dtype])
    assert disparity.max() == 1


def test_a_gradient_is_that_of_transformers(pair, monkeypatch):
    monkeypatch.setattr(torch, "float32", torch.float64)
    model, network, variables, _ = pair
    image = np.random.default_rng(0).random((1, 28, 56, 3))
    model = model.double()
    model.zero_grad()
    (depth_of(model, image) ** 2).sum().backward()
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables.params)
        loss = lambda params: (jax.nn.relu(unbounded(network, {"params": params}, image)) ** 2).sum()  # noqa: E731
        gradient = jax.tree.map(np.asarray, jax.jit(jax.grad(loss))(params))
    theirs = dict(model.named_parameters())
    resize = theirs["neck.reassemble_stage.layers.0.resize.weight"].grad.permute(2, 3, 0, 1).numpy()
    assert np.abs(resize).max() > 0
    found = gradient["depth_decoder"]["reassemble_0"]["resize"]["transposed"]
    np.testing.assert_allclose(found, resize, rtol=1e-8, atol=1e-8 * np.abs(resize).max())
    patch = theirs["backbone.embeddings.patch_embeddings.projection.weight"].grad.permute(2, 3, 1, 0).numpy()
    found = gradient["encoder"]["patch_embed"]["kernel"]
    np.testing.assert_allclose(found, patch, rtol=1e-7, atol=1e-8 * np.abs(patch).max())


def test_weights_go_out_under_the_names_of_depth_anything_and_come_back(pair, tmp_path):
    _, _, variables, _ = pair
    state = to_torch(variables, network_parts(variables))
    assert "models.depth.decoder.scratch.refinenet4.resConfUnit2.conv1.weight" in state
    published = {
        name.replace("models.encoder.encoder.", "pretrained.").replace("models.depth.decoder.", "depth_head."): value
        for name, value in state.items()
    }
    np.savez(tmp_path / "depth_anything_v2.npz", **published)
    read = read_state(tmp_path / "depth_anything_v2.npz")
    for name in variables.params:
        found = module_from_torch(read, name, part(variables, name))
        jax.tree.map(np.testing.assert_array_equal, found.params, variables.params[name])


def test_depth_starts_segmentation(pair):
    _, _, variables, path = pair
    network = make_network(**BOTH)
    like = initial_variables(network, 0, SIZES[0])
    decoder = Variables(like.params["segmentation"]["decoder"], {})
    assert "disparity" not in decoder.params
    found = module_from_torch(read_state(path), "depth_decoder", decoder)
    jax.tree.map(np.testing.assert_array_equal, found.params["fusion_0"], variables.params["depth_decoder"]["fusion_0"])


@pytest.mark.parametrize("level", [None, 2])
def test_weights_of_both_tasks_go_out_and_come_back(level):
    network = make_network(**(BOTH | {"distillation_level": level}))
    variables = initial_variables(network, 0, SIZES[0])
    state = to_torch(variables, network_parts(variables))
    prefix = "models.segmentation.unet_dec" if level is None else "models.mtl_decoder.seg_dec"
    assert f"{prefix}.decoder.scratch.refinenet1.out_conv.weight" in state
    for name in variables.params:
        found = module_from_torch(state, name, part(variables, name))
        jax.tree.map(np.testing.assert_array_equal, found.params, variables.params[name])


@pytest.mark.parametrize("level", [None, 2])
def test_depth_and_segmentation_are_full_size_and_exchange_features_at_any_level(level):
    network = make_network(**(BOTH | {"distillation_level": level}))
    variables = initial_variables(network, 0, SIZES[0])
    assert variables.batch_stats == {}
    image = np.random.default_rng(0).random((1, *SIZES[0], 3), np.float32)
    tree = {"params": variables.params}

    def loss(params):
        outputs = network.apply({"params": params}, image)
        return sum((x * x).sum() for x in jax.tree.leaves((outputs.logits, outputs.intermediate_logits))) * 1e-3

    outputs = jax.jit(network.apply)(tree, image)
    assert outputs.logits.shape == (1, *SIZES[0], 3)
    assert [d.shape for d in outputs.disparity] == [(1, *SIZES[0], 1)]
    gradient = jax.jit(jax.grad(loss))(variables.params)
    crosses = np.abs(gradient["depth_decoder"]["reassemble_3"]["conv"]["kernel"]).max() > 0
    assert crosses == (level is not None), "segmentation teaches the depth decoder only through the exchange"
    assert np.abs(gradient["segmentation"]["decoder"]["reassemble_3"]["conv"]["kernel"]).max() > 0


@pytest.mark.parametrize(
    ("encoder", "dilate"), [("resnet18", (False,) * 3), ("efficientnet_lite0", (False, True, True))]
)
def test_it_decodes_a_pyramid(encoder, dilate):
    options = BOTH | {"encoder": encoder, "dilate": dilate, "encoder_options": {}, "width": 8}
    options["decoder_options"] = options["decoder_options"] | {"output": "sigmoid"}
    network = make_network(**options)
    variables = initial_variables(network, 0, (64, 96))
    tree = {"params": variables.params, "batch_stats": variables.batch_stats}
    outputs = jax.eval_shape(network.apply, tree, np.zeros((1, 64, 96, 3), np.float32))
    assert outputs.logits.shape == (1, 64, 96, 3)
    assert outputs.disparity[0].shape == (1, 64, 96, 1)


def test_a_transformer_feeds_the_published_decoder():
    options = BOTH | {"decoder": "deeplab", "decoder_options": {}, "decoder_channels": (4,) * 5, "aspp_rates": (1,)}
    network = make_network(**options)
    variables = initial_variables(network, 0, (56, 84))
    tree = {"params": variables.params, "batch_stats": variables.batch_stats}
    outputs = jax.eval_shape(network.apply, tree, np.zeros((1, 56, 84, 3), np.float32))
    assert [d.shape[1:3] for d in outputs.disparity] == [(56, 84), (28, 42), (14, 21), (7, 11)]
    assert outputs.logits.shape == (1, 56, 84, 3)


def test_decoders_are_found_by_name():
    assert DECODERS.names() == ["deeplab", "dpt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoder": "dtp"}, r"unknown decoder 'dtp'; did you mean 'dpt'\?"),
        ({"decoder_options": {"feature": 3}}, r"decoder 'dpt' has no option 'feature'; did you mean 'features'\?"),
        ({"decoder_options": {"output": "metric"}}, r"unknown model\.decoder_options\.output 'metric'"),
        ({"decoder_options": {"reassembled": (1, 2)}}, "has 2 entries, expected 4"),
        ({"decoder_options": {"features": 0}}, r"decoder_options\.features=0: expected a whole number 1 or more"),
        ({"encoder_options": {"layers": (0, 1, 2)}}, "needs 4 maps, and the encoder has 3"),
        ({"decoder": "deeplab"}, "decoder 'deeplab' has no option 'features'; it has none of its own"),
        ({"head_layers": (4,), "segmentation": True, "num_classes": 2}, r"each of \[0, 1, 2, 3, 5, 6, 7, 8, 9\]"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_network(**(DEPTH | options))


def test_the_nearest_size_of_whole_patches_is_found_and_a_pyramid_has_none():
    assert make_network(**DEPTH).fitting_size(64, 512) == (70, 518)
    assert make_network(**DEPTH).fitting_size(3, 20) == (14, 14)
    options = DEPTH | {"encoder": "resnet18", "encoder_options": {}}
    assert make_network(**options).fitting_size(65, 20) == (65, 20)


def test_a_crop_of_broken_patches_is_refused_with_the_next_sizes():
    with pytest.raises(
        ValueError, match=r"patch size 14 \(multiples of it from 14 on\): height 64; next valid: 56 or 70"
    ):
        make_network(**DEPTH).check_size(64, 70)
