"""What every data set keeps. A new module in data/datasets is found; tests/data/tree_<name>.py writes its raw files."""

import itertools
import pathlib
import sys

import jax
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import trees

from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading import memory, pipeline
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.spec import find, known

SIZE = (16, 32)
CROP = (12, 20)


THREE = {"counts": {"train": 3, "val": 3, "test": 3}}
SMALL = {"street_scenes": THREE, "coarse_streets": THREE}  # options that keep the test small
CASES = [(name, split) for name in known() for split in find(name).splits]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Prepares a data set the first time it is asked for."""
    done = {}

    def folder(name):
        if name not in done:
            raw, done[name] = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("prepared")
            if find(name).layout is not None:
                trees.write(name, raw)
            options = SMALL.get(name, {})
            prepare(name, raw_dir=raw, prepared_dir=done[name], size=SIZE, workers=1, **options)
        return done[name]

    return folder


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case), scope="module")
def source(request, folders):
    name, split = request.param
    return open_source(name, folders(name), split)


def take(batches, count=3):
    return list(itertools.islice(batches, count))


def assert_equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("name", known())
def test_is_named_as_its_module(name):
    assert find(name).name == name


def test_labels_are_inside_the_space(source):
    allowed = {*range(source.space.num_classes), source.space.ignore}
    for index in range(len(source)) if "label" in source.fields else ():
        assert set(np.unique(source.read(index)["label"]).tolist()) <= allowed


def test_samples_have_the_promised_shapes_and_types(source):
    promised = {
        "image": ((*SIZE, 3), np.uint8),
        "intrinsics": ((4,), np.float32),
        "neighbors": ((2, *SIZE, 3), np.uint8),
        "label": (SIZE, np.uint8),
        "depth": (SIZE, np.float32),
        "pose": ((2, 4, 4), np.float32),
    }
    example = source.read(0)
    assert set(example) == {"image", "intrinsics", "name", "labeled", *source.fields}
    for key, (shape, dtype) in promised.items():
        if key in example:
            assert (example[key].shape, example[key].dtype) == (shape, dtype), key


def test_the_camera_looks_through_the_image(source):
    fx, fy, cx, cy = source.read(0)["intrinsics"]
    assert 0 < cx < SIZE[1] - 1
    assert 0 < cy < SIZE[0] - 1
    for focal, length in ((fx, SIZE[1]), (fy, SIZE[0])):
        assert 10 < 2 * np.degrees(np.arctan(length / 2 / focal)) < 150


def test_depth_is_positive_and_poses_are_rigid(source):
    example = source.read(0)
    if "depth" in example:
        assert (example["depth"] >= 0).all()
        assert (example["depth"] > 0).any()
    if "pose" in example:
        rotation = example["pose"][:, :3, :3]
        unit = np.tile(np.eye(3), (2, 1, 1))
        np.testing.assert_allclose(rotation @ rotation.swapaxes(1, 2), unit, rtol=0, atol=1e-5)  # float32
        np.testing.assert_array_equal(example["pose"][:, 3], [[0, 0, 0, 1]] * 2)


def test_names_are_unique_and_readable(source):
    assert len(set(source.names)) == len(source)
    assert [source.read(index)["name"] for index in range(len(source))] == source.names
    assert not any(name.isdigit() for name in source.names)


def test_no_split_shares_a_name_with_val(folders, source):
    if source.split in ("train", "test") and "val" in find(source.name).splits:
        assert not {*source.names} & {*open_source(source.name, folders(source.name), "val").names}


def test_resuming_equals_skipping(source):
    arguments = {"seed": 1, "batch_size": 2, "crop": CROP}
    assert_equal(
        take(pipeline.batches(source, **arguments, start=2)),
        take(pipeline.batches(source, **arguments), 5)[2:],
    )


def test_hosts_share_the_single_host_batch(source):
    arguments = {"seed": 1, "batch_size": 4, "crop": CROP}
    whole = take(pipeline.batches(source, **arguments))
    parts = [take(pipeline.batches(source, **arguments, host_index=i, host_count=2)) for i in range(2)]
    joined = [jax.tree.map(lambda a, b: np.concatenate([a, b]), *pair) for pair in zip(*parts, strict=True)]
    assert_equal(joined, whole)


def test_both_readers_are_equal(source):
    arguments = {"seed": 1, "batch_size": 2, "crop": CROP}
    loaded = memory.load_into_memory(source)
    assert_equal(take(memory.memory_batches(loaded, **arguments)), take(pipeline.batches(source, **arguments)))


def test_batches_have_one_static_shape(source):
    first, *others = take(pipeline.batches(source, seed=0, batch_size=2, crop=CROP))
    assert first.image.shape == (2, *CROP, 3)
    for batch in others:
        jax.tree.map(lambda a, b: None if a.shape == b.shape else pytest.fail(f"{a.shape} {b.shape}"), first, batch)
