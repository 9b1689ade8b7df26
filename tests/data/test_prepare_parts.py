"""Samples that lack something, bad samples, warnings, statistics: what becomes of them."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader
from tiny_files import SIZE, SPEC, read_space

from sde_seg_jax.data.preparing.prepare import metadata, prepare
from sde_seg_jax.data.preparing.samples import summarize
from sde_seg_jax.data.reading.source import open_source

ALL = ("neighbors", "label", "depth", "pose")


@pytest.fixture
def make(tmp_path, faults):
    def call(spec=SPEC, **options):
        arguments = {"workers": 1, "count": 12, "folder": str(faults)} | options
        return prepare(spec, prepared_dir=tmp_path / "out", size=SIZE, **arguments)

    return call


@pytest.mark.parametrize("absent", [("neighbors",), ("depth", "pose"), ("label",), ALL])
def test_a_split_may_lack_fields_that_another_has(make, tmp_path, absent):
    make(absent={"val": absent})
    assert open_source(SPEC, tmp_path / "out", "train").fields == ALL
    source = open_source(SPEC, tmp_path / "out", "val")
    assert source.fields == tuple(field for field in ALL if field == "label" or field not in absent)
    example = source.read(0)
    assert set(example) == {"image", "intrinsics", "name", "labeled", *source.fields}
    if "label" in absent:
        assert not source.labeled.any()
        assert set(example["label"].flat) == {SPEC.space.ignore}


@pytest.mark.parametrize("absent", [(), ("neighbors",), ("label",), ALL])
def test_tfds_reads_and_decodes_it_by_itself(make, absent):
    folder = make(absent={"val": absent}, image_format="png", skip_bad=True)
    builder = tfds.builder_from_directory(folder)
    for split in ("train", "val"):
        source = builder.as_data_source(split)
        assert len(source) == builder.info.splits[split].num_examples == 12
        found = source[11]
        assert found["image"].shape == (*SIZE, 3)
        lacks = absent if split == "val" else ()
        assert len(found["neighbors"]) == (0 if "neighbors" in lacks else 2)
        assert found["labeled"] == ("label" not in lacks)
        assert found["label"].shape == (*SIZE, 1)
        assert found["depth"].any() == ("depth" not in lacks)
        assert found["pose"].any() == ("pose" not in lacks)
        for path in builder.info.splits[split].filepaths:  # the other way that TFDS decodes
            reader = ArrayRecordReader(str(path))
            tensors = builder.info.features.deserialize_example(reader.read([reader.num_records() - 1])[0])
            reader.close()
            assert tensors["image"].shape == (*SIZE, 3)
        np.testing.assert_array_equal(tensors["image"], found["image"])


@pytest.mark.parametrize("field", ["neighbors", "depth", "pose"])
def test_a_field_that_only_some_samples_have_is_an_error_naming_one(make, faults, field):
    (faults / f"no_{field}-train-9").touch()
    with pytest.raises(ValueError, match=f"'train_009' in 'train': all samples of a split need {field}, or none"):
        make()


def test_the_classes_of_the_raw_files_are_stored(make, tmp_path):
    spec = dataclasses.replace(SPEC, space=None, read_space=read_space)
    make(spec)
    source = open_source(spec, tmp_path / "out", "val")
    assert (source.space.name, source.space.classes) == ("own", ("red", "green", "blue"))
    assert source.space == read_space(None, folder="", count=0, absent={})


def test_a_set_without_any_class_has_no_label_field(make, tmp_path):
    empty = dataclasses.replace(SPEC.space, name="folder", classes=(), colors=())
    spec = dataclasses.replace(SPEC, space=None, read_space=lambda raw_dir, **options: empty)
    make(spec, absent={"train": ["label"], "val": ["label"]})
    source = open_source(spec, tmp_path / "out", "val")
    assert source.space == empty
    assert source.fields == ("neighbors", "depth", "pose")
    assert not source.labeled.any()


def test_bad_samples_are_left_out_and_listed(make, faults, tmp_path):
    for name in ("bad-train-3", "bad-train-11", "gone-val-0", "no_pose-val-5"):
        (faults / name).touch()
    folder = make(skip_bad=True)
    train, val = (open_source(SPEC, tmp_path / "out", split) for split in ("train", "val"))
    assert train.names == [f"train_{index:03d}" for index in range(12) if index not in (3, 11)]
    assert val.names == [f"val_{index:03d}" for index in range(12) if index not in (0, 5)]
    assert [val.read(index)["name"] for index in range(10)] == val.names
    facts = metadata(folder)
    assert facts["skip_bad"] is True
    assert facts["left_out"] == {
        "train": [f"cannot read 'train/{index:03d}.png' (broken); replace the file" for index in (3, 11)],
        "val": [
            f"cannot read '{faults}/val-0.png' (No such file or directory); replace it, or its disk",
            "'val_005' in 'val': all samples of a split need pose, or none",
        ],
    }
    lines = (folder / "left_out.txt").read_text().splitlines()
    assert lines[0] == "train: cannot read 'train/003.png' (broken); replace the file"
    assert len(lines) == 4


def test_a_file_without_any_good_sample_does_no_harm(make, faults, tmp_path):
    for index in range(8):  # the whole first shard of three
        (faults / f"bad-train-{index}").touch()
    folder = make(skip_bad=True, count=20)
    source = open_source(SPEC, tmp_path / "out", "train")
    assert source.names[0] == source.read(0)["name"] == "train_008"
    assert len(tfds.builder_from_directory(folder).as_data_source("train")) == len(source) == 12


def test_too_many_bad_samples_are_an_error_even_then(make, faults):
    for index in range(7):
        (faults / f"bad-train-{index}").touch()
    message = r"7 of 12 samples of split 'train' are bad, too many to leave out; the first: cannot read 'train/000.png'"
    with pytest.raises(ValueError, match=message):
        make(skip_bad=True)


def test_problems_of_listing_count_as_left_out(make, tmp_path):
    def items(*arguments, problems, **options):
        problems.report("'x.png' has no label")
        problems.leave_out("'y.png' is known to be broken")
        return SPEC.items(*arguments, problems=problems, **options)

    spec = dataclasses.replace(SPEC, items=items)
    with pytest.raises(ValueError, match=r"^'x.png' has no label"):
        make(spec)
    listed = ["'x.png' has no label", "'y.png' is known to be broken"]
    assert metadata(make(spec, skip_bad=True))["left_out"] == {"train": listed, "val": listed}


def test_warnings_come_once_with_all_ids(make, faults):
    for index in (3, 5, 9):
        (faults / f"unknown-train-{index}").touch()
    line = r"unknown ids [43, 45, 49] in 3 labels, the first '003.png' (known: 0..33): ignored"
    with pytest.warns(UserWarning, match="unknown ids") as caught:
        folder = make()
    assert [str(warning.message) for warning in caught] == [line]
    assert metadata(folder)["warnings"] == [line]


def test_warnings_are_grouped_by_kind():
    labels = [f"label '{name}' has unknown colors [({i}, 2, 3), (9, 9, 9)]: ignored" for i, name in enumerate("ab")]
    others = ["'a.json' lacks fps: 10 assumed", "'b.json' lacks fps: 10 assumed", "something else"]
    assert summarize([*labels, *others]) == [
        "unknown colors [(0, 2, 3), (1, 2, 3), (9, 9, 9)] in 2 labels, the first 'a': ignored",
        "'a.json' lacks fps: 10 assumed (and 1 more of this kind)",
        "something else",
    ]
    assert summarize(["label 'a' has unknown ids [7]: ignored"]) == ["label 'a' has unknown ids [7]: ignored"]


def test_class_statistics_are_those_of_the_stored_labels(make, tmp_path):
    facts = json.loads((make(absent={"val": ["label"]}) / "metadata.json").read_text())
    source = open_source(SPEC, tmp_path / "out", "train")
    labels = np.stack([source.read(index)["label"] for index in range(12)])
    classes = range(SPEC.space.num_classes)
    assert facts["class_pixels"]["train"] == [int((labels == c).sum()) for c in classes]
    assert facts["class_images"]["train"] == [int((labels == c).any((1, 2)).sum()) for c in classes]
    assert facts["ignored_pixels"] == {"train": 12, "val": 0}
    assert not any(facts["class_pixels"]["val"])
