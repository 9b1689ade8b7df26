"""Prepared tiny scenes, written once for all tests."""

import pytest
from tiny_scenes import SIZE, SPEC

from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.source import open_source


@pytest.fixture(scope="session")
def prepared_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    prepare(SPEC, prepared_dir=folder, size=SIZE, workers=1)
    return folder


@pytest.fixture(scope="session")
def source(prepared_dir):
    return open_source(SPEC, prepared_dir, "train")


@pytest.fixture
def faults(tmp_path):
    """The folder that a made data set reports to and takes orders from: which items fail, which were made."""
    folder = tmp_path / "faults"
    folder.mkdir()
    return folder
