"""UniMatch V2's segmentation networks (Yang et al. 2024): names of its files, and the head, against plain PyTorch."""

import jax
import numpy as np
import pytest
import torch
from torch.nn import functional

from sde_seg_jax.models.import_weights import network_parts, to_torch
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.weight_files import read_weights
from sde_seg_jax.models.weight_modules import module_from_torch
from sde_seg_jax.types import Variables

PATCH, GRID, BLOCKS, WIDTH, HEADS, FEATURES, BETWEEN, CLASSES = 14, 3, 4, 4, 6, 8, (4, 6, 8, 12), 5
CHANNELS = WIDTH * HEADS
OPTIONS = {
    "encoder": "dinov2_vits14",
    "width": WIDTH,
    "encoder_options": {"blocks": BLOCKS, "grid": GRID, "position_offset": 0.1},
    "decoder": "dpt",
    "decoder_options": {"features": FEATURES, "reassembled": BETWEEN},
    "head_kind": "convolution",
    "num_classes": CLASSES,
    "depth": False,
    "pose": False,
    "dtype": None,
}


def published_shapes():
    """Name -> shape of model.state_dict(), from the layers of the published classes DINOv2 and DPTHead."""
    c, f = CHANNELS, FEATURES
    shapes = {"cls_token": (1, 1, c), "pos_embed": (1, 1 + GRID**2, c), "mask_token": (1, c)}
    shapes |= {"patch_embed.proj.weight": (c, 3, PATCH, PATCH), "patch_embed.proj.bias": (c,)}
    for i in range(BLOCKS):
        linear = {"attn.qkv": (3 * c, c), "attn.proj": (c, c), "mlp.fc1": (4 * c, c), "mlp.fc2": (c, 4 * c)}
        for name, shape in linear.items():
            shapes |= {f"blocks.{i}.{name}.weight": shape, f"blocks.{i}.{name}.bias": shape[:1]}
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "ls1.gamma", "ls2.gamma"):
            shapes[f"blocks.{i}.{name}"] = (c,)
    shapes |= {"norm.weight": (c,), "norm.bias": (c,)}
    shapes = {f"backbone.{name}": shape for name, shape in shapes.items()}
    layers = {f"projects.{i}": (b, c, 1, 1) for i, b in enumerate(BETWEEN)}
    layers |= {"resize_layers.0": (BETWEEN[0],) * 2 + (4, 4), "resize_layers.1": (BETWEEN[1],) * 2 + (2, 2)}
    layers |= {"resize_layers.3": (BETWEEN[3],) * 2 + (3, 3)}
    layers |= {"scratch.output_conv.0": (f, f, 3, 3), "scratch.output_conv.2": (CLASSES, f, 1, 1)}
    for level in range(1, 5):
        layers[f"scratch.refinenet{level}.out_conv"] = (f, f, 1, 1)
        for unit in (1, 2):
            layers |= {f"scratch.refinenet{level}.resConfUnit{unit}.conv{j}": (f, f, 3, 3) for j in (1, 2)}
    for name, shape in layers.items():
        shapes |= {f"head.{name}.weight": shape, f"head.{name}.bias": shape[:1]}
    return shapes | {f"head.scratch.layer{i + 1}_rn.weight": (f, b, 3, 3) for i, b in enumerate(BETWEEN)}


def checkpoint():
    """What training writes: student and average, both as distributed training names them, and the optimiser's state."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda shape: torch.randn(shape, generator=generator) * 0.2  # noqa: E731
    student, average = ({f"module.{k}": draw(v) for k, v in published_shapes().items()} for _ in range(2))
    rest = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}, "epoch": 7, "previous_best": 0.5}
    return {"model": student, "model_ema": average, **rest}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """(the student's arrays in PyTorch, our network, our variables as read from the file)."""
    path = tmp_path_factory.mktemp("unimatch") / "best.pth"
    torch.save(checkpoint(), path)
    network = make_network(**OPTIONS)
    like, weights = initial_variables(network, 0, (28, 28)), read_weights(path)
    params = {name: module_from_torch(weights.state, name, Variables(tree, {})) for name, tree in like.params.items()}
    student = {name.removeprefix("module."): value for name, value in checkpoint()["model"].items()}
    return student, network, Variables({name: found.params for name, found in params.items()}, {})


def torch_head(state, maps, size):
    """Logits [B,C,H,W] of DPTHead on four maps [B,c,h,w], written from its definition."""

    def layer(x, name, **options):
        return functional.conv2d(x, state[f"head.{name}.weight"], state.get(f"head.{name}.bias"), **options)

    def unit(x, name):
        y = layer(functional.relu(x), f"{name}.conv1", padding=1)
        return x + layer(functional.relu(y), f"{name}.conv2", padding=1)

    pyramid = []
    for i, x in enumerate(maps):
        x, name = layer(x, f"projects.{i}"), f"head.resize_layers.{i}"
        if i < 2:
            x = functional.conv_transpose2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=4 // 2**i)
        elif i == 3:
            x = layer(x, "resize_layers.3", stride=2, padding=1)
        pyramid.append(layer(x, f"scratch.layer{i + 1}_rn", padding=1))
    path = None
    for i in (3, 2, 1, 0):
        name, x = f"scratch.refinenet{i + 1}", pyramid[i]
        path = x if path is None else path + unit(x, f"{name}.resConfUnit1")
        larger = pyramid[i - 1].shape[2:] if i else [2 * side for side in path.shape[2:]]
        path = functional.interpolate(unit(path, f"{name}.resConfUnit2"), larger, mode="bilinear", align_corners=True)
        path = layer(path, f"{name}.out_conv")
    logits = layer(functional.relu(layer(path, "scratch.output_conv.0", padding=1)), "scratch.output_conv.2")
    return functional.interpolate(logits, size, mode="bilinear", align_corners=True)


@pytest.mark.parametrize("size", [(28, 56), (42, 70)])
def test_logits_are_those_of_the_published_head(read, size):
    state, network, variables = read
    image = np.random.default_rng(0).random((2, *size, 3)).astype(np.float32)
    tree = {"params": variables.params}
    both = jax.jit(lambda tree, x: (network.apply(tree, x, method=lambda n, x: n.encoder(x)), network.apply(tree, x)))
    maps, outputs = both(tree, image)
    wanted = torch_head(state, [torch.tensor(np.array(x)).permute(0, 3, 1, 2) for x in maps], size)
    assert wanted.std() > 0.01
    np.testing.assert_allclose(outputs.logits, wanted.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-5 * wanted.abs().max())


def test_every_array_of_the_file_has_its_place(read):
    state, _, variables = read
    ours = to_torch(variables, network_parts(variables))
    unused = {"backbone.mask_token", *(name for name in state if "refinenet4.resConfUnit1" in name)}
    assert sum(value.size for value in ours.values()) == sum(
        value.numel() for name, value in state.items() if name not in unused
    )
    np.testing.assert_array_equal(
        ours["models.segmentation.output_conv.2.weight"], state["head.scratch.output_conv.2.weight"]
    )
    np.testing.assert_array_equal(ours["models.encoder.encoder.cls_token"], state["backbone.cls_token"])


def test_the_head_reads_one_layer():
    with pytest.raises(ValueError, match="reads one layer"):
        make_network(**OPTIONS | {"head_layers": (8, 9)})
