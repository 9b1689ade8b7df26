"""Every format says what the network says, where this package cannot be imported, too: by the scripts of the page."""

import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

import sde_seg_jax as sds
from sde_seg_jax.experiment.export.export import Options, export
from sde_seg_jax.experiment.export.record import record_path
from sde_seg_jax.experiment.export.samples import generated

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "export.md"
SCRIPTS = re.findall(r"^### (\w+)\n.*?^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
FILES = {"ONNX": "model.onnx", "StableHLO": "model.stablehlo", "SavedModel": "saved_model", "LiteRT": "model.tflite"}


def test_the_page_has_a_script_for_every_format():
    assert [name for name, _ in SCRIPTS] == list(FILES)


@pytest.mark.parametrize(("name", "script"), SCRIPTS, ids=list(FILES))
def test_a_file_says_what_the_network_says_where_the_package_is_missing(name, script, checkpoint, blocked, tmp_path):
    model = sds.load(checkpoint("multitask_supervised"))
    (image,) = generated(model.size, 1)
    Image.fromarray(image).save(tmp_path / "street.png")
    path = tmp_path / FILES[name]
    done = export(checkpoint("multitask_supervised"), str(path), Options())
    told = blocked(script)
    expected = model.predict(image)
    ids = (np.asarray(Image.open(tmp_path / "classes.png"))[:, :, None] == np.array(model.space.colors)).all(-1)
    assert np.mean(ids[np.arange(64)[:, None], np.arange(64), expected.classes]) > 0.999
    shares = dict(line.rsplit(": ", 1) for line in told.splitlines())
    assert list(shares) == list(model.classes)
    most = np.bincount(expected.classes.ravel()).argmax()
    share = 100 * np.mean(expected.classes == most)
    assert float(shares[model.classes[most]].rstrip("%")) == pytest.approx(share, abs=0.2)
    assert len(np.unique(expected.classes)) > 3
    assert np.ptp(expected.disparity) > 0.1
    record = json.loads(record_path(path).read_text())
    assert record["check"]["probabilities_difference"] < 1e-4
    assert record["check"]["disparity_difference"] < 1e-4
    assert record["check"]["classes_equal"] > 0.999
    assert record["call"]["images"] == 1
    assert f"a call with one image takes {record['call']['milliseconds']:.3g} ms" in done.speed
    assert "100.000 % of the class ids equal" in done.comparison or record["check"]["classes_equal"] < 1
    again = sds.load(path).predict(image)  # the same file in place of the run
    np.testing.assert_allclose(again.stored_probabilities, expected.stored_probabilities, atol=1e-4)
    np.testing.assert_allclose(again.disparity, expected.disparity, atol=1e-4)
    assert again.space.classes == model.classes
