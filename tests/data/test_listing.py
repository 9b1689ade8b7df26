"""Which files of a person's folder are read, and that all others are named."""

import json
import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import tree_folder
import trees
from PIL import Image
from tree_folder import SHAPE, picture, save, write_video

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.inspecting.inspect_raw import inspect_raw
from sde_seg_jax.data.own.found import look
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.raw_files import likeness, listing
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.spec import find

IDS = np.zeros(SHAPE, np.uint8)
IDS[8:] = 1
CLASSES = '{"road": [128, 64, 128], "car": [0, 0, 142]}'
COLORS = np.array([(128, 64, 128), (0, 0, 142)], np.uint8)[IDS]


@pytest.fixture
def raw(tmp_path):
    """A clip of images with a camera."""
    root = tmp_path / "raw"
    for number in range(6):
        save(root / "clip" / f"f{number}.png", picture(number))
    (root / "camera.json").write_text('{"field_of_view": 60}')
    return root


def listed(root, split="train", skip=False):
    problems = Problems(skip=skip)
    options = folder.SPEC.complete({"min_motion": 0})
    return [item.name for item in folder.items(split, root, problems=problems, **options)], problems


def doctor(root):
    """Problems and notes of the split train, as the doctor tells them."""
    (split,), _ = inspect_raw("folder", root, splits=["train"], workers=1)
    return split.problems, split.notes


@pytest.mark.parametrize("kind", listing.IMAGES)
def test_frames_of_every_kind_are_read(tmp_path, kind):
    for number in range(4):
        save(tmp_path / "clip" / f"f{number}{kind.upper()}", picture(number))
    save(tmp_path / "other" / "g.png", picture(0))
    (tmp_path / "camera.json").write_text('{"field_of_view": 60}')
    assert listed(tmp_path)[0] == [f"clip/f{number}" for number in range(4)]
    assert doctor(tmp_path) == ([], [])


@pytest.mark.parametrize("kind", [".ts", ".mts", ".m2ts", ".mpg", ".mpeg"])
def test_videos_of_cameras_are_read(tmp_path, kind):
    codec = "mpeg2video" if kind in (".mpg", ".mpeg") else "libx264"
    write_video(tmp_path / f"a{kind}", [picture(number) for number in range(20)], codec=codec)
    (tmp_path / "camera.json").write_text('{"field_of_view": 60}')
    found, problems = listed(tmp_path)
    assert found == [f"a/{number:06d}" for number in range(18)]
    assert problems.left_out == problems.doubts == problems.notes == []


@pytest.mark.parametrize("kind", [".png", ".bmp", ".tif", ".TIFF"])
@pytest.mark.parametrize("values", [IDS, COLORS], ids=["ids", "colors"])
def test_labels_of_every_exact_kind_are_read(raw, kind, values):
    for number in (0, 2, 4):
        save(raw / "labels" / "clip" / f"f{number}{kind}", values)
    (raw / "classes.json").write_text(CLASSES)
    assert doctor(raw) == ([], [])
    options = folder.SPEC.complete({"min_motion": 0})
    items = {item.name: item for item in folder.items("train", raw, problems=Problems(), **options)}
    np.testing.assert_array_equal(folder.load(items["clip/f2"], SHAPE)["label"], IDS)


@pytest.mark.parametrize("values", [IDS, COLORS], ids=["ids", "colors"])
def test_jpeg_labels_are_read_and_doubted(raw, values):
    big = values.repeat(4, 0).repeat(4, 1)
    for number in range(6):
        save(raw / "clip" / f"f{number}.png", picture(number).repeat(4, 0).repeat(4, 1))
    save(raw / "labels" / "clip" / "f1.png", big)
    for number in (2, 4):
        save(raw / "labels" / "clip" / f"f{number}.jpg", big)
    (raw / "classes.json").write_text(CLASSES)
    problems, _ = doctor(raw)
    assert ["2 labels are JPEG files, the first is" in problem for problem in problems] == [True]
    options = folder.SPEC.complete({"min_motion": 0})
    items = {item.name: item for item in folder.items("train", raw, problems=Problems(), **options)}
    label = folder.load(items["clip/f2"], SHAPE)["label"]
    assert np.mean(label == IDS.repeat(4, 0).repeat(4, 1)) > 0.95
    with pytest.warns(UserWarning, match="2 labels are JPEG files"):
        prepare("folder", raw_dir=raw, prepared_dir=raw.parent / "prepared", size=SHAPE, workers=1, min_motion=0)


@pytest.mark.parametrize("name", ["f0.webp", "f0.heic", "f0.gif"])
def test_labels_of_other_kinds_are_a_problem(raw, name):
    save(raw / "labels" / "clip" / "f1.png", IDS)
    (raw / "labels" / "clip" / name).write_bytes(b"x")
    (raw / "classes.json").write_text(CLASSES)
    with pytest.raises(
        ValueError, match=rf"1 labels are of a kind that is not read \(1 .{name[3:]}\).*save them as PNG"
    ):
        listed(raw)


