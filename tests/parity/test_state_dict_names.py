"""Names and shapes of the published checkpoints, for every part that exists here."""

import json

import jax
import numpy as np
import pytest
from filled import shapes
from golden import full_dir

from sde_seg_jax.models.import_weights import network_parts, to_torch
from sde_seg_jax.models.network import make_network

DEC6 = {"decoder_channels": (64, 128, 128, 256, 256)}
DEC9 = {"decoder_channels": (64, 64, 128, 128, 256), "batch_norm": True}
DEC11 = {"decoder_channels": (16, 32, 64, 128, 256)}
DEPTH, SEGMENTATION = {"segmentation": False}, {"num_classes": 19, "depth": False, "pose": False}
PAD = {"num_classes": 19, "distillation_level": 2}
HEAD = {"head_layers": (8,), "head_stride": 2, "head_inter_channels": 64}

# file -> options of our network, the names' prefix, and what the file has that our network has not
JOINT = {
    "joint_master_sde_dec5_crop": (DEC6 | DEPTH, "imnet_encoder"),
    "joint_master_sde_dec6_crop": (DEC6 | DEPTH, "imnet_encoder"),
    "joint_ssda_sde_dec11": (DEC11 | DEPTH, "imnet_encoder"),
    "joint_master_exp210_transfer_dcompgt_resnet101_dec6": (DEC6 | SEGMENTATION, "unused"),
    "joint_ssda_exp260": (DEC6 | SEGMENTATION, "unused"),
    "joint_master_exp212_pad_resnet101_dec6": (DEC6 | PAD, "unused"),
    "joint_ssda_exp262": (DEC6 | PAD, "unused"),
    "joint_master_exp211_active_resnet50_dec9": (
        DEC9 | SEGMENTATION | HEAD | {"encoder": "resnet50", "depth": True},
        "unused",
    ),
}


def recorded(name: str) -> dict:
    folder = full_dir()
    if folder is None or not (folder / "state_dicts").is_dir():
        pytest.skip("no state_dicts beside the recordings here")
    entries = json.loads((folder / "state_dicts" / f"{name}.json").read_text())["entries"]
    return {key: tuple(shape) for key, shape in entries.items()}


def ours(options: dict) -> dict:
    network = make_network(**options)
    like = shapes(network, np.zeros((1, 64, 64, 3)), method="initialize")
    zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), like)
    return {k: v.shape for k, v in to_torch(zeros, network_parts(zeros)).items()}


@pytest.mark.parametrize("name", JOINT)
def test_joint_checkpoint(name):
    options, extra = JOINT[name]
    expected = {
        key: shape
        for key, shape in recorded(name).items()
        if extra not in key
        # heads that the published segmentation network owns without using them
        and not (("unet_dec" in key or "seg_dec" in key) and key.split("decoder.")[-1][:2] in ("14", "15", "16", "17"))
    }
    assert ours(options) == expected
