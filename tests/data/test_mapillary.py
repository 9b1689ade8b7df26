import json
import pathlib
import shutil

import numpy as np
import pytest
from driving_trees import SIZES, ids, picture, save, write_mapillary
from PIL import Image

from sde_seg_jax.data.datasets.mapillary import V1
from sde_seg_jax.data.datasets.mapillary_v2 import V2
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading.memory import memory_batches
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.label_spaces import MAPILLARY, MAPILLARY_V2
from sde_seg_jax.types import IGNORE

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "mapillary_vistas"
SIZE = (16, 22)  # 512x704, scaled down
FIRST = "_training-0".ljust(22, "x")
RELEASES = {  # data set -> release, ids that are not evaluated, folder of labels, config
    "mapillary": (V1, {65}, "v1.2/labels", "config_v1.2.json"),
    "mapillary_v2": (V2, {2, 31, 38, 79, 86, 96, 115, 123}, "v2.0/labels", "config_v2.0.json"),
}


@pytest.fixture
def raw(tmp_path):
    return write_mapillary(tmp_path / "raw", *RELEASES["mapillary"])


def make(raw, name="mapillary", size=SIZE, **options):
    folder = raw.parent / "prepared"
    prepare(name, raw_dir=raw, prepared_dir=folder, size=size, image_format="png", workers=1, **options)
    return folder


@pytest.mark.parametrize("name", RELEASES)
def test_evaluated_labels_are_the_classes_in_their_order(tmp_path, name):
    release, skipped, labels, config = RELEASES[name]
    raw = write_mapillary(tmp_path / "raw", release, skipped, labels, config)
    size = SIZES["training"][0]
    stored = open_source(name, make(raw, name, size=size), "train").read(0)["label"]
    total = release.space.num_classes + len(skipped)
    evaluated = [raw_id for raw_id in range(total) if raw_id not in skipped]
    expected = [[evaluated.index(i) if i in evaluated else IGNORE for i in row] for row in ids(FIRST, total, size)]
    np.testing.assert_array_equal(stored, expected)


def test_the_first_package_has_its_labels_beside_the_images(tmp_path):
    raw = write_mapillary(tmp_path / "raw", V1, {65}, "labels", "config.json")
    assert len(open_source("mapillary", make(raw), "val")) == len(SIZES["validation"])


def test_photographs_of_all_sizes_get_the_stored_size(raw):
    folder = make(raw)
    for split, path in (("train", "training"), ("val", "validation")):
        source = open_source("mapillary", folder, split)
        assert source.names == sorted(file.stem for file in (raw / path / "images").iterdir())
        assert {source.read(i)["image"].shape for i in range(len(source))} == {(*SIZE, 3)}


def test_the_placeholder_camera_sees_60_degrees_across(raw):
    fx, fy, cx, cy = open_source("mapillary", make(raw), "train").read(0)["intrinsics"]
    height, width = SIZES["training"][0]
    np.testing.assert_allclose(2 * np.degrees(np.arctan(SIZE[1] / 2 / fx)), 60, rtol=1e-6)  # stored as float32
    np.testing.assert_allclose(fy / fx, SIZE[0] / height * width / SIZE[1], rtol=1e-6)  # square pixels, then stretched
    assert (cx, cy) == ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)


def test_depth_is_refused_since_there_is_no_video(raw):
    source = open_source("mapillary", make(raw), "train")
    with pytest.raises(ValueError, match=r"'mapillary' has no \['neighbors'\].*it is no video: train depth on another"):
        memory_batches(source, seed=0, batch_size=1, fields=("neighbors",))


def test_unknown_ids_are_ignored_and_reported(raw):
    label = np.full(SIZES["training"][0], 7, np.uint8)
    label[0, 0] = 66
    save(raw / f"training/v1.2/labels/{FIRST}.png", label)
    with pytest.warns(UserWarning, match=rf"label '.*{FIRST}.png' has unknown ids \[66\] \(known: 0..65\)"):
        folder = make(raw, size=label.shape, splits=["train"])
    assert open_source("mapillary", folder, "train").read(0)["label"][0, :2].tolist() == [IGNORE, 7]


