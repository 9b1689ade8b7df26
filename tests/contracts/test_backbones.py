"""What every backbone module promises: true strides and channels, finite gradients, moving statistics."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.models.backbones import backbone_modules, make_encoder
from sde_seg_jax.models.init import initial_variables

NAMES = sorted(backbone_modules())
FIRST_NAMES = sorted({module.__name__: name for name, module in reversed(backbone_modules().items())}.values())
UNDILATED, DILATED = (False, False, False), (False, True, True)


@pytest.mark.parametrize("dilate", [UNDILATED, DILATED], ids=["strided", "dilated"])
@pytest.mark.parametrize("name", NAMES)
def test_declared_channels_and_strides_are_true(name, dilate):
    encoder = make_encoder(name, width=4, dilate=dilate)
    image = jax.ShapeDtypeStruct((1, 64, 128, 3), jnp.float32)
    maps, _ = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x), image)
    assert len(encoder.channels) == len(encoder.strides) == len(maps) == 5
    assert encoder.strides[0] == 2, "decoders end with one upsampling to the image's size"
    for features, channels, stride in zip(maps, encoder.channels, encoder.strides, strict=True):
        assert features.shape == (1, 64 // stride, 128 // stride, channels)


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_training_step_has_finite_gradients_and_moves_statistics(name):
    encoder = make_encoder(name, width=4)
    variables = initial_variables(encoder, 0, (32, 64), method=None)
    image = np.random.default_rng(0).random((2, 32, 64, 3), np.float32)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def step(params):
        state = {"params": params, "batch_stats": variables.batch_stats}
        maps, updated = encoder.apply(state, image, train=True, mutable=["batch_stats"])
        return sum(jnp.square(m).mean() for m in maps), updated["batch_stats"]

    grads, stats = step(variables.params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 0, path
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), stats, variables.batch_stats)
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_evaluation_of_constant_image_is_finite(name):
    encoder = make_encoder(name, width=4)
    variables = initial_variables(encoder, 0, (32, 64), method=None)
    state = {"params": variables.params, "batch_stats": variables.batch_stats}
    for features in jax.jit(encoder.apply)(state, np.zeros((1, 32, 64, 3), np.float32)):
        assert np.isfinite(features).all()


def test_unknown_backbone_lists_the_known():
    with pytest.raises(ValueError, match=r"did you mean 'resnet101'\? known: .*resnet18"):
        make_encoder("resnet_101")