@pytest.mark.parametrize("name", ["Labels", "LABELS", "masks", "mask", "Annotations", "gt", "ground_truth", "a/labels"])
def test_folders_that_are_called_labels_are_asked_about(raw, name):
    for number in (0, 3):
        save(raw / name / "clip" / f"f{number}.png", IDS)
    with pytest.raises(
        ValueError, match=rf"'.*/{name}' seems to hold labels \(2 .png\) and is not read: move it to lab"
    ):
        listed(raw)
    found, _ = listed(raw, skip=True)
    assert {name.split("/")[0] for name in found} == {"clip"}
    problems, _ = doctor(raw)
    assert any("seems to hold labels" in problem for problem in problems)


def test_where_a_part_of_a_folders_name_says_labels_its_pictures_decide(raw):
    save(raw / "gtFine" / "f0.png", IDS)
    for number in range(3):
        save(raw / "GT86 bei Nacht" / f"{number}.png", picture(number))
    (message,) = look(raw).problems
    assert "gtFine' seems to hold labels" in message


@pytest.mark.parametrize("name", ["f0_mask", "f0-label", "f0_gtFine_labelIds", "f0_Segmentation"])
def test_pictures_called_labels_of_a_frame_are_no_frames(raw, name):
    save(raw / "clip" / f"{name}.jpg", picture(0))
    with pytest.raises(
        ValueError, match=r"has 1 pictures that are called labels, the first is .*: put them into labels/"
    ):
        listed(raw)
    assert listed(raw, skip=True)[0] == [f"clip/f{number}" for number in range(5)]


@pytest.mark.parametrize("form", ["ids", "palette", "colors"])
def test_pictures_that_look_like_labels_are_doubted_and_taken(raw, form):
    image = Image.fromarray(COLORS if form == "colors" else IDS)
    if form == "palette":
        image.putpalette([0, 0, 0, 200, 0, 0])
    image.save(raw / "clip" / "g0.png")
    found, problems = listed(raw)
    assert "clip/f5" in found
    (message,) = problems.doubts
    assert "has 1 of 7 pictures that look like labels" in message
    assert any("look like labels" in problem for problem in doctor(raw)[0])
    with pytest.warns(UserWarning, match="look like labels"):
        prepare("folder", raw_dir=raw, prepared_dir=raw.parent / "prepared", size=SHAPE, workers=1, min_motion=0)


def test_dark_gray_and_flat_frames_are_no_labels():
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 255, 200).astype(np.uint8)[None].repeat(100, 0)
    night = rng.poisson(2, (100, 200)).astype(np.uint8)
    for frame in (smooth, night, np.zeros((100, 200), np.uint8), rng.integers(0, 256, (100, 200, 3), np.uint8)):
        assert not likeness.few_values(frame)
    assert likeness.few_values(np.repeat(rng.integers(0, 30, (10, 1)), 200, 1).repeat(10, 0).astype(np.uint8))


def test_every_other_file_is_counted_by_kind(raw):
    for name in ("a.heic", "b.HEIC", "c.wmv", "d.nef"):
        (raw / "clip" / name).write_bytes(b"x")
    for name in ("notes.txt", "track.gpx", "README"):
        (raw / name).write_bytes(b"x")
    problems, notes = doctor(raw)
    (message,) = problems
    assert re.search(
        r"4 pictures or videos are of a kind that is not read \(2 .heic, 1 .wmv, 1 .nef\), the first", message
    )
    (note,) = notes
    assert note.startswith("not read: 1 without suffix, 1 .txt, 1 .gpx, the first is '")
    with pytest.warns(UserWarning, match="not read") as told:
        prepare("folder", raw_dir=raw, prepared_dir=raw.parent / "prepared", size=SHAPE, workers=1, min_motion=0)
    assert [str(line.message) for line in told] == [message, note]


def test_a_folder_of_labels_of_which_none_is_read_is_asked_about(raw):
    shutil.rmtree(raw / "labels", ignore_errors=True)
    (raw / "labels").mkdir()
    (raw / "labels" / "f0.txt").write_text("0 0.5 0.5 0.1 0.1")  # a box, as YOLO has them
    problems, _ = doctor(raw)
    assert any("not read in labels/: 1 .txt" in line and "no file there is a label" in line for line in problems)


def test_exports_outside_labels_are_asked_about(raw):
    (raw / "frames.zip").write_bytes(b"x")
    task = {"data": {"image": "clip/f0.png"}, "annotations": [{"result": []}]}
    (raw / "clip" / "studio.json").write_text(json.dumps([task]))
    (raw / "clip" / "gps.json").write_text("[1, 2]")
    problems, notes = doctor(raw)
    assert re.match(
        r"2 archives or exports of labelling tools are not read where they lie \(1 .zip, 1 .json\)", problems[0]
    )
    assert notes[0].startswith("not read: 1 .json, the first is")


