"""Weights of DINOv3 as timm names them, with and without biases of queries and values, fit key by key."""

import re

import jax
import numpy as np
import pytest

from sde_seg_jax.models.import_weights import encoder_part, to_torch
from sde_seg_jax.models.vit import make_encoder
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.models.weight_modules import module_from_torch
from sde_seg_jax.types import Variables

CHANNELS = 24


@pytest.fixture(scope="module")
def ours():
    """Random parameters of a small DINOv3; keys have no bias."""
    encoder = make_encoder("dinov3_vits16", width=4, blocks=4)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))["params"]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: rng.standard_normal(x.shape).astype(np.float32), shapes)
    for name in params:
        if name.startswith("block_"):
            params[name]["qkv"]["bias"][CHANNELS : 2 * CHANNELS] = 0
    return Variables(params, {})


def timms(variables, biases):
    """timm's names of the same arrays."""
    state = to_torch(variables, [encoder_part((), "", variables)])
    found = {}
    for name, value in state.items():
        name = re.sub(r"ls(\d)\.gamma", r"gamma_\1", name.replace("register_tokens", "reg_token"))
        if not name.endswith("qkv.bias"):
            found[name] = value
        elif biases:
            query, _, values = np.split(value, 3)
            found |= {name.replace("qkv.bias", "q_bias"): query, name.replace("qkv.bias", "v_bias"): values}
    return found


@pytest.mark.parametrize("biases", [True, False], ids=["qkvb", "without"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_timms_names_of_dinov3_are_read(ours, biases, prefix, tmp_path):
    state = timms(ours, biases)
    assert {"reg_token", "blocks.3.gamma_2", "blocks.0.attn.qkv.weight"} <= set(state)
    np.savez(tmp_path / "dinov3.npz", **{prefix + name: value for name, value in state.items()})
    found = module_from_torch(read_state(tmp_path / "dinov3.npz"), "encoder", ours)
    wanted = ours.params
    if not biases:
        zero = lambda tree: {**tree, "bias": np.zeros_like(tree["bias"])}  # noqa: E731
        wanted = {k: {**v, "qkv": zero(v["qkv"])} if "qkv" in v else v for k, v in wanted.items()}
    jax.tree.map(np.testing.assert_array_equal, found.params, wanted)
