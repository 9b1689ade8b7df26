"""The multi-task network: what its gates start as, what they pass on, which logits come out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.models.pad import Distillation, Gate

SIZE = (64, 64)


def made(**options):
    network = make_network(
        num_classes=3,
        encoder="resnet18",
        width=4,
        dilate=(False, False, False),
        decoder_channels=(4, 4, 4, 8, 8),
        aspp_rates=(1, 2),
        pose=False,
        **options,
    )
    return network, initial_variables(network, 0, SIZE)


def outputs(**options):
    network, start = made(**options)
    image = jax.ShapeDtypeStruct((2, *SIZE, 3), np.float32)
    variables = {"params": start.params, "batch_stats": start.batch_stats}
    return jax.eval_shape(network.apply, variables, image)


def test_attention_starts_at_a_half():
    x = jnp.asarray(np.random.default_rng(0).random((1, 4, 4, 2), np.float32))
    gate = Gate()
    variables = gate.init(jax.random.key(0), x)
    assert not variables["params"]["attention"]["kernel"].any()
    passed = jax.lax.conv_general_dilated(
        x, variables["params"]["conv"]["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(gate.apply(variables, x), passed / 2, atol=1e-6)


def test_each_task_receives_what_the_other_passes_on():
    depth, segmentation = (jnp.full((1, 4, 4, 2), value) for value in (1.0, 2.0))
    exchange = Distillation(2)
    variables = exchange.init(jax.random.key(0), depth, segmentation)
    closed = {"params": variables["params"] | {"depth": jax.tree.map(jnp.zeros_like, variables["params"]["depth"])}}
    to_depth, to_segmentation = exchange.apply(closed, depth, segmentation)
    np.testing.assert_array_equal(to_segmentation, segmentation)  # depth's gate is closed
    assert np.abs(to_depth - depth).max() > 0


def test_parts_have_their_documented_names():
    _, start = made(distillation_level=2)
    assert set(start.params) == {"encoder", "depth_decoder", "segmentation", "distillation"}
    assert set(start.params["segmentation"]) == {"decoder", "classifier", "intermediate"}
    assert set(start.params["distillation"]) == {"depth", "segmentation"}


@pytest.mark.parametrize(("level", "size"), [(1, (32, 32)), (2, (16, 16)), (3, (8, 8))])
def test_the_side_output_has_the_size_of_the_level(level, size):
    found = outputs(distillation_level=level)
    assert found.logits.shape == (2, *SIZE, 3)
    assert found.intermediate_logits.shape == (2, *size, 3)
    assert [d.shape[1] for d in found.disparity] == [64, 32, 16, 8]


def test_an_output_stride_resizes_both_logits():
    found = outputs(distillation_level=2, head_stride=2)
    assert found.logits.shape == found.intermediate_logits.shape == (2, 32, 32, 3)


def test_without_side_output_there_are_no_intermediate_logits():
    assert outputs(distillation_level=2, side_output=False).intermediate_logits is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distillation_level": 0}, r"can exchange at levels 1 \(fine\) to 4"),
        ({"distillation_level": 2, "depth": False}, r"needs a depth and a segmentation decoder .* multitask task"),
    ],
)
def test_levels_and_parts_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)
