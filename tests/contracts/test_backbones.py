"""What every backbone module promises: a true declaration of its maps, finite gradients, moving statistics if any."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.models.backbones import backbone_modules, configured_encoder, make_encoder
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.maps import declared

MODULES = backbone_modules()
NAMES = sorted(MODULES)
FIRST_NAMES = sorted({module.__name__: name for name, module in reversed(MODULES.items())}.values())
QUICK = {"convnext_tiny": {"blocks": (1, 1, 1, 1)}, "dinov2_vits14": {"blocks": 4}}  # as many as compile in seconds
UNDILATED, DILATED = (False, False, False), (False, True, True)


def size_for(encoder):
    """An image of a few pixels of the coarsest map, that is no square."""
    step = declared(encoder).multiple
    return (2 * step, 3 * step)


def cases():
    takes = {name: "dilate" in inspect.signature(MODULES[name].make_encoder).parameters for name in NAMES}
    return [(name, dilate) for name in NAMES for dilate in ([UNDILATED, DILATED] if takes[name] else [UNDILATED])]


@pytest.mark.parametrize(("name", "dilate"), cases(), ids=str)
def test_declared_channels_and_strides_are_true(name, dilate):
    encoder = configured_encoder(name, {}, width=4, dilate=dilate)
    maps, (height, width) = declared(encoder), size_for(encoder)
    image = jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32)
    found, _ = jax.eval_shape(lambda x: encoder.init_with_output(jax.random.key(0), x), image)
    assert len(maps.channels) == len(maps.strides) == len(found)
    for features, channels, stride in zip(found, maps.channels, maps.strides, strict=True):
        assert features.shape == (1, height // stride, width // stride, channels)


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_training_step_has_finite_gradients_and_moves_statistics(name):
    encoder = make_encoder(name, width=4, **QUICK.get(name, {}))
    size = size_for(encoder)
    variables = initial_variables(encoder, 0, size, method=None)
    image = np.random.default_rng(0).random((2, *size, 3), np.float32)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def step(params):
        state = {"params": params, "batch_stats": variables.batch_stats}
        maps, updated = encoder.apply(state, image, train=True, mutable=["batch_stats"])
        # weighted: the mean of normalised tokens says nothing
        loss = sum((m * jnp.linspace(-1, 2, m.size).reshape(m.shape)).mean() + jnp.square(m).mean() for m in maps)
        return loss, updated.get("batch_stats", {})

    grads, stats = step(variables.params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 0, path
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), stats, variables.batch_stats)
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_evaluation_of_constant_image_is_finite(name):
    encoder = make_encoder(name, width=4, **QUICK.get(name, {}))
    size = size_for(encoder)
    variables = initial_variables(encoder, 0, size, method=None)
    state = {"params": variables.params, "batch_stats": variables.batch_stats}
    for features in jax.jit(encoder.apply)(state, np.zeros((1, *size, 3), np.float32)):
        assert np.isfinite(features).all()


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_its_first_layer_has_a_name_in_files_of_pytorch(name):
    if not hasattr(MODULES[name], "NAMES"):
        pytest.skip("it names none")
    encoder = make_encoder(name, width=4, **QUICK.get(name, {}))
    params = initial_variables(encoder, 0, size_for(encoder), method=None).params
    names = MODULES[name].NAMES
    assert names.first in params
    assert names.module((names.first,))


def test_unknown_backbone_lists_the_known():
    with pytest.raises(ValueError, match=r"did you mean 'resnet101'\? known: .*resnet18"):
        make_encoder("resnet_101")


def test_an_option_that_a_backbone_does_not_have_is_refused_by_name():
    with pytest.raises(ValueError, match=r"encoder_options: encoder 'resnet18' has no option 'drop_path'; it has none"):
        configured_encoder("resnet18", {"drop_path": 0.1}, width=4, dilate=UNDILATED)
