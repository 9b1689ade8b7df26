"""CVAT: what is written for it, and labels as it gives them back, in files that datumaro made (make_cvat.py)."""

import gc
import io
import json
import os
import pathlib
import pickle
import re
import weakref
import zipfile

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.annotation import cvat
from sde_seg_jax.data.annotation.frames import BACKGROUND, Frame
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import IGNORE

FILES = pathlib.Path(__file__).resolve().parent / "annotation_files"
BOTH = ("cvat_masks.zip", "cvat_images.zip")
SPACE = LabelSpace("folder", ("road", "a & b <c>", "void:2", "car"), ((1, 2, 3), (0, 0, 0), (1, 2, 3), (0, 0, 142)))
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
FRAME = '<image id="0" name="a/b.png" width="4" height="3">{}</image></annotations>'
LABEL_MAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:128,64,128::\ncar:0,0,142::\n"


def known():
    """Key -> rows of the labels in both files, with names instead of digits."""
    content = json.loads((FILES / "cvat_labels.json").read_text())
    names = {str(number): name for number, name in enumerate(content["names"])}
    return {key: [[names.get(c) for c in row] for row in rows] for key, rows in content["labels"].items()}


def named(label):
    """Name of the class of each pixel, None: nobody labeled it."""
    assert label.indices.dtype == np.int16
    return [[None if i == BACKGROUND else label.names[i] for i in row] for row in label.indices.tolist()]


def read_all(path):
    return {key: named(cvat.read(reference)) for key, reference in cvat.references(path).items()}


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def png(pixels):
    data = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(data, "PNG")
    return data.getvalue()


def xml(path, shapes):
    path.write_text(HEAD + FRAME.format(shapes))
    return path


def suggestions():
    rng = np.random.default_rng(0)
    ids = rng.choice([0, 1, 2, 3, IGNORE], size=(5, 6, 7)).astype(np.uint8)
    ids[4] = 3
    keys = ("front/2024.a/frame.1", "b", "front/x!y%21", "ä ö/\"q\" & 'z'", "front/2024.a/frame.0")
    return [Frame(key, np.full((6, 7, 3), 9, np.uint8), label) for key, label in zip(keys, ids, strict=True)]


@pytest.mark.parametrize("name", BOTH)
def test_labels_that_datumaro_wrote_are_read_exactly(name):
    assert cvat.find(FILES / name)
    assert read_all(FILES / name) == known()


@pytest.mark.parametrize("name", BOTH)
def test_an_unpacked_export_reads_alike(tmp_path, name):
    with zipfile.ZipFile(FILES / name) as archive:
        archive.extractall(tmp_path)
    assert cvat.find(tmp_path)
    assert read_all(tmp_path) == known()


def test_an_xml_file_alone_reads_alike(tmp_path):
    path = tmp_path / "my task.xml"
    with zipfile.ZipFile(FILES / "cvat_images.zip") as archive:
        path.write_bytes(archive.read("annotations.xml"))
    assert cvat.find(path)
    assert read_all(path) == known()


@pytest.mark.parametrize("name", BOTH)
def test_frames_without_shapes_are_not_labeled(name):
    assert "front/unlabeled" not in cvat.references(FILES / name)


def test_a_tag_is_about_the_frame_and_not_a_label(tmp_path):
    tag, mask = '<tag label="good"/>', '<mask label="car" rle="0, 12" left="0" top="0" width="4" height="3"/>'
    assert cvat.references(xml(tmp_path / "a.xml", tag)) == {}
    assert read_all(xml(tmp_path / "b.xml", tag + mask)) == {"a/b": [["car"] * 4] * 3}


def test_the_mask_of_the_documentation_is_a_disk(tmp_path):
    # docs.cvat.ai, "XML annotation format"
    rle = "3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3"
    mask = f'<mask label="car" source="manual" occluded="0" rle="{rle}" left="7" top="8" width="13" height="15"/>'
    path = tmp_path / "a.xml"
    path.write_text((HEAD + FRAME.format(mask)).replace('"4" height="3"', '"30" height="40"', 1))
    disk = cvat.read(cvat.references(path)["a/b"]).indices[8:23, 7:20] == 0
    assert disk[0].tolist() == [False] * 3 + [True] * 5 + [False] * 5
    assert disk[7].all()
    assert disk.sum() == sum(map(int, rle.split(", ")[1::2]))


