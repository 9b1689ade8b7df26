"""Model FLOPs against counts by hand."""

import dataclasses

import flops
import jax
import jax.numpy as jnp
import pytest
from cases import SETTINGS
from flops import Flops, model_flops
from jax import lax

from sde_seg_jax.models.dilated import dilated_convolution
from sde_seg_jax.models.resnet import make_encoder


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def convolution(stride=1, margin=0, dilation=1, groups=1):
    return lambda x, kernel: lax.conv_general_dilated(
        x, kernel, (stride, stride), [(margin, margin)] * 2, rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("image", "kernel", "options", "by_hand"),
    [  # 2 x batch x output height x width x taps x input channels of a group x output channels
        ((2, 10, 12, 3), (3, 3, 3, 5), {"margin": 1}, 2 * 2 * 10 * 12 * 9 * 3 * 5),
        ((2, 10, 12, 3), (3, 3, 3, 5), {}, 2 * 2 * 8 * 10 * 9 * 3 * 5),
        ((2, 10, 12, 3), (1, 1, 3, 5), {"stride": 2}, 2 * 2 * 5 * 6 * 3 * 5),
        ((2, 10, 12, 3), (3, 3, 3, 5), {"stride": 2, "margin": 1}, 2 * 2 * 5 * 6 * 9 * 3 * 5),
        ((1, 9, 11, 4), (3, 3, 4, 6), {"stride": 2, "margin": 1}, 2 * 5 * 6 * 9 * 4 * 6),  # odd: the last row counts
        ((1, 16, 20, 3), (7, 7, 3, 8), {"stride": 2, "margin": 3}, 2 * 8 * 10 * 49 * 3 * 8),
        ((1, 10, 12, 4), (3, 3, 4, 6), {"margin": 4, "dilation": 4}, 2 * 10 * 12 * 9 * 4 * 6),
        ((1, 16, 16, 4), (3, 3, 2, 6), {"margin": 1, "groups": 2}, 2 * 16 * 16 * 9 * 2 * 6),
        ((1, 16, 16, 4), (3, 3, 2, 6), {"stride": 2, "margin": 2, "dilation": 2, "groups": 2}, 2 * 8 * 8 * 9 * 2 * 6),
    ],
)
def test_a_convolution_and_both_its_gradients_cost_what_the_textbook_says(image, kernel, options, by_hand):
    convolve = convolution(**options)
    x, weights = shape(*image), shape(*kernel)
    y = jax.eval_shape(convolve, x, weights)
    assert model_flops(convolve, x, weights) == Flops(by_hand, 0)
    to_image = lambda weights, dy: jax.linear_transpose(lambda x: convolve(x, weights), x)(dy)  # noqa: E731
    to_kernel = lambda x, dy: jax.linear_transpose(lambda w: convolve(x, w), weights)(dy)  # noqa: E731
    assert model_flops(to_image, weights, y) == Flops(by_hand, 0)
    assert model_flops(to_kernel, x, y) == Flops(by_hand, 0)


def test_the_kernel_gradient_of_a_dilated_convolution_costs_the_same_as_a_product():
    x, kernel = shape(2, 12, 16, 6), shape(3, 3, 6, 4)
    convolve = lambda x, kernel: dilated_convolution(x, kernel, 3)  # noqa: E731
    forward = 2 * 2 * 12 * 16 * 9 * 6 * 4
    backward = lambda x, kernel, dy: jax.vjp(convolve, x, kernel)[1](dy)  # noqa: E731
    assert model_flops(backward, x, kernel, shape(2, 12, 16, 4)) == Flops(forward, forward)


def test_a_kernel_larger_than_the_map_is_not_work_beyond_the_map():
    """On 2x2 pixels each output meets each input, not nine taps."""
    assert model_flops(convolution(margin=1), shape(1, 2, 2, 1), shape(3, 3, 1, 1)) == Flops(2 * 4 * 4, 0)


def test_a_matrix_product_costs_its_result_times_the_contracted_axes():
    product = lambda a, b: jnp.einsum("bij,bjk->bik", a, b)  # noqa: E731
    assert model_flops(product, shape(5, 2, 3), shape(5, 3, 4)) == Flops(0, 2 * 5 * 2 * 3 * 4)


SQUARE = shape(4, 4)
ONCE = 2 * 4**3


def test_parts_inside_of_other_operations_count_as_often_as_they_run():
    turns = lambda n: lambda a: lax.scan(lambda x, _: (x @ a, None), a, None, length=n)[0]  # noqa: E731
    twice = lambda a: lax.scan(lambda x, _: (turns(3)(x), None), a, None, length=2)[0]  # noqa: E731
    assert model_flops(turns(7), SQUARE).products == 7 * ONCE
    assert model_flops(twice, SQUARE).products == 6 * ONCE
    assert model_flops(jax.jit(lambda a: jax.jit(jnp.dot)(a, a)), SQUARE).products == ONCE
    assert model_flops(lambda a: lax.fori_loop(0, 5, lambda i, x: x @ a, a), SQUARE).products == 5 * ONCE


