"""A loss term may have options of its own in the configuration, beside its weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.experiment.check import check_loss
from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.tasks.loss_terms import split, terms
from sde_seg_jax.types import Outputs, View


def imitation():
    """A disparity that is wrong in the lowest of four rows alone."""
    reference = jnp.full((1, 4, 6, 1), 0.5)
    return View(image=None, outputs=Outputs(disparity=(reference.at[:, 3].set(0.9),)), reference_disparity=reference)


def test_an_option_reaches_the_term_and_its_weight_scales_it():
    key = jax.random.key(0)
    plain, logs = terms({"berhu": 2.0}, imitation(), key)
    assert plain == 2 * logs["berhu"]
    total, logs = terms({"berhu": {"weight": 2.0, "bottom": 0.0}}, imitation(), key)
    np.testing.assert_allclose(total, 2 * logs["berhu"])
    assert logs["berhu"] > 0
    assert terms({"berhu": {"weight": 2.0, "bottom": 0.25}}, imitation(), key)[0] == 0  # that row is masked


def test_a_weight_alone_is_a_term_without_options():
    assert split({"a": 1.0, "b": {"weight": 0.1, "bottom": 0.2}}) == ({"a": 1.0, "b": 0.1}, {"b": {"bottom": 0.2}})


@pytest.mark.parametrize(
    ("name", "value"), [("berhu", 0.1), ("berhu", {"weight": 0.1, "bottom": 0.2}), ("smoothness", {"weight": 1e-3})]
)
def test_what_a_configuration_may_say_of_a_term(name, value):
    assert check_loss(name, value) is None  # others are refused, below


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("berhu", {"weight": 0.1, "botom": 0.2}, "unknown key 'config.losses.berhu.botom': did you mean 'bottom'?"),
        ("berhu", {"bottom": 0.2}, "config.losses.berhu lacks 'weight'"),
        ("berhu", "0.1", "config.losses.berhu='0.1': expected a weight, or {'weight': 1.0, option: value}"),
        ("photometric", {"weight": 1.0, "tie_break": 0.0}, "unknown key 'config.losses.photometric.tie_break': known"),
    ],
)
def test_what_a_term_does_not_have_is_an_error_that_names_the_nearest(name, value, message):
    with pytest.raises(UsageError) as error:
        check_loss(name, value)
    assert message in str(error.value)


def test_a_term_that_reads_what_the_task_lacks_says_so():
    segmentation = View(image=jnp.zeros((1, 4, 6, 3)), outputs=Outputs(logits=jnp.zeros((1, 4, 6, 3))))
    with pytest.raises(ValueError, match=r"'smoothness' failed .* no sources, .* outputs.disparity.*: leave"):
        terms({"smoothness": 1.0}, segmentation, jax.random.key(0))