def returned_masks(folder, frames, path):
    """What CVAT's "Segmentation mask 1.1" of a task made from `folder` holds when the suggestions are accepted."""
    labels = json.loads((folder / "labels.json").read_text())
    colors = np.array([[0, 0, 0], *(list(bytes.fromhex(label["color"][1:])) for label in labels)], np.uint8)
    lines = [f"{n}:{','.join(map(str, c))}::" for n, c in zip(["background", *SPACE.classes], colors, strict=True)]
    members = {"labelmap.txt": "# label:color_rgb:parts:actions\n" + "\n".join(lines)}
    with zipfile.ZipFile(folder / "images.zip") as archive:
        for name, frame in zip(archive.namelist(), frames, strict=True):
            picture = colors[np.where(frame.suggestion == IGNORE, 0, frame.suggestion + np.uint8(1))]
            members[f"SegmentationClass/{os.path.splitext(name)[0]}.png"] = png(picture)
    return pack(path, members)


@pytest.mark.parametrize("format", ["masks", "images"])
def test_accepted_suggestions_come_back_as_the_same_training_ids(tmp_path, format):
    frames = suggestions()
    cvat.write(tmp_path / "task", iter(frames), SPACE, "my <task>")
    if format == "images":  # CVAT exports the XML that it imports
        path = tmp_path / "task" / "annotations.zip"
    else:
        path = returned_masks(tmp_path / "task", frames, tmp_path / "export.zip")
    found = cvat.references(path)
    assert sorted(found) == sorted(frame.key for frame in frames)
    for frame in frames:
        label = cvat.read(found[frame.key])
        ids = [SPACE.classes.index(name) for name in label.names]
        np.testing.assert_array_equal(np.array([*ids, IGNORE])[label.indices], frame.suggestion)


def test_the_frames_of_the_xml_are_numbered_by_name(tmp_path):
    cvat.write(tmp_path, suggestions(), SPACE, "t")
    with zipfile.ZipFile(tmp_path / "annotations.zip") as archive:
        text = archive.read("annotations.xml").decode()
    names = re.findall(r'<image id="(\d)" name="(.)', text)
    assert names == [("0", "b"), ("1", "f"), ("2", "f"), ("3", "f"), ("4", "ä")]
    assert text.index("frame.0.jpg") < text.index("frame.1.jpg") < text.index("x!y%21.jpg")


def test_labels_have_colors_of_their_own_and_none_is_black(tmp_path):
    cvat.write(tmp_path, suggestions(), SPACE, "t")
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [label["name"] for label in labels] == list(SPACE.classes)
    assert [label["color"] for label in labels] == ["#010203", "#000001", "#010204", "#00008e"]
    assert all(label["type"] == "any" and label["attributes"] == [] for label in labels)


def test_images_keep_their_folders_and_look_the_same(tmp_path):
    gray = np.tile(np.arange(0, 256, 8, dtype=np.uint8)[:, None, None], (1, 16, 3))
    paths = cvat.write(tmp_path / "new" / "task", [Frame("a/b.c", gray)], SPACE, "title")
    assert [path.name for path in paths] == ["images.zip", "labels.json", "README.txt"]
    with zipfile.ZipFile(paths[0]) as archive:
        assert archive.namelist() == ["a/b.c.jpg"]
        with archive.open("a/b.c.jpg") as file:
            image = np.array(Image.open(file))
    np.testing.assert_allclose(image.astype(int), gray, atol=2)  # JPEG of quality 95
    text = paths[-1].read_text()
    assert text.startswith("title: 1 frames")
    assert "Upload annotations" not in text


