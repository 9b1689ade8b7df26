"""AdamW, weights that do not decay, and layer-wise learning rates: what PyTorch and the formulas say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from sde_seg_jax.training.optimizers import make_optimizer

PARAMS = {
    "encoder": {
        "block_0": {"fc1": {"kernel": np.full((2, 2), 1.0, np.float32), "bias": np.full(2, 2.0, np.float32)}},
        "block_1": {"ls1": {"gamma": np.full(2, 0.5, np.float32)}},
        "cls_token": np.full((1, 1, 2), 3.0, np.float32),
        "norm": {"scale": np.full(2, 1.5, np.float32)},
    },
    "depth_decoder": {"conv": {"kernel": np.full((1, 1, 2, 1), -1.0, np.float32)}},
}
NONE = {"clip": None, "weight_decay": 0.0}


def steps_of(gradients, **options):
    transform, params = make_optimizer(PARAMS, **options).transform, PARAMS
    state = transform.init(params)
    update = jax.jit(transform.update)
    for gradient in gradients:
        change, state = update(gradient, state, params)
        params = optax.apply_updates(params, change)
    return params


def test_adamw_is_that_of_pytorch():
    rng = np.random.default_rng(0)
    gradients = [jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), PARAMS) for _ in range(4)]
    found = steps_of(gradients, name="adamw", learning_rate=0.1, weight_decay=0.3, clip=None)
    tensors = [torch.tensor(leaf, requires_grad=True) for leaf in jax.tree.leaves(PARAMS)]
    optimizer = torch.optim.AdamW(tensors, lr=0.1, weight_decay=0.3)
    for gradient in gradients:
        for tensor, g in zip(tensors, jax.tree.leaves(gradient), strict=True):
            tensor.grad = torch.tensor(g)
        optimizer.step()
    for ours, theirs in zip(jax.tree.leaves(found), tensors, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_only_kernels_decay_where_it_is_asked(name):
    zero = jax.tree.map(jnp.zeros_like, PARAMS)
    options = {"name": name, "learning_rate": 0.5, "weight_decay": 0.1, "clip": None}
    found = steps_of([zero], **options, decay_mask="kernels")
    expected = jax.tree_util.tree_map_with_path(lambda path, p: p * 0.95 if path[-1].key == "kernel" else p, PARAMS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)
    every = steps_of([zero], **options)
    jax.tree.map(lambda a, p: np.testing.assert_allclose(a, 0.95 * p, rtol=1e-6), every, PARAMS)


def test_earlier_layers_learn_slower():
    ones = jax.tree.map(jnp.ones_like, PARAMS)
    found = steps_of([ones], learning_rate=1.0, layer_decay=0.5, module_rates={"encoder": 0.1}, **NONE)
    change = jax.tree.map(lambda a, p: float(np.asarray(p - a).ravel()[0]), found, PARAMS)
    encoder = change["encoder"]
    assert encoder["cls_token"] == pytest.approx(0.1 * 0.5**3, rel=1e-4)
    assert encoder["block_0"]["fc1"]["kernel"] == pytest.approx(0.1 * 0.5**2, rel=1e-4)
    assert encoder["block_1"]["ls1"]["gamma"] == pytest.approx(0.1 * 0.5, rel=1e-4)
    assert encoder["norm"]["scale"] == pytest.approx(0.1, rel=1e-4)
    assert change["depth_decoder"]["conv"]["kernel"] == pytest.approx(1.0, rel=1e-4)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"unknown optim\.decay_mask 'kernel'; known: all, kernels"):
        make_optimizer(PARAMS, decay_mask="kernel")
    with pytest.raises(ValueError, match=r"layer_decay=0\.9 needs an encoder of numbered blocks"):
        make_optimizer({"encoder": {"layer1_0": {"kernel": np.ones(2)}}}, layer_decay=0.9)
