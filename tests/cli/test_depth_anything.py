"""Depth without a video: weights of Depth Anything V2 become a depth cache, directly and through cli.convert."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.experiment.weights.depth_anything import name_for, read_depth_anything
from sde_seg_jax.models.imagenet import MEAN, STD

transformers = pytest.importorskip("transformers", reason="make install brings it")

pytestmark = pytest.mark.slow

PATCH, GRID, BLOCKS, CHANNELS = 14, 3, 4, 384  # the channels tell which encoder it is
SIZE = (56, 84)
LEVEL = 1 / 65535


@pytest.fixture(scope="module")
def model():
    """A small Depth Anything with random weights."""
    backbone = transformers.Dinov2Config(
        hidden_size=CHANNELS,
        num_attention_heads=CHANNELS // 64,
        num_hidden_layers=BLOCKS,
        image_size=GRID * PATCH,
        patch_size=PATCH,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    sizes = {"neck_hidden_sizes": [4, 6, 8, 12], "fusion_hidden_size": 8, "head_hidden_size": 4}
    config = transformers.DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=CHANNELS, **sizes)
    torch.manual_seed(0)
    found = transformers.DepthAnythingForDepthEstimation(config).eval()
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if not name.startswith("backbone"):  # its own start gives maps of one value
                parameter.copy_(torch.randn(parameter.shape) * 0.3)
    return found


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "Depth-Anything-tiny"
    folder.mkdir()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


@pytest.fixture
def flags(tiny, tmp_path):
    return (tiny("depth"), f"--config.data.prepared_dir={tmp_path / 'prepared'}")


def sized(size):
    return (f"--config.data.size={size}", f"--config.data.crop={size}")


def predicted(model, image):
    """What PyTorch's network says of an image uint8 [H,W,3], over its maximum."""
    mean, std = (torch.tensor(v) for v in (MEAN, STD))
    seen = ((torch.tensor(image) / 255 - mean) / std).permute(2, 0, 1)[None]
    with torch.no_grad():
        depth = model(seen).predicted_depth[0].numpy()
    return depth / depth.max()


def cached(tmp_path, name):
    (folder,) = (tmp_path / "prepared" / "street_scenes").iterdir()
    facts = json.loads((folder / "disparity" / name / "train" / "cache.json").read_text())
    return open_source("street_scenes", tmp_path / "prepared", "train", name), facts


def test_a_cache_holds_what_transformers_predicts(command, flags, weights, model, tmp_path):
    status, out, err = command("cache_depth", *flags, *sized(SIZE), f"--checkpoint={weights}")
    assert status == 0, err
    assert out.splitlines()[-1] == "train with --config.data.depth_cache=Depth-Anything-tiny"
    source, facts = cached(tmp_path, "Depth-Anything-tiny")
    assert facts["model"]["encoder"] == "dinov2_vits14"
    assert facts["model"]["encoder_options"] == {"grid": GRID, "blocks": BLOCKS}
    for index in range(len(source)):
        found = source.read(index)
        wanted = predicted(model, found["image"])
        assert wanted.std() > 0.01
        # half a level of 16 bits, and float32 through four blocks
        np.testing.assert_allclose(found["disparity"] + 0.5 * LEVEL, wanted, atol=0.5 * LEVEL + 2e-5)


def test_images_of_another_size_are_seen_in_whole_patches(command, flags, weights, model, tmp_path):
    file = weights / "pytorch_model.bin"
    status, out, err = command("cache_depth", *flags, *sized((64, 64)), f"--checkpoint={file}")
    assert status == 0, err
    assert "the network sees images of 64x64 at 70x70, whole patches" in out
    source, _ = cached(tmp_path, "Depth-Anything-tiny")
    found = source.read(0)
    seen = cv2.resize(found["image"].astype(np.float32), (70, 70), interpolation=cv2.INTER_LINEAR)
    wanted = cv2.resize(predicted(model, seen), (64, 64), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found["disparity"], wanted, atol=1e-3)


def test_the_same_by_convert(command, flags, weights, tmp_path):
    small = ("--config=depth_anything:small", *sized(SIZE))
    options = {
        "encoder_options": {"blocks": BLOCKS, "grid": GRID},
        "decoder_options": {"features": 8, "reassembled": (4, 6, 8, 12), "hidden": 4, "output": "relative"},
    }
    own = tmp_path / "own.py"
    own.write_text(
        "import depth_anything\nfrom ml_collections import ConfigDict\n\n\ndef get_config():\n"
        "    c = depth_anything.get_config()\n"
        + "".join(f"    c.model.{key} = ConfigDict({value})\n" for key, value in options.items())
        + "    return c\n"
    )
    converted = tmp_path / "converted"
    status, _, err = command("convert", *small, f"--input={weights}", f"--workdir={tmp_path / 'no'}")
    assert status == 2
    assert "set model.decoder_options.features=8, reassembled=(4, 6, 8, 12), hidden=4" in err
    status, _, err = command("convert", f"--config={own}", *sized(SIZE), f"--input={weights}", f"--workdir={converted}")
    assert status == 0, err
    for checkpoint in (weights, converted):
        status, _, err = command("cache_depth", *flags, *sized(SIZE), f"--checkpoint={checkpoint}")
        assert status == 0, err
    direct, through = (cached(tmp_path, name)[0].read(0) for name in ("Depth-Anything-tiny", "converted"))
    np.testing.assert_array_equal(direct["disparity"], through["disparity"])


def test_weights_of_something_else_are_refused(refused, flags, tmp_path):
    np.savez(tmp_path / "resnet.npz", **{"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)})
    line = refused("cache_depth", *flags, f"--checkpoint={tmp_path / 'resnet.npz'}")
    assert "holds no depth network of Depth Anything V2 (it lacks 'cls_token of a DINOv2'); convert other" in line


def test_what_lies_beside_the_weights_says_which_blocks_are_read(weights, tmp_path):
    shutil.copytree(weights, tmp_path / "v1")
    (tmp_path / "v1" / "config.json").write_text('{"backbone_config": {"out_indices": [1, 2, 3, 4]}}')
    whole = read_depth_anything(str(tmp_path / "v1")).network.encoder
    assert whole.size.layers == (0, 1, 2, 3)
    (tmp_path / "v1" / "config.json").write_text('{"backbone_config": {"out_indices": [1, 3]}}')
    with pytest.raises(ValueError, match="needs 4 maps, and the encoder has 2"):
        read_depth_anything(str(tmp_path / "v1"))
    (tmp_path / "v1" / "config.json").write_text('{"depth_estimation_type": "metric"}')
    with pytest.raises(ValueError, match=r"is a metric model, which gives metres; take a relative one"):
        read_depth_anything(str(tmp_path / "v1"))
    (tmp_path / "v1" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json cannot be read"):
        read_depth_anything(str(tmp_path / "v1"))


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        ("hf://depth-anything/Depth-Anything-V2-Small-hf", "Depth-Anything-V2-Small-hf"),
        ("hf://depth-anything/Depth-Anything-V2-Small-hf/model.safetensors", "Depth-Anything-V2-Small-hf"),
        ("weights/depth_anything_v2_vits.pth", "depth_anything_v2_vits"),
        ("weights/folder", "folder"),
    ],
)
def test_a_cache_is_called_as_its_weights(checkpoint, name):
    assert name_for(checkpoint) == name
