"""Splits that are prepared later join the finished ones."""

import pathlib

import pytest
from tiny_files import COUNT, SIZE, SPEC

from sde_seg_jax.data.preparing.prepare import metadata, prepare
from sde_seg_jax.data.reading.source import open_source


@pytest.fixture
def make(tmp_path):
    """make(splits) prepares into tmp_path/out; faults and the log of loads lie in tmp_path/faults."""
    (tmp_path / "faults").mkdir()

    def call(splits=None, where="out", **options):
        arguments = {"workers": 1, "folder": str(tmp_path / "faults")} | options
        return prepare(SPEC, prepared_dir=tmp_path / where, size=SIZE, splits=splits, **arguments)

    return call


def loads(tmp_path):
    path = tmp_path / "faults" / "loads"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_adding_a_split_equals_preparing_both_at_once(make, image_format, tmp_path):
    make(["val"], image_format=image_format)
    loads(tmp_path)
    folder = make()  # in the format that is there
    assert sorted(loads(tmp_path)) == sorted(f"train-{index}" for index in range(COUNT))
    found, expected = contents(folder), contents(make(where="both", image_format=image_format))
    assert found.keys() == expected.keys()
    # TFDS writes a map of its own into this one, in any order
    assert {name for name in found if found[name] != expected[name]} <= {"dataset_info.json", "metadata.json"}
    assert metadata(folder) == metadata(tmp_path / "both" / SPEC.name / SPEC.version)
    for split in ("train", "val"):
        assert open_source(SPEC, tmp_path / "out", split).read(COUNT - 1)["name"] == f"{split}_{COUNT - 1:03d}"


def test_the_finished_split_can_be_read_while_another_is_added(make, tmp_path):
    folder = make(["val"])
    before = contents(folder)
    (tmp_path / "faults" / "stop-train-20").touch()
    with pytest.raises(KeyboardInterrupt):
        make()
    assert contents(folder) == before
    assert len(open_source(SPEC, tmp_path / "out", "val")) == COUNT
    (tmp_path / "faults" / "stop-train-20").unlink()
    loads(tmp_path)
    make()
    assert 0 < len(loads(tmp_path)) < COUNT  # it continued
    assert [path.name for path in folder.parent.iterdir()] == [SPEC.version]


def test_adding_with_other_options_is_refused(make):
    make(["val"])
    with pytest.raises(ValueError, match=r"was prepared with options .*; delete that folder or choose another"):
        make(count=COUNT - 1)
