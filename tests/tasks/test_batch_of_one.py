"""Every task trains on single images, with image pooling, whose batch norm then sees one value a channel."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy

from sde_seg_jax.mixing import rule
from sde_seg_jax.mixing.apply import next_in_batch
from sde_seg_jax.models.aspp import ASPP
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.tasks import depth, semi_supervised, supervised
from sde_seg_jax.training import ema
from sde_seg_jax.training.step import make_step

CROSS_ENTROPY = {"cross_entropy": 1.0}
SELF_SUPERVISED = {"photometric": 1.0, "smoothness": 1e-3}
SGD = optax.sgd(0.1)


class Pooling(toy.Encoder):
    """The toy's encoder and, on it, an ASPP with image pooling."""

    def setup(self):
        self.aspp = ASPP(6, (1,))

    def __call__(self, image, train):
        return self.aspp(super().__call__(image, train), train=train, dropout=False)


def pooled(norm):
    """The variables of the batch norm behind the image pooling."""
    return norm["encoder"]["aspp"]["pooled"]["norm"]


def one_step(task, losses, **options):
    network = toy.Toy(encoder_type=Pooling)
    loss = task.make_loss(network, losses=losses, **options)
    frozen = {"depth": toy.variables(toy.Toy(), seed=5)}
    before = toy.state_of(network, SGD, teacher=task is semi_supervised, frozen=frozen)
    step = toy.fast_jit(make_step(loss, SGD, ema.update_rule("batch_stats")))
    return before, *step(before, toy.streams(1, labeled=[False]))


CASES = {
    "supervised": (supervised, CROSS_ENTROPY, {}),
    "depth": (depth, SELF_SUPERVISED, {}),
    "semi-supervised": (semi_supervised, CROSS_ENTROPY, {"depth_network": toy.Toy()}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_on_single_images_is_finite_and_moves_everything_but_the_pooled_variance(name):
    task, losses, options = CASES[name]
    before, after, logs = one_step(task, losses, **options)
    toy.assert_finite((logs, after.student, after.teacher))
    assert logs["gradient_norm"] > 0
    assert np.any(pooled(before.student.params)["bias"] != pooled(after.student.params)["bias"])
    assert np.any(pooled(before.student.batch_stats)["mean"] != pooled(after.student.batch_stats)["mean"])
    np.testing.assert_array_equal(pooled(after.student.batch_stats)["var"], 1)


def test_the_partner_of_a_single_image_is_itself():
    image = toy.batch(1).image
    np.testing.assert_array_equal(next_in_batch(image), image)


@pytest.mark.parametrize("mix", rule.names())
def test_mixing_leaves_a_single_image_as_it_is(mix):
    state = toy.state_of(toy.Toy(), SGD, teacher=True, frozen={"depth": toy.variables(toy.Toy(), seed=5)})
    options = {"mix": mix, "mix_margin": 0.03, "teacher": "ema_stats", "depth_network": toy.Toy()}
    mixer = toy.fast_jit(semi_supervised.make_mixing(toy.Toy(), **options))
    (pseudo, _), mixed, _, _ = mixer(state, toy.streams(1, labeled=[False]), jax.random.key(0))
    for before, after in zip(*map(jax.tree.leaves, (pseudo, mixed)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_real_network_has_a_finite_gradient_in_every_parameter():
    sizes = {"width": 4, "decoder_channels": (4, 4, 4, 4, 8), "aspp_rates": (1,), "dilate": (False, False, True)}
    network = make_network(num_classes=3, encoder="resnet18", pose=False, depth=False, **sizes)
    network = network.clone(encoder=network.encoder.clone(blocks=(1, 1, 1, 1)))
    start = initial_variables(network, 0, (32, 64))
    image = np.random.default_rng(0).random((1, 32, 64, 3), np.float32)

    def loss(params):
        variables = {"params": params, "batch_stats": start.batch_stats}
        outputs, changed = network.apply(variables, image, train=True, dropout=False, mutable=["batch_stats"])
        return jnp.mean(jnp.square(outputs.logits)), changed

    found, gradient = toy.fast_jit(jax.value_and_grad(loss, has_aux=True))(start.params)
    toy.assert_finite((found, gradient))
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.any(leaf), path
