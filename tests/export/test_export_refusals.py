"""What cannot be exported is told in one line with status 2, and nothing is left behind."""

import json

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.export import checking, formats, packages
from sde_seg_jax.experiment.export import export as exporting
from sde_seg_jax.experiment.prediction.exported import at_temperature, load_exported


@pytest.mark.parametrize(
    ("row", "output", "flags", "told"),
    [
        ("supervised", "model.pb", (), "'.pb' is no format; known: FILE.onnx"),
        ("supervised", "model.onnx", ("--outputs=clases",), "unknown output; did you mean 'classes'"),
        ("supervised", "model.onnx", ("--outputs=disparity",), "has no depth decoder; it has classes, probabilities"),
        ("depth", "model.onnx", ("--outputs=classes",), "has no segmentation decoder; it has disparity, depth"),
        ("supervised", "model.onnx", ("--size=60x64",), "--size=60x64: image of 60x64 does not fit"),
        ("supervised", "model.onnx", ("--size=64",), "--size=64: expected HEIGHTxWIDTH"),
        ("supervised", "model.onnx", ("--input_size=0x9",), "--input_size=0x9: expected HEIGHTxWIDTH"),
        ("supervised", "model.onnx", ("--batch=-1",), "--batch=-1: give a number of images, or 0"),
        ("supervised", "model.onnx", ("--dtype=bfloat16",), "--dtype=bfloat16: onnxruntime has no convolution"),
        ("supervised", "model.onnx", ("--dtype=int8",), "needs --calibration=DIR"),
        ("supervised", "model.onnx", ("--calibration=x",), "--calibration is for --dtype=int8"),
        (
            "supervised",
            "model.onnx",
            ("--dtype=int8", "--calibration=nowhere"),
            "--calibration=nowhere: no such folder",
        ),
        ("supervised", "model", ("--dtype=int8", "--calibration=x"), "jax does not quantise"),
        ("supervised", "model.tflite", ("--input_size=any",), "--input_size=any: a .tflite file takes one size"),
        ("supervised", "model.onnx", ("--vjp_order=1",), "--vjp_order is for FILE.stablehlo"),
        ("supervised", "model.onnx", ("--images=nowhere",), "--images=nowhere: no such folder"),
        ("supervised", "model.onnx", ("--weights=teacher",), "has no teacher; use --weights=student"),
    ],
)
def test_bad_input_is_one_line(row, output, flags, told, checkpoint, command, tmp_path):
    status, _, err = command(f"--checkpoint={checkpoint(row)}", f"--output={tmp_path / output}", *flags)
    assert status == 2
    assert told in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced(checkpoint, command, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"mine")
    status, _, err = command(f"--checkpoint={checkpoint('depth')}", f"--output={tmp_path / 'model.onnx'}")
    assert (status, (tmp_path / "model.onnx").read_bytes()) == (2, b"mine")
    assert "exists already; delete it, or choose another name" in err


def test_a_missing_package_is_named_with_what_brings_it(monkeypatch):
    with pytest.raises(UsageError, match=r"--output=x needs the package nowhere_to_be.*pip install '.\[export\]'"):
        packages.needed("nowhere_to_be", "--output=x")


@pytest.fixture
def wrong(monkeypatch):
    """Writes files whose answers are the network's, changed by a function."""

    def call(change):
        read = formats.read
        monkeypatch.setattr(formats, "read", lambda path: lambda images: change(dict(read(path)(images))))

    return call


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: {**found, "disparity": found["disparity"] + 0.01}, "disparity difference 0.01 > 0.001"),
        (lambda found: {**found, "disparity": found["disparity"] * np.nan}, "values that are not finite"),
        (lambda found: {"disparity": found["disparity"][:, 1:]}, r"of shape [4, 63, 64] instead of [4, 64, 64]"),
    ],
)
def test_a_file_that_says_something_else_is_not_left_behind(change, told, wrong, checkpoint, command, tmp_path):
    wrong(change)
    status, _, err = command(f"--checkpoint={checkpoint('depth')}", f"--output={tmp_path / 'm.stablehlo'}")
    assert status == 2
    assert told in err
    assert list(tmp_path.iterdir()) == []


def test_differences_are_counted_by_hand():
    expected = {"classes": np.array([[[0, 1], [2, 2]]]), "depth": np.full((1, 2, 2), 4.0)}
    found = {"classes": np.array([[[0, 1], [2, 0]]]), "depth": np.full((1, 2, 2), 5.0)}
    assert checking.compare(found, expected) == {"classes_equal": 0.75, "depth_difference": 0.25}
    with pytest.raises(UsageError, match=r"share of equal classes 0.7500 < 0.999"):
        checking.require({"classes_equal": 0.75}, checking.BOUNDS["float32"])


@pytest.fixture
def written(checkpoint, tmp_path):
    """A depth network as StableHLO, for images of any size."""
    options = exporting.Options(input_size="any", outputs=("depth",))
    return exporting.export(checkpoint("depth"), str(tmp_path / "m.stablehlo"), options).path


def test_a_file_of_any_size_predicts_through_the_command(written, command, tmp_path):
    for name, size in (("a", (70, 90)), ("b", (64, 64))):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    flags = (f"--checkpoint={written}", f"--input={tmp_path}", f"--output={tmp_path / 'out'}")
    status, _, err = command(*flags, name="predict")
    assert status == 0, err
    with Image.open(tmp_path / "out" / "a_depth.png") as picture:
        assert picture.size == (90, 70)
    status, _, err = command(*flags, "--resolution=full", name="predict")
    assert status == 2
    assert "an exported file sees the whole image" in err


def test_a_file_has_no_feature_maps(written):
    with pytest.raises(UsageError, match=r"gives its outputs alone, no feature maps: load the run's folder"):
        load_exported(written).features(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("temperature", [1e-3, 0.5, 1.0, 20.0])
def test_a_temperature_of_probabilities_is_that_of_the_logits(temperature):
    logits = np.random.default_rng(0).normal(0, 3, (4, 5)).astype(np.float32)
    logits[0] = [-2000, 0, 1, 2, 3]  # a probability of zero at all of these

    def softmax(x):
        powers = np.exp(x - x.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    with np.errstate(all="raise", under="ignore"):
        found = at_temperature(softmax(logits), temperature)
    assert found.dtype == np.float32
    rounding = 1e-6 * max(1, 1 / temperature)  # of a logarithm, then divided
    np.testing.assert_allclose(found, softmax(logits / np.float32(temperature)), rtol=0, atol=rounding)


def test_a_file_without_its_record_or_with_a_damaged_one_is_told(written):
    record = written.with_name("m.stablehlo.json")
    found = json.loads(record.read_text())
    with pytest.raises(UsageError, match=r"holds the student: give --weights=student"):
        load_exported(written, "teacher")
    record.write_text(json.dumps({**found, "size": "large"}))
    with pytest.raises(ValueError, match=r"m.stablehlo.json is damaged \(at size"):
        load_exported(written)
    record.unlink()
    with pytest.raises(UsageError, match=r"m.stablehlo.json is missing, which tells classes and sizes"):
        load_exported(written)
    written.write_bytes(b"nothing")
    record.write_text(json.dumps(found))
    with pytest.raises(UsageError, match=r"is no file of jax.export"):
        load_exported(written)
