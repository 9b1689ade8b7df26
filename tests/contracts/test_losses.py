"""Every loss with a `term` keeps one contract; the modules are found, so a new file is tested at once."""

import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sde_seg_jax.losses
from sde_seg_jax.types import IGNORE, Intrinsics, Outputs, View

NAMES = [m.name for m in pkgutil.iter_modules(sde_seg_jax.losses.__path__)]
TERMS = {
    name: module.term
    for name in NAMES
    if hasattr(module := importlib.import_module(f"sde_seg_jax.losses.{name}"), "term")
}
EVERY_TERM = pytest.mark.parametrize("term", TERMS.values(), ids=TERMS.keys())
BATCH, HEIGHT, WIDTH, CLASSES, SCALES = 2, 16, 24, 5, 4
KEY = jax.random.key(7)


def example(constant: bool = False) -> View:
    """Every field that a term may read; random, or constant images, disparities and features, at rest."""
    keys = iter(jax.random.split(KEY, 16))

    def values(*shape):
        return jnp.full(shape, 0.5) if constant else jax.random.uniform(next(keys), shape, minval=0.1, maxval=0.9)

    moved = jnp.eye(4).at[:3, 3].set(0.0 if constant else 0.05)
    return View(
        image=values(BATCH, HEIGHT, WIDTH, 3),
        sources=values(BATCH, 2, HEIGHT, WIDTH, 3),
        source_from_target=jnp.tile(moved, (BATCH, 2, 1, 1)),
        intrinsics=Intrinsics(*(jnp.full(BATCH, v) for v in (20.0, 20.0, 11.3, 7.8))),
        label=jax.random.randint(KEY, (BATCH, HEIGHT, WIDTH), 0, CLASSES).at[0, :4].set(IGNORE),
        outputs=Outputs(
            disparity=tuple(values(BATCH, HEIGHT >> s, WIDTH >> s, 1) for s in range(SCALES)),
            logits=values(BATCH, HEIGHT, WIDTH, CLASSES),
            intermediate_logits=values(BATCH, HEIGHT // 4, WIDTH // 4, CLASSES),
            bottleneck=values(BATCH, 2, 3, 8),
        ),
        reference_bottleneck=values(BATCH, 2, 3, 8),
        reference_disparity=values(BATCH, HEIGHT, WIDTH, 1),
    )


def perfect() -> View:
    """Nothing moves, nothing is rough, teachers are met, classes are certain."""
    view = example(constant=True)
    certain = 100 * jax.nn.one_hot(view.label, CLASSES)
    return view.replace(outputs=view.outputs.replace(logits=certain, intermediate_logits=certain))


def by_outputs(term, view):
    run = jax.jit(jax.value_and_grad(lambda outputs: term(view.replace(outputs=outputs), KEY)))
    return run(view.outputs)


def all_finite(tree):
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def test_terms_were_found():
    assert {"photometric", "smoothness", "cross_entropy", "feature_distance", "berhu"} <= set(TERMS)


@EVERY_TERM
@pytest.mark.parametrize("constant", [False, True], ids=["random", "constant"])
def test_value_is_a_nonnegative_scalar_with_finite_gradients(term, constant):
    value, gradient = by_outputs(term, example(constant))
    assert value.shape == ()
    assert np.isfinite(value)
    assert value >= -1e-4  # the noise that breaks ties may make a perfect error slightly negative
    assert all_finite(gradient)
    if not constant:
        assert any(leaf.any() for leaf in jax.tree.leaves(gradient))


@EVERY_TERM
def test_perfection_costs_nothing(term):
    value, _ = by_outputs(term, perfect())
    np.testing.assert_allclose(value, 0, atol=3e-5)  # 1e-5 noise breaks ties in the photometric term


@EVERY_TERM
def test_everything_ignored_is_finite(term):
    view = example()
    ignored = view.replace(label=jnp.full_like(view.label, IGNORE), weight=None)
    assert all_finite(by_outputs(term, ignored))


@EVERY_TERM
def test_ignored_and_weightless_pixels_are_inert(term):
    view = example()
    logits = view.outputs.logits
    shouting = view.outputs.replace(logits=logits.at[0, :4].set(50 * logits[0, :4]))
    term = jax.jit(term)
    np.testing.assert_array_equal(term(view, KEY), term(view.replace(outputs=shouting), KEY))
    weight = jnp.ones((BATCH, HEIGHT, WIDTH)).at[1, :4].set(0)
    weighted = view.replace(weight=weight)
    shouting = view.outputs.replace(logits=logits.at[1, :4].set(50 * logits[1, :4]))
    np.testing.assert_array_equal(term(weighted, KEY), term(weighted.replace(outputs=shouting), KEY))


@EVERY_TERM
def test_the_same_key_gives_the_same_value(term):
    view, term = example(), jax.jit(term)
    np.testing.assert_array_equal(term(view, KEY), term(view, KEY))
