"""The parts of an exported function: resizing, plain operations, number formats."""

import cv2
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sde_seg_jax.experiment.build import load_trained
from sde_seg_jax.experiment.export import onnx, onnx_any_size
from sde_seg_jax.experiment.export.graph import make_graph
from sde_seg_jax.experiment.export.plain import plain
from sde_seg_jax.experiment.export.resizing import resize_area
from sde_seg_jax.models.layers import elu
from sde_seg_jax.models.max_pool import max_pool
from sde_seg_jax.models.padding import reflect

SIZE = (8, 12)
NETWORK = """<ir_version: 10, opset_import: ["" : 21]>
network (uint8[B,8,12,3] image) => (uint8[B,8,12,3] seen) { seen = Identity (image) }"""


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("size", [(16, 24), (17, 40), (8, 12), (5, 9), (1, 1)])
def test_resizing_inside_is_that_of_opencv(size):
    image = noise(2, *size, 3)
    expected = [cv2.resize(one, SIZE[::-1], interpolation=cv2.INTER_AREA) for one in image]
    found = np.asarray(resize_area(jnp.asarray(image), SIZE)).astype(int)
    assert np.abs(found - expected).max() <= 1


def test_resizing_takes_symbolic_sizes_in_jax_and_in_onnx():
    onnxruntime, package = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    shape = jax.export.symbolic_shape("b, h, w, 3")
    exported = jax.export.export(jax.jit(lambda x: resize_area(x, SIZE)))(jax.ShapeDtypeStruct(shape, jnp.uint8))
    model = onnx_any_size.before(package.parser.parse_model(NETWORK), "image", SIZE)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for size in ((17, 40), SIZE, (5, 9)):
        image = noise(2, *size, 3)
        expected = np.asarray(resize_area(jnp.asarray(image), SIZE))
        for found in (exported.call(image), session.run(None, {onnx.INPUT: image})[0]):
            assert np.abs(np.asarray(found).astype(int) - expected).max() <= 1  # a half may be rounded either way


def test_a_float_image_keeps_its_gradient():
    gradient = jax.grad(lambda x: resize_area(x, SIZE).sum())(jnp.ones((1, 16, 24, 3)))
    np.testing.assert_allclose(gradient, 0.25)


def test_plain_operations_give_the_same_numbers():
    """With all that the converters do not know: branches by device, gradients of one's own, calls."""
    kernel = jnp.asarray(np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32))

    @jax.jit
    def function(x):
        y = elu(reflect(max_pool(x), 1))
        y = lax.platform_dependent(y, cpu=lambda x: 2 * x, default=lambda x: x + x)
        return {"product": jnp.einsum("bhwi,io->bhwo", y, kernel), "max": jax.nn.relu(y).max(axis=(1, 2))}

    x = jnp.asarray(np.random.default_rng(2).normal(size=(2, 7, 8, 6)).astype(np.float32))
    found, expected = plain(function)(x), function(x)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-6)
    names = {equation.primitive.name for equation in jax.make_jaxpr(plain(function))(x).eqns}
    assert not names & {"cond", "platform_index", "custom_vjp_call", "custom_jvp_call", "dot_general"}


def test_a_number_format_reaches_every_convolution(checkpoint):
    graph = make_graph(load_trained(checkpoint("multitask_supervised")), dtype="bfloat16")
    program = jax.make_jaxpr(plain(graph.function))(jnp.zeros(graph.example_shape, jnp.uint8))
    convolutions = [one for one in program.eqns if one.primitive.name == "conv_general_dilated"]
    assert convolutions
    assert {str(value.aval.dtype) for one in convolutions for value in one.invars} == {"bfloat16"}
    assert {str(value.aval.dtype) for value in program.jaxpr.outvars} == {"uint8", "float32"}


def test_only_what_is_asked_for_is_in_the_graph(checkpoint):
    trained = load_trained(checkpoint("multitask_supervised"))
    counts = {}
    for name in ("classes", "disparity"):
        graph = make_graph(trained, outputs=(name,), size=(64, 96))
        program = jax.make_jaxpr(plain(graph.function))(jnp.zeros(graph.example_shape, jnp.uint8))
        (result,) = program.jaxpr.outvars
        assert result.aval.shape == (1, 64, 96)
        counts[name] = len(program.eqns)
    everything = make_graph(trained, outputs=("classes", "disparity"), size=(64, 96))
    both = jax.make_jaxpr(plain(everything.function))(jnp.zeros(everything.example_shape, jnp.uint8))
    assert max(counts.values()) < len(both.eqns)