def test_the_steps_say_how_to_bring_suggestions_in(tmp_path):
    *_, readme = cvat.write(tmp_path, suggestions(), SPACE, "t")
    text = readme.read_text()
    assert all(word in text for word in ("images.zip", "labels.json", '"CVAT 1.1"', "annotations.zip", "labels/"))


def test_suggestions_of_an_earlier_export_do_not_stay(tmp_path):
    cvat.write(tmp_path, suggestions(), SPACE, "t")
    cvat.write(tmp_path, [Frame("a", np.zeros((2, 2, 3), np.uint8))], SPACE, "t")
    assert not (tmp_path / "annotations.zip").exists()


def test_frames_are_taken_one_by_one(tmp_path):
    seen, most = [], 0

    def frames():
        nonlocal most
        for number in range(6):
            image = np.zeros((4, 4, 3), np.uint8)
            seen.append(weakref.ref(image))
            gc.collect()
            most = max(most, sum(ref() is not None for ref in seen))
            yield Frame(str(number), image, np.zeros((4, 4), np.uint8))

    cvat.write(tmp_path, frames(), SPACE, "t")
    assert most == 2  # the one being made and the one before


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        ([], "no frames"),
        ([Frame("a", np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8))], "'a' has .* its suggestion"),
        (
            [Frame("a", np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 4, np.uint8))],
            "'a' has the id 4; expected 0 to 3",
        ),
    ],
)
def test_frames_that_cannot_be_written_are_named(tmp_path, frames, match):
    with pytest.raises(ValueError, match=match):
        cvat.write(tmp_path, frames, SPACE, "t")


def test_pictures_with_a_palette_and_gray_ones_of_line_numbers_read_alike(tmp_path):
    ids = np.array([[0, 1], [2, 1]], np.uint8)
    palette = Image.fromarray(ids)
    palette.putpalette([0, 0, 0, 128, 64, 128, 0, 0, 142])
    pictures = {"SegmentationClass/p.png": png(palette), "SegmentationClass/g.PNG": png(ids)}
    members = {"labelmap.txt": LABEL_MAP, **pictures}
    expected = [[None, "road"], ["car", "road"]]
    assert read_all(pack(tmp_path / "a.zip", members)) == {"p": expected, "g": expected}


def test_a_black_class_of_another_name_is_a_class(tmp_path):
    members = {"labelmap.txt": "sky:0,0,0::\n", "SegmentationClass/a.png": png(np.zeros((1, 2, 3), np.uint8))}
    assert read_all(pack(tmp_path / "a.zip", members)) == {"a": [["sky", "sky"]]}


def test_a_background_with_a_color_is_named(tmp_path):
    picture = np.array([[[9, 9, 9], [0, 0, 0]]], np.uint8)
    members = {"labelmap.txt": "background:9,9,9::\n", "SegmentationClass/a.png": png(picture)}
    assert read_all(pack(tmp_path / "a.zip", members)) == {"a": [["background", None]]}


def test_an_export_within_a_folder_of_its_zip_is_found_and_hidden_files_are_not(tmp_path):
    picture = png(np.full((1, 1, 3), (0, 0, 142), np.uint8))
    members = {
        "task/labelmap.txt": LABEL_MAP,
        "task/SegmentationClass/a/b.png": picture,
        "__MACOSX/task/SegmentationClass/a/b.png": b"",
        "task/SegmentationClass/a/._b.png": b"",
        "task/SegmentationObject/a/b.png": picture,
        "task/JPEGImages/a/b.png": picture,
    }
    assert read_all(pack(tmp_path / "a.zip", members)) == {"a/b": [["car"]]}


def test_names_that_leave_the_zip_are_no_labels_and_write_nothing(tmp_path):
    picture = png(np.full((1, 1, 3), (0, 0, 142), np.uint8))
    path = pack(tmp_path / "a.zip", {"labelmap.txt": LABEL_MAP, "SegmentationClass/../../evil.png": picture})
    with pytest.raises(ValueError, match="has no labels"):
        read_all(path)
    assert list(tmp_path.parent.rglob("evil*")) == []


