"""g09: cross entropy with ignored pixels, weights and resizing; entropy; berHu."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.losses.berhu import berhu
from sde_seg_jax.losses.cross_entropy import cross_entropy, cross_entropy_map
from sde_seg_jax.selection.uncertainty import entropy
from sde_seg_jax.types import IGNORE

CROSS_ENTROPY = recordings("g09_cross_entropy2d")
OTHERS = recordings("g09_entropy_berhu")


def assert_with_gradient(rec, name, function, logits):
    value, gradient = jax.value_and_grad(function)(jnp.asarray(nhwc(logits)))
    rec.assert_matches(name, value)
    if f"out64.grad_{name}" in rec or f"out.grad_{name}" in rec:
        rec.assert_matches(f"grad_{name}", nchw(gradient))


@pytest.mark.parametrize("rec", CROSS_ENTROPY)
@pytest.mark.parametrize(
    ("name", "logits", "weighted"),
    [
        ("plain", "logits", False),
        ("pw", "logits", True),
        ("small", "logits_small", False),
        ("smallpw", "logits_small", True),
        ("odd", "logits_odd", False),
    ],
)
@both_precisions
def test_cross_entropy(rec, name, logits, weighted, dtype):
    label = jnp.asarray(rec["in.target"].astype(np.int32))
    weight = jnp.asarray(rec.input("pixel_weights", dtype)) if weighted else None
    assert_with_gradient(rec, name, lambda x: cross_entropy(x, label, weight), rec.input(logits, dtype))


@pytest.mark.parametrize("rec", CROSS_ENTROPY)
@both_precisions
def test_class_weights_are_pixel_weights_of_the_label(rec, dtype):
    """The published function's class weights, which no experiment uses, from our map and weights."""
    label = jnp.asarray(rec["in.target"].astype(np.int32))
    of_class = jnp.asarray(rec.input("class_weight", dtype))
    of_label = jnp.where(label == IGNORE, 0, of_class[jnp.clip(label, 0, len(of_class) - 1)])
    logits = rec.input("logits", dtype)
    mean = lambda x: (cross_entropy_map(x, label) * of_label).sum() / of_label.sum()  # noqa: E731
    assert_with_gradient(rec, "cw", mean, logits)
    both = of_label * jnp.asarray(rec.input("pixel_weights", dtype))
    assert_with_gradient(rec, "cwpw", lambda x: cross_entropy(x, label, both), logits)


@pytest.mark.parametrize("rec", CROSS_ENTROPY)
@both_precisions
def test_one_nan_weight_switches_weighting_off(rec, dtype):
    label = jnp.asarray(rec["in.target"].astype(np.int32))
    weight = rec.input("pixel_weights", dtype).copy()
    weight[0, 0, 0] = np.nan
    logits = jnp.asarray(nhwc(rec.input("logits", dtype)))
    rec.assert_matches("nanpw", cross_entropy(logits, label, jnp.asarray(weight)))


@pytest.mark.parametrize("rec", CROSS_ENTROPY)
@both_precisions
def test_all_ignored_is_zero_where_the_published_loss_is_nan(rec, dtype):
    label = jnp.asarray(rec["in.target_all_ignored"].astype(np.int32))
    logits = jnp.asarray(nhwc(rec.input("logits", dtype)))
    assert np.isnan(rec["out.allign"])
    value, gradient = jax.value_and_grad(cross_entropy)(logits, label)
    assert value == 0
    assert not gradient.any()
    rec.assert_matches("allignpw", cross_entropy(logits, label, jnp.asarray(rec.input("pixel_weights", dtype))))


@pytest.mark.parametrize("rec", OTHERS)
@both_precisions
def test_entropy(rec, dtype):  # not "norm1", stretched over the batch: nothing uses it
    value, pull = jax.vjp(entropy, jnp.asarray(nhwc(rec.input("logits", dtype))))
    rec.assert_matches("entropy_norm0", value)
    rec.assert_matches("grad_entropy_norm0", nchw(pull(rec.input("w_ent", dtype))[0]))


@pytest.mark.parametrize("rec", OTHERS)
@pytest.mark.parametrize("log", [0, 1])
@both_precisions
def test_berhu(rec, log, dtype):
    prediction, target, mask = (jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("pred", "target", "mask"))
    scale = jnp.log1p if log else lambda x: x
    value, gradients = jax.value_and_grad(lambda p, t: berhu(scale(p), scale(t), mask), (0, 1))(prediction, target)
    rec.assert_matches(f"berhu_log{log}", value)
    for name, gradient in zip(("pred", "target"), gradients, strict=True):
        rec.assert_matches(f"grad_berhu_{name}_log{log}", nchw(gradient))


@pytest.mark.parametrize("rec", OTHERS)
@both_precisions
def test_berhu_of_equal_maps_has_zero_gradient_where_the_published_one_is_nan(rec, dtype):
    prediction, mask = (jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("pred", "mask"))
    value, gradient = jax.value_and_grad(berhu)(prediction, prediction, mask)
    rec.assert_matches("berhu_equal", value)
    assert rec["out.grad_berhu_equal_isnan"]
    assert not gradient.any()
