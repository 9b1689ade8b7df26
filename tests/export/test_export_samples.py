"""Which images a written file is compared on."""

import types

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from sde_seg_jax.experiment.export import samples

TRAINED = types.SimpleNamespace(config=ConfigDict({"data": {"dataset": "camvid", "size": (8, 12)}}))


@pytest.fixture
def folder(tmp_path):
    """A folder with a gray image."""
    Image.fromarray(np.full((8, 12, 3), 7, np.uint8)).save(tmp_path / "a.png")
    return str(tmp_path)


def test_validation_images_come_before_those_that_calibrate(folder, monkeypatch):
    held_out = np.zeros((4, 8, 12, 3), np.uint8)
    opened = types.SimpleNamespace(examples=lambda fields, count: types.SimpleNamespace(image=held_out[:count]))
    monkeypatch.setattr(samples, "open_streams", lambda config: opened)
    images, what = samples.sample_images(TRAINED, "", folder)
    assert what == "validation images of camvid"
    assert not np.any(images)
    assert samples.sample_images(TRAINED, folder, "")[1] == f"images of {folder}"


def test_images_that_calibrate_come_before_generated_ones(folder, monkeypatch):
    def missing(config):
        raise ValueError("not prepared")

    monkeypatch.setattr(samples, "open_streams", missing)
    (image,), what = samples.sample_images(TRAINED, "", folder)
    assert np.all(image == 7)
    assert what == f"images that calibrated it ({folder})"
    assert samples.sample_images(TRAINED, "")[1] == "generated images"