def test_references_survive_pickling_and_paths_with_an_exclamation_mark(tmp_path):
    folder = tmp_path / "a!b"
    folder.mkdir()
    for name in BOTH:
        (folder / name).write_bytes((FILES / name).read_bytes())
        found = pickle.loads(pickle.dumps(cvat.references(folder / name)))
        assert {key: named(cvat.read(reference)) for key, reference in found.items()} == known()
        assert all(ref.startswith(f"{folder / name}!") and ref.count("!") == 2 for ref in found.values())


def test_a_file_that_changed_is_read_again(tmp_path):
    mask = '<mask label="{}" rle="0, 12" left="0" top="0" width="4" height="3"/>'
    path = xml(tmp_path / "a.xml", mask.format("car"))
    reference = cvat.references(path)["a/b"]
    assert cvat.read(reference).names == ("car",)
    xml(path, mask.format("bus"))
    os.utime(path, ns=(1, 1))
    assert cvat.read(reference).names == ("bus",)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"frame 'a/b.png' in 'a.xml'.*export it again"):
        cvat.read(reference)


def test_files_of_others_are_not_found(tmp_path):
    files = {"a.json": b"[]", "b.xml": b"<annotation><object/></annotation>", "c.xml": b"", "d.png": b"", "e.txt": b""}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    pack(tmp_path / "f.zip", {"result.json": "[]", "Annotations/a.xml": "<annotation/>"})
    assert not any(cvat.find(path) for path in (tmp_path, *tmp_path.iterdir()))


@pytest.mark.parametrize("data", [b"", b"no zip", (FILES / BOTH[0]).read_bytes()[:-30]])
def test_a_broken_zip_is_named(tmp_path, data):
    path = tmp_path / "task.zip"
    path.write_bytes(data)
    for function in (cvat.find, cvat.references):
        with pytest.raises(ValueError, match=r"cannot read .*task\.zip.*export it again"):
            function(path)


@pytest.mark.parametrize("name", BOTH)
def test_a_damaged_file_within_a_zip_is_named(tmp_path, name):
    path = tmp_path / name
    data = bytearray((FILES / name).read_bytes())
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        entry = next(e for e in archive.infolist() if e.filename.endswith(("frame1.png", ".xml")))
    start = entry.header_offset + 30 + len(entry.filename)
    data[start + 4 : start + 40] = bytes(36)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"cannot read '{entry.filename}' of '.*{name}'.*export it again"):
        read_all(path)


