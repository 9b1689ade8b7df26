import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tree_folder import CAMERA, SHAPE, picture, write_video

from sde_seg_jax.data.annotation import palette, plain
from sde_seg_jax.data.annotation.frames import Frame
from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES, MAPILLARY, MAPILLARY_V2, LabelSpace
from sde_seg_jax.types import IGNORE

SPACE = LabelSpace("folder", ("road", "car"), ((128, 64, 128), (0, 0, 142)))
KEYS = ("front/2024 a/frame.7", "front/2024 a/frame.8", "tour/000002")


def suggestion(number):
    return np.random.default_rng(number).choice(np.array([0, 1, IGNORE], np.uint8), SHAPE)


def frames(keys=KEYS):
    return (Frame(key, picture(number), suggestion(number)) for number, key in enumerate(keys))


def samples(root):
    """Key -> what is read of all samples."""
    options = folder.SPEC.complete({"min_motion": 0, "field_of_view": 60})
    found = [folder.items(split, root, problems=Problems(), **options) for split in ("train", "val")]
    return {item.key: folder.load(item, SHAPE) for items in found for item in items}


def test_the_folder_is_a_data_set_by_itself(tmp_path):
    plain.write(tmp_path, frames(), SPACE, "title")
    assert folder.read_space(tmp_path / "folder") == SPACE
    found = samples(tmp_path / "folder")
    assert set(found) == {f"images/{key}" for key in KEYS}
    for number, key in enumerate(KEYS):
        np.testing.assert_array_equal(found[f"images/{key}"]["image"], picture(number))
        np.testing.assert_array_equal(found[f"images/{key}"]["label"], suggestion(number))


def test_its_labels_go_back_to_where_the_frames_come_from(tmp_path):
    root = tmp_path / "raw"
    (root / "front" / "2024 a").mkdir(parents=True)
    for number in (6, 7, 8):
        Image.fromarray(picture(number)).save(root / "front" / "2024 a" / f"frame.{number}.jpg")
    write_video(root / "tour.mp4", [picture(number) for number in range(4)])
    (root / "camera.json").write_text(json.dumps(CAMERA))
    plain.write(tmp_path, frames(), SPACE, "title")
    shutil.copytree(tmp_path / "folder", root / "labels" / "folder")
    shutil.copy(tmp_path / "folder" / "classes.json", root)
    found = {key: sample["label"] for key, sample in samples(root).items() if sample["label"] is not None}
    assert set(found) == set(KEYS)
    for number, key in enumerate(KEYS):
        np.testing.assert_array_equal(found[key], suggestion(number))


def test_put_into_labels_the_names_of_its_classes_count(tmp_path):
    root = tmp_path / "raw"
    plain.write(root / "labels" / "a!b", frames(KEYS[:2]), SPACE, "title")
    for number in (6, 7, 8):
        (root / "front" / "2024 a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number)).save(root / "front" / "2024 a" / f"frame.{number}.jpg")
    entries = [{"name": "background"}, {"name": "car"}, {"name": "road", "ignore": True}]  # void is no background
    (root / "classes.json").write_text(json.dumps(entries))
    found = {key: sample["label"] for key, sample in samples(root).items() if sample["label"] is not None}
    assert set(found) == set(KEYS[:2])
    for number, key in enumerate(KEYS[:2]):
        np.testing.assert_array_equal(found[key], np.where(suggestion(number) == 1, 1, IGNORE))
    (root / "classes.json").write_text(json.dumps([{"name": "car"}]))
    with pytest.raises(ValueError, match=r"label '.*/a!b/folder!labels/front/.*' has the class 'road', which"):
        samples(root)


def test_suggestions_are_palette_pngs_in_the_colors_of_the_classes(tmp_path):
    plain.write(tmp_path, frames(), SPACE, "title")
    with Image.open(tmp_path / "folder" / "labels" / "tour" / "000002.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), suggestion(2))
        np.testing.assert_array_equal(np.array(image.convert("RGB")), SPACE.colorize(suggestion(2)))


def test_without_suggestions_there_are_no_labels(tmp_path):
    written = plain.write(tmp_path, [Frame("a/1", picture(0))], SPACE, "12 frames of a drive")
    assert [path.name for path in written] == ["README.txt", "classes.json", "images"]
    assert not (tmp_path / "folder" / "labels").exists()
    assert written[0].read_text().startswith("12 frames of a drive\n")


@pytest.mark.parametrize("space", [CITYSCAPES, CAMVID, MAPILLARY, MAPILLARY_V2], ids=lambda space: space.name)
def test_the_classes_of_every_label_space_can_be_read(tmp_path, space):
    plain.write(tmp_path, [], space, "title")
    found = palette.read_classes(str(tmp_path / "folder" / "classes.json"))
    assert found.space.classes == space.classes
    assert found.table == (*range(space.num_classes), *[-1] * (250 - space.num_classes), IGNORE, *[-1] * 5)
    assert set(found.names) == {*space.classes, "void"}


def test_a_class_called_void_keeps_its_name(tmp_path):
    plain.write(tmp_path, [], LabelSpace("own", ("void", "car"), ((0, 0, 0), (1, 1, 1))), "title")
    names = palette.read_classes(str(tmp_path / "folder" / "classes.json")).names
    assert names == {"void": 0, "car": 1, "unlabeled": IGNORE}


def test_labels_that_a_person_may_have_corrected_stay(tmp_path):
    plain.write(tmp_path, frames(KEYS[:1]), SPACE, "title")
    path = tmp_path / "folder" / "labels" / f"{KEYS[0]}.png"
    Image.fromarray(np.ones(SHAPE, np.uint8)).save(path)
    plain.write(tmp_path, frames(), SPACE, "title")
    np.testing.assert_array_equal(np.array(Image.open(path)), np.ones(SHAPE))
    assert len(list((tmp_path / "folder" / "labels").rglob("*.png"))) == 3
    with pytest.raises(ValueError, match=r"'.*/folder' has labels of other classes; export into another folder"):
        plain.write(tmp_path, frames(), CITYSCAPES, "title")


def test_a_write_that_is_killed_leaves_no_half_label(tmp_path, monkeypatch):
    def killed(image, path, *_):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        plain.write(tmp_path, frames(), SPACE, "title")
    monkeypatch.undo()
    plain.write(tmp_path, frames(), SPACE, "title")
    assert len(samples(tmp_path / "folder")) == len(KEYS)
