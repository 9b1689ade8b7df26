"""Smaller number formats, derivatives, and the command that predicts with a file."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from PIL import Image

from sde_seg_jax.experiment.build import load_trained
from sde_seg_jax.experiment.export.checking import BOUNDS
from sde_seg_jax.experiment.export.export import Options, export
from sde_seg_jax.experiment.export.samples import generated
from sde_seg_jax.tasks.forward import predict

pytestmark = pytest.mark.slow


@pytest.fixture
def images(tmp_path):
    """A folder of images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(generated((70, 90), 6)):
        Image.fromarray(image).save(folder / f"{number}.png")
    return str(folder)


@pytest.mark.parametrize(
    ("file", "dtype"),
    [
        ("m.onnx", "float16"),
        ("m.onnx", "int8"),
        ("m.stablehlo", "bfloat16"),
        ("saved", "float16"),
        ("m.tflite", "float16"),
        ("m.tflite", "int8"),
    ],
)
def test_smaller_numbers_stay_within_their_bound_and_are_stored_so(file, dtype, checkpoint, images, tmp_path):
    sizes, differences = {}, {}
    for one in ("float32", dtype):
        options = Options(dtype=one, images=images, calibration=images if one == "int8" else "")
        (tmp_path / one).mkdir()
        done = export(checkpoint("multitask_supervised"), str(tmp_path / one / file), options)
        files = [done.path, *done.path.rglob("*")]
        sizes[one] = sum(path.stat().st_size for path in files if path.is_file())
        check = done.record["check"]
        assert done.record["dtype"] == one
        assert check["classes_equal"] >= BOUNDS[one].equal
        differences[one] = check["probabilities_difference"]
    if file.endswith("onnx") and dtype == "int8":
        kinds = {tensor.data_type for tensor in onnx.load(done.path).graph.initializer if np.prod(tensor.dims) > 1}
        assert onnx.TensorProto.INT8 in kinds
    assert sizes[dtype] < sizes["float32"]
    assert differences[dtype] > differences["float32"]


def test_a_stablehlo_file_carries_the_derivative_by_the_image(checkpoint, tmp_path):
    path = tmp_path / "m.stablehlo"
    export(checkpoint("depth"), str(path), Options(vjp_order=1, batch=1))
    file = jax.export.deserialize(bytearray(path.read_bytes()))
    image = jnp.asarray(generated((64, 64), 1)[0], jnp.float32)[None]
    gradient = jax.grad(lambda x: file.call(x)["disparity"].mean())(image)
    assert float(jnp.abs(gradient).max()) > 0
    trained = load_trained(checkpoint("depth"))
    own = jax.grad(lambda x: predict(trained.network, trained.variables, x / 255).disparity[0].mean())(image)
    scale = float(jnp.abs(own).max())
    np.testing.assert_allclose(gradient, own, rtol=1e-3, atol=1e-4 * scale)


def test_predict_takes_a_file_in_place_of_a_run(checkpoint, images, command, tmp_path):
    export(checkpoint("multitask_supervised"), str(tmp_path / "m.onnx"), Options())
    written = {}
    for name, source in (("run", checkpoint("multitask_supervised")), ("file", tmp_path / "m.onnx")):
        flags = (f"--checkpoint={source}", f"--input={images}", f"--output={tmp_path / name}", "--aspect=trained")
        status, out, err = command(*flags, name="predict")
        assert status == 0, err
        assert "6 image(s): " in out
        written[name] = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / name).glob("*_classes.png")}
    assert len(written["run"]) == 6
    for name, classes in written["run"].items():
        assert np.mean(written["file"][name] == classes) > 0.999