CAR = png(np.full((1, 2, 3), (0, 0, 142), np.uint8))


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"labelmap.txt": LABEL_MAP}, "has no labels"),
        ({"SegmentationClass/a.png": CAR}, "no 'labelmap.txt', .* keep all its files"),
        ({"labelmap.txt": "road:1,2::\n", "SegmentationClass/a.png": CAR}, "has the line 'road:1,2::'; expected"),
        ({"labelmap.txt": "a:1,2,3::\nb:1,2,3::", "SegmentationClass/a.png": CAR}, "'a' and 'b' the same color"),
        ({"labelmap.txt": "road:1,2,3::", "SegmentationClass/a.png": CAR}, r"'SegmentationClass/a.png'.*\(0, 0, 142\)"),
        ({"labelmap.txt": LABEL_MAP, "SegmentationClass/a.png": CAR[:45]}, "cannot read 'SegmentationClass/a.png'"),
        (
            {"labelmap.txt": LABEL_MAP, "SegmentationClass/a.png": png(np.ones((1, 1), np.uint16))},
            "mode I;16; expected",
        ),
        ({"labelmap.txt": LABEL_MAP, "SegmentationClass/a.png": png(np.full((1, 1), 9, np.uint8))}, "gray .* id 9"),
        (
            {"labelmap.txt": LABEL_MAP, "SegmentationClass/a.png": CAR, "SegmentationClass/a.PNG": CAR},
            "two labels of 'a'",
        ),
        (
            {
                "labelmap.txt": LABEL_MAP,
                "SegmentationClass/a/b.png": CAR,
                "annotations.xml": HEAD + FRAME.format("<polygon/>"),
            },
            "two labels of 'a/b'",
        ),
    ],
)
def test_masks_that_cannot_be_read_are_named_with_a_remedy(tmp_path, members, match):
    path = pack(tmp_path / "task.zip", members)
    assert cvat.find(path)
    with pytest.raises(ValueError, match=match) as error:
        read_all(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


MASK = '<mask label="car" rle="{}" left="{}" top="0" width="2" height="2"/>'


@pytest.mark.parametrize(
    ("shapes", "match"),
    [
        ('<ellipse label="car" cx="1" cy="1" rx="1" ry="1"/>', "of the kind 'ellipse' .*draw masks or polygons"),
        ('<box label="car" xtl="1"/>', "of the kind 'box'"),
        (MASK.format("1, 9", 0), "broken mask .* 2 x 2"),
        (MASK.format("1, x", 0), "broken mask .*' x'"),
        (MASK.replace('"2" height', '"40" height').format("0, 4", 3), "broken mask .* 40 x 2 pixels, the frame 4 x 3"),
        (MASK.format(f"0, {1 << 62}, {1 << 62}", 0), "broken mask .*runs of 9223372036854775808 pixels"),
        (MASK.format("0, 99999999999999999999", 0), "broken mask"),
        ('<polygon label="car" points="1,1;2,-1e308;3,1e308"/>', "broken polygon .* 1e.308 away; expected"),
        (MASK.format("0, 4", 0).replace("label", "name"), "broken mask .*label"),
        ('<polygon label="car" points="1,1;2"/>', "broken polygon"),
        ('<polygon label="car" points="1,1;2,nan;3,3"/>', "broken polygon"),
        ('<polygon label="car" points="1,1;2,2"/>', "broken polygon .*three"),
        ('<polygon label="car" points="1,1;2,2;3,1" z_order="x"/>', "cannot read frame"),
    ],
)
def test_shapes_that_cannot_be_read_are_named_with_file_and_frame(tmp_path, shapes, match):
    path = xml(tmp_path / "task.xml", shapes)
    (reference,) = cvat.references(path).values()
    with pytest.raises(ValueError, match=match) as error:
        cvat.read(reference)
    assert f"frame 'a/b.png' in 'task.xml' of '{path}'" in str(error.value)
    assert "export" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("left", "top", "rows"),
    [
        (3, 0, [[None, None, None, "car"], [None, None, None, "car"], [None] * 4]),
        (-1, -1, [["car", None, None, None], [None] * 4, [None] * 4]),
        (2, 2, [[None] * 4, [None] * 4, [None, None, "car", "car"]]),
        (9, 0, [[None] * 4] * 3),
        (-9, -9, [[None] * 4] * 3),
    ],
)
def test_what_a_mask_has_beyond_the_frame_is_cut_off_with_a_note(tmp_path, left, top, rows):
    mask = MASK.format("0, 4", left).replace('top="0"', f'top="{top}"')
    path = xml(tmp_path / "task.xml", mask)
    with pytest.warns(UserWarning, match=r"'a/b.png' in 'task.xml' .* has 1 masks .* beyond its 4 x 3 pixels: cut off"):
        assert read_all(path) == {"a/b": rows}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (HEAD + "<track id='0'><box/></track></annotations>", "tracks of a video; .*'CVAT for images 1.1'"),
        (HEAD + FRAME.format("<mask/>")[:-3], "cannot read 'annotations.xml'.*export it again"),
        (
            HEAD + FRAME.format("<mask/>").replace("</annotations>", "") * 2 + "</annotations>",
            "two labels of 'a/b.png'",
        ),
        ("<svg></svg>", "starts with <svg>"),
    ],
)
def test_an_xml_file_that_is_none_of_images_is_named(tmp_path, text, match):
    path = pack(tmp_path / "task.zip", {"annotations.xml": text})
    with pytest.raises(ValueError, match=match) as error:
        cvat.references(path)
    assert str(path) in str(error.value)
