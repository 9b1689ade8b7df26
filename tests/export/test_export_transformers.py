"""A transformer is exported as a ResNet is, for any number of images; what a converter raises is told in one line."""

import pytest

from sde_seg_jax.experiment.build import load_trained
from sde_seg_jax.experiment.export import export as exporting
from sde_seg_jax.experiment.export import graph

SMALL = {
    "model.width": "4",
    "model.encoder_options.blocks": "4",
    "model.encoder_options.grid": "3",
    "model.decoder": "dpt",
    "model.decoder_options.features": "8",
    "model.decoder_options.reassembled": "(4,6,8,12)",
    "model.decoder_options.hidden": "4",
}
PATCHES = {"dinov2_vits14": "(56,28)", "dinov2_vits14_reg": "(56,28)", "dinov3_vits16": "(32,64)"}  # no stored grid


@pytest.fixture
def transformer(checkpoint):
    """transformer(encoder) -> the workdir of an untrained one with two decoders."""

    def call(encoder):
        size = {"data.size": PATCHES[encoder], "data.crop": PATCHES[encoder]}
        return checkpoint("multitask", **{"model.encoder": encoder, **size, **SMALL})

    return call


@pytest.mark.parametrize(
    ("encoder", "name", "batch"),
    [
        ("dinov2_vits14", "model.onnx", 0),
        pytest.param("dinov2_vits14_reg", "model.onnx", 1, marks=pytest.mark.slow),
        ("dinov3_vits16", "model.onnx", 0),
        ("dinov2_vits14", "model.stablehlo", 0),
        pytest.param("dinov3_vits16", "model.stablehlo", 0, marks=pytest.mark.slow),
        pytest.param("dinov2_vits14", "saved_model", 0, marks=pytest.mark.slow),
    ],
)
def test_a_transformer_says_in_a_file_what_it_says_here(encoder, name, batch, transformer, tmp_path):
    options = exporting.Options(batch=batch, input_size="any" if name == "model.stablehlo" else "")
    done = exporting.export(transformer(encoder), str(tmp_path / name), options)
    check = done.record["check"]
    assert done.record["outputs"].keys() == {"classes", "probabilities", "disparity"}
    assert check["classes_equal"] > 0.999
    assert max(check["probabilities_difference"], check["disparity_difference"]) < 1e-4


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("m.stablehlo", "jax.export cannot convert this network (no such thing): give --batch=1 and a fixed"),
        ("saved_model", "jax2tf cannot convert this network (no such thing): give --batch=1 and a fixed"),
        ("m.onnx", "jax2onnx cannot convert this network (no such thing): export FILE.stablehlo"),
    ],
)
def test_what_a_converter_raises_is_one_line(name, told, checkpoint, command, tmp_path, monkeypatch):
    def refuse(image):
        raise TypeError("no such\nthing")

    one = graph.make_graph(load_trained(checkpoint("depth")))
    wrong = graph.Graph(refuse, one.outputs, one.size, one.input_size, one.batch, one.dtype)
    monkeypatch.setattr(exporting, "make_graph", lambda *arguments, **options: wrong)
    status, _, err = command(f"--checkpoint={checkpoint('depth')}", f"--output={tmp_path / name}")
    assert (status, len(err.splitlines())) == (2, 1)
    assert told in err
    assert list(tmp_path.iterdir()) == []