def test_of_branches_the_costliest_counts():
    choose = lambda a: lax.cond(a[0, 0] > 0, lambda: a @ a @ a, lambda: a @ a)  # noqa: E731
    assert model_flops(choose, SQUARE).products == 2 * ONCE


def test_a_loop_of_unknown_length_is_refused_if_it_multiplies_matrices():
    multiply = lambda a: lax.while_loop(lambda x: x[0, 0] < 1, lambda x: x @ a, a)  # noqa: E731
    with pytest.raises(ValueError, match=r"while holds .* how often they run is not known; write .* lax.scan"):
        model_flops(multiply, SQUARE)
    assert model_flops(lambda a: lax.while_loop(lambda x: x[0, 0] < 1, lambda x: x + a, a) @ a, SQUARE).products == ONCE


def test_what_no_output_depends_on_counts_nothing():
    both = jax.jit(lambda a: (a @ a, a @ a @ a))
    assert model_flops(lambda a: both(a)[0], SQUARE).products == ONCE
    assert model_flops(both, SQUARE).products == 3 * ONCE


def test_rematerialisation_is_counted_where_it_stands_and_left_out_of_a_step():
    ahead = lambda a, remat: jnp.sum((jax.checkpoint(lambda x: jnp.sin(x @ x) @ x) if remat else plain)(a))  # noqa: E731
    plain = lambda x: jnp.sin(x @ x) @ x  # noqa: E731
    # two products, two gradients of each, and of the two products again the one inside of the sine
    assert model_flops(jax.value_and_grad(lambda a: ahead(a, False)), SQUARE).products == 6 * ONCE
    assert model_flops(jax.value_and_grad(lambda a: ahead(a, True)), SQUARE).products == 7 * ONCE
    setting = SETTINGS["tiny"]
    kept, again = (flops.step_flops("supervised", dataclasses.replace(setting, remat=r)) for r in (False, True))
    assert kept == again


# torchvision's ResNet-50 at 224x224: 4.09 GMAC by its documentation, 4,089,184,256 with the classifier's 2048 x 1000
IMAGE = shape(1, 224, 224, 3)
RESNET50 = 2 * (4_089_184_256 - 2048 * 1000)
FIRST = 2 * 112 * 112 * 7 * 7 * 3 * 64  # its first convolution
ZEROS = FIRST // 3  # of the fourth channel that `models.convolution` gives to images


def resnet50():
    """(function of parameters, statistics and image, shapes of the first two)."""
    encoder = make_encoder("resnet50")
    variables = jax.eval_shape(lambda: encoder.init(jax.random.key(0), jnp.zeros(IMAGE.shape)))

    def features(params, stats, image):
        variables = {"params": params, "batch_stats": stats}
        return encoder.apply(variables, image, train=True, mutable="batch_stats")[0][-1]

    return features, variables["params"], variables["batch_stats"]


def test_resnet50_takes_the_published_eight_gigaflops():
    assert model_flops(*resnet50(), IMAGE) == Flops(RESNET50 + ZEROS, 0)


def test_training_takes_three_times_the_forward_pass_less_the_gradient_to_the_image():
    features, *variables = resnet50()
    gradient = jax.grad(lambda *inputs: features(*inputs).sum())
    assert model_flops(gradient, *variables, IMAGE) == Flops(3 * RESNET50 - FIRST + 2 * ZEROS, 0)


def test_operations_are_counted_with_those_inside_of_others():
    find = jax.jit(lambda table, index: lax.scan(lambda s, i: (s + table[i].sum(), None), 0.0, index)[0])
    index = jax.ShapeDtypeStruct((3, 2), jnp.int32)
    assert flops.operations(jax.make_jaxpr(find)(shape(9), index).jaxpr)["gather"] == 3


def test_an_abstract_case_has_the_shapes_of_the_real_one():
    abstract = flops.abstract_case("semi_supervised", SETTINGS["tiny"])
    real = flops.make_case("semi_supervised", SETTINGS["tiny"])
    kinds = lambda case: jax.tree.map(lambda x: (x.shape, x.dtype), (case.state, case.streams))  # noqa: E731
    assert kinds(abstract) == kinds(real)
    assert {type(leaf) for leaf in jax.tree.leaves((abstract.state, abstract.streams))} == {jax.ShapeDtypeStruct}
