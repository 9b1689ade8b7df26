"""g10: pseudo labels, the batch's confident fraction and the loss that uses both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import both_precisions, nchw, nhwc, recordings

from sde_seg_jax.losses.pseudo_label import confident_fraction, pseudo_label, pseudo_label_loss

RECORDED = recordings("g10_pseudo_label_loss")


@pytest.mark.parametrize("rec", RECORDED)
@both_precisions
def test_label_and_weight(rec, dtype):
    probability = jnp.asarray(nhwc(rec.input("softmax", dtype)))
    rec.assert_matches("pseudo_label", pseudo_label(probability))
    rec.assert_matches("weight", confident_fraction(probability))


@pytest.mark.parametrize("rec", RECORDED)
@pytest.mark.parametrize("name", ["logits", "logits_small"])
@both_precisions
def test_loss_and_gradient(rec, name, dtype):
    probability, logits = (jnp.asarray(nhwc(rec.input(k, dtype))) for k in ("softmax", name))
    consistency = rec.params["consistency_weight"]
    value, gradient = jax.value_and_grad(lambda x: consistency * pseudo_label_loss(x, probability))(logits)
    rec.assert_matches(f"loss_{name}", value)
    rec.assert_matches(f"grad_{name}", nchw(gradient))


@pytest.mark.parametrize("rec", RECORDED)
def test_threshold_itself_is_confident(rec):
    probability, logits = (jnp.asarray(nhwc(rec.input(k, np.float32))) for k in ("softmax_edge", "logits_edge"))
    rec.assert_matches("loss_edge_float32", rec.params["consistency_weight"] * pseudo_label_loss(logits, probability))
