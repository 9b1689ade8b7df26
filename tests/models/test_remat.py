"""Gradient checkpointing changes what is kept between the passes, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network

SIZE = (32, 64)
SMALL = {
    "encoder": "resnet18",
    "width": 4,
    "dilate": (False, False, True),
    "decoder_channels": (4, 4, 4, 4, 4),
    "aspp_rates": (1, 2),
    "batch_norm": True,
    "num_classes": 3,
    "pose_width": 4,
    "pose_channels": 4,
}
PARTS = {"transfer": {}, "multi-task": {"distillation_level": 2}}


def pair(variant):
    """The same network without and with remat, of one block a layer, so that it compiles in seconds."""
    networks = (make_network(**SMALL, **PARTS[variant], remat=remat) for remat in (False, True))
    return [network.clone(encoder=network.encoder.clone(blocks=(1, 1, 1, 1))) for network in networks]


def loss(network, params, stats, image, key):
    """Training mode with dropout: (sum of squares, running statistics)."""
    variables = {"params": params, "batch_stats": stats}
    outputs, changed = network.apply(variables, image, train=True, rngs={"dropout": key}, mutable=["batch_stats"])
    maps = (outputs.logits, *outputs.disparity)
    return sum(jnp.mean(jnp.square(m)) for m in maps), changed["batch_stats"]


def differentiated(network, variables, key=0):
    image = np.random.default_rng(0).random((2, *SIZE, 3), np.float32)
    both = jax.value_and_grad(loss, argnums=1, has_aux=True)
    both = jax.jit(both, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
    return both(network, variables.params, variables.batch_stats, image, jax.random.key(key))


def assert_equal(a, b, **tolerance):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


@pytest.mark.parametrize("variant", PARTS)
def test_the_parameters_are_the_same_in_name_and_value(variant):
    stored, remat = (initial_variables(network, 0, SIZE) for network in pair(variant))
    assert_equal(stored, remat, rtol=0)


def test_loss_gradients_statistics_and_dropout_are_the_same():
    networks = pair("multi-task")
    variables = initial_variables(networks[0], 0, SIZE)
    (stored, stats), gradient = differentiated(networks[0], variables)
    (remat, remat_stats), remat_gradient = differentiated(networks[1], variables)
    # The same operations, fused differently: some roundings of 2^-24, through about 30 layers.
    assert_equal(stored, remat, rtol=1e-6)
    assert_equal(stats, remat_stats, rtol=1e-5, atol=1e-6)
    assert_equal(gradient, remat_gradient, rtol=1e-3, atol=1e-5)
    (_, other_stats), _ = differentiated(networks[1], variables, key=1)
    with pytest.raises(AssertionError):  # another dropout mask shows
        assert_equal(remat_stats, other_stats, rtol=1e-5, atol=1e-6)


def test_less_is_kept_between_the_passes():
    """What the linearised network holds: XLA's CPU compiler computes small things again by itself."""

    def kept(network):
        variables = initial_variables(network, 0, SIZE)
        image = jnp.zeros((2, *SIZE, 3))

        def forward(params):
            return loss(network, params, variables.batch_stats, image, jax.random.key(0))[0]

        _, pullback = jax.eval_shape(lambda params: jax.vjp(forward, params), variables.params)
        return sum(leaf.size for leaf in jax.tree.leaves(pullback))

    stored, remat = map(kept, pair("transfer"))
    assert remat < 0.7 * stored