def test_what_systems_leave_behind_is_passed_over(raw):
    for place in ("", "clip", "labels", "labels/clip", "__MACOSX", "clip/@eaDir"):
        (raw / place).mkdir(exist_ok=True)
        for name in ("._f0.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
            (raw / place / name).write_bytes(b"x")
    for place in ("__MACOSX", "clip/@eaDir", "labels/__MACOSX"):
        save(raw / place / "f0.png", picture(0))
    save(raw / "labels" / "clip" / "f0.png", IDS)
    save(raw / "labels" / "clip" / "f3.png", IDS)
    (raw / "classes.json").write_text(CLASSES)
    assert doctor(raw) == ([], [])
    assert listed(raw)[0] == [f"clip/f{number}" for number in (0, 1, 5)]


def test_a_linked_folder_is_listed_once_and_its_own_place_counts(raw, tmp_path):
    os.symlink(raw / "clip", raw / "a_link")
    for number in range(6):
        save(tmp_path / "elsewhere" / f"{number}.png", picture(number))
    for name in ("one", "two"):
        os.symlink(tmp_path / "elsewhere", raw / name)
    names, problems = listed(raw)
    held, _ = listed(raw, "val")
    assert {name.split("/")[0] for name in names + held} == {"clip", "one"}
    assert len({*names, *held}) == len(names) + len(held) == 12
    assert len(problems.notes) == 2
    assert re.search("two' is the same folder as '.*one': its frames are taken once", problems.notes[1])


def test_a_linked_frame_is_listed_once(raw):
    (raw / "again").mkdir()
    for number in range(3):
        os.symlink(raw / "clip" / f"f{number}.png", raw / "again" / f"x{number}.png")
    (raw / "last").mkdir()
    os.link(raw / "clip" / "f5.png", raw / "last" / "hard.png")
    found = look(raw)
    assert [(clip.name, len(clip.images)) for clip in found.clips] == [("clip", 6)]
    assert found.notes[0].startswith("4 files lie in two folders (linked): taken once")


def test_links_that_lead_nowhere_are_named(raw):
    os.symlink(raw / "gone.png", raw / "clip" / "f9.png")
    with pytest.raises(ValueError, match=r"link '.*f9.png' leads nowhere; correct it"):
        listed(raw)


def test_labels_in_a_linked_folder_are_read(raw, tmp_path):
    for number in (0, 3):
        save(tmp_path / "masks" / f"f{number}.png", IDS)
    (raw / "labels").mkdir()
    os.symlink(tmp_path / "masks", raw / "labels" / "clip")
    (raw / "classes.json").write_text(CLASSES)
    assert doctor(raw) == ([], [])
    assert listed(raw, "val")[0] == ["clip/f3"]


def test_names_of_a_mac_are_those_of_labels(tmp_path):
    for number in range(4):
        save(tmp_path / "u\u0308ber" / f"f{number}.png", picture(number))
    for number in (0, 3):
        save(tmp_path / "labels" / "\u00fcber" / f"f{number}.png", IDS)
    (tmp_path / "classes.json").write_text(CLASSES)
    (tmp_path / "camera.json").write_text('{"field_of_view": 60}')
    assert doctor(tmp_path) == ([], [])


def test_a_tiff_of_several_pages_is_doubted(raw):
    pages = [Image.fromarray(picture(number)) for number in range(3)]
    pages[0].save(raw / "clip" / "f6.tif", save_all=True, append_images=pages[1:])
    _, problems = listed(raw)
    assert re.search(r"f6.tif' holds 3 pictures, of which the first is read", problems.doubts[0])


def test_a_file_of_another_format_than_pictures_have_is_not_opened(raw):
    (raw / "clip" / "f2.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n")
    with pytest.raises(ValueError, match=r"cannot read '.*f2.png' \(it is broken, or no JPEG, PNG"):
        listed(raw)


def test_the_tree_of_the_tests_is_healthy(tmp_path):
    tree_folder.write(tmp_path)
    assert look(pathlib.Path(tmp_path))[1:] == ([], [], [])


@pytest.mark.parametrize(
    "name", ["camvid", "cityscapes", "gta5", "kitti", "mapillary", "mapillary_v2", "synthia", "synthia_video", "viper"]
)
def test_data_sets_pass_over_what_systems_leave_behind(tmp_path, name):
    """A Mac writes ._x beside every file x of a disk of another system."""
    root = trees.write(name, tmp_path)
    spec = find(name)
    split = spec.splits[0]
    before = list(spec.items(split, root, problems=Problems(), **spec.options))
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    after = list(spec.items(split, root, problems=Problems(), **spec.options))
    assert len(after) == len(before) > 0
    assert repr(after) == repr(before)