def edit_config(change):
    def damage(raw):
        path = raw / "config_v1.2.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return damage


def nest(raw):
    for path in list(raw.iterdir()):
        (raw / "vistas").mkdir(exist_ok=True)
        path.rename(raw / "vistas" / path.name)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nest, r"Missing .*raw/training/images'; 'training' is in '.*raw/vistas': set raw_dir to that"),
        (lambda raw: shutil.rmtree(raw / "training/v1.2"), r"Missing .*/training/v1.2/labels'; expected config_v1.2"),
        (
            lambda raw: (raw / "config_v1.2.json").unlink(),
            r"Missing .*/config_v1.2.json'; expected config_v1.2.json or",
        ),
        (lambda raw: (raw / "config_v1.2.json").write_text("<html>"), r"cannot read '.*config_v1.2.json' \(JSONDecode"),
        (edit_config(lambda c: c.pop("labels")), r"cannot read '.*config_v1.2.json' \(KeyError: 'labels'\); expected"),
        (edit_config(lambda c: c["labels"].pop(0)), r"has 64 evaluated labels, 'mapillary' has 65 .*'mapillary_v2'"),
        (
            edit_config(lambda c: c["labels"][3].update(color=[1, 2, 3])),
            r"gives class 'fence' the color \(1, 2, 3\), expected \(190, 153, 153\)",
        ),
        (
            lambda raw: (raw / f"training/v1.2/labels/{FIRST}.png").unlink(),
            rf"1 of 3 images have no label, the first is '.*training/images/{FIRST}.jpg'; unpack",
        ),
        (
            lambda raw: (raw / f"training/images/{FIRST}.jpg").unlink(),
            rf"1 of 3 labels have no image, the first is '.*labels/{FIRST}.png'; unpack",
        ),
        (lambda raw: (raw / f"training/images/{FIRST}.jpg").write_bytes(b"\xff\xd8"), rf"cannot read '.*{FIRST}.jpg'"),
        (
            lambda raw: save(raw / f"training/v1.2/labels/{FIRST}.png", picture("x", (24, 40))),
            rf"label '.*{FIRST}.png' has mode RGB; expected ids in an 8-bit gray or palette PNG",
        ),
        (
            lambda raw: save(raw / f"training/v1.2/labels/{FIRST}.png", ids("x", 65, (24, 39))),
            rf"label '.*{FIRST}.png' is 24x39 but image '.*' is 24x40",
        ),
    ],
)
def test_damaged_raw_files_are_named_in_one_line(raw, damage, message):
    damage(raw)
    with pytest.raises(ValueError, match=message) as error:
        make(raw, splits=["train"])
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not KIT.is_dir(), reason="no real Mapillary sample in ../shared/data/formats")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mapillary", {"building", "street light", "pole"}),
        ("mapillary_v2", {"building", "street light", "pole"}),
    ],
)
def test_a_real_crop_has_the_same_classes_in_both_releases(tmp_path, name, expected):
    release, skipped, labels, config = RELEASES[name]
    shutil.copytree(KIT, tmp_path / "raw")
    made = write_mapillary(tmp_path / "made", release, skipped, labels, config)
    shutil.copy(made / config, tmp_path / "raw" / config)
    source = open_source(name, make(tmp_path / "raw", name, size=(100, 100), splits=["train"]), "train")
    assert {source.space.classes[i] for i in np.unique(source.read(0)["label"])} == expected


@pytest.mark.skipif(not KIT.is_dir(), reason="no real Mapillary sample in ../shared/data/formats")
@pytest.mark.parametrize(("name", "space"), [("mapillary", MAPILLARY), ("mapillary_v2", MAPILLARY_V2)])
def test_colors_are_those_of_a_real_palette(name, space):
    _, skipped, labels, _ = RELEASES[name]
    with Image.open(next((KIT / "training" / labels).glob("*.png"))) as image:
        palette = np.array(image.getpalette()).reshape(-1, 3)
    evaluated = [i for i in range(space.num_classes + len(skipped)) if i not in skipped]
    np.testing.assert_array_equal(palette[evaluated], space.colors)
