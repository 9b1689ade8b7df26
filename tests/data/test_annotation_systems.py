"""Labels from other systems: encodings, slashes, forms of Unicode, and names that a tool changed at the upload."""

import json
import unicodedata
import zipfile

import numpy as np
import pytest
from tool_exports import EXPECTED, PAINTED, cvat_files, label_studio_json, labels, two_good, unlabeled
from tree_folder import CLASSES, SHAPE, picture, save

from sde_seg_jax.data.annotation import archives, cvat, label_studio
from sde_seg_jax.data.annotation.label_studio_keys import key_of
from sde_seg_jax.data.datasets import camvid, folder
from sde_seg_jax.data.own import renamed
from sde_seg_jax.data.raw_files import kitti_files
from sde_seg_jax.data.raw_files.raw import Problems
from sde_seg_jax.data.reading.subset import indices_of, read_list

CODECS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
XML = '<?xml version="1.0" encoding="{}"?>\r\n<annotations>\r\n{}</annotations>\r\n'
IMAGE = '<image id="0" name="{}" width="32" height="24"><polygon label="car" points="0,0;32,0;32,24;0,24"/></image>\r\n'
KEYS = ("rear/frame7", "front/straße/frame9")


@pytest.fixture
def root(tmp_path):
    return unlabeled(tmp_path / "raw")


def document(declared="utf-8", names=KEYS):
    return XML.format(declared, "".join(IMAGE.format(f"{name}.png") for name in names))


LATIN = document().encode("latin-1")


@pytest.mark.parametrize("codec", CODECS)
def test_exports_and_classes_in_any_unicode_are_read(root, codec):
    (root / "labels" / "annotations.xml").write_bytes(document("utf-8").encode(codec))
    label_studio_json(root / "labels" / "project.json", ["rear/frame10", "front/straße/frame10"])
    path = root / "labels" / "project.json"
    path.write_bytes(json.dumps(json.loads(path.read_text()), ensure_ascii=False).encode(codec))
    (root / "classes.json").write_bytes(json.dumps(CLASSES, indent=1).replace("\n", "\r\n").encode(codec))
    found = labels(root)
    assert set(found) == {*KEYS, "rear/frame10", "front/straße/frame10"}
    assert all((label == 1).all() for label in found.values())


@pytest.mark.parametrize(("codec", "declared"), [("latin-1", "ISO-8859-1"), ("cp1252", "windows-1252")])
def test_xml_is_read_in_the_encoding_that_it_declares(root, codec, declared):
    (root / "labels" / "annotations.xml").write_bytes(document(declared).encode(codec))
    assert set(labels(root)) == set(KEYS)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig"])
def test_xml_that_an_editor_saved_in_another_encoding_than_it_declares_is_read(root, codec):
    (root / "labels" / "annotations.xml").write_bytes(document("utf-16").encode(codec))
    assert set(labels(root)) == set(KEYS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "annotations.xml",
            LATIN,
            f"no text in UTF-8 from byte {LATIN.index(0xDF)} on, .*Latin-1",
        ),
        ("annotations.xml", document("klingon").encode(), "declares the encoding 'klingon', which is not known"),
        ("project.json", '[{"id": 1, "annotations": "Straße"}]'.encode("latin-1"), "byte 0xdf at 31 .*Latin-1"),
    ],
)
def test_what_cannot_be_known_is_refused_with_file_and_encoding(root, name, content, message):
    two_good(root)
    (root / "labels" / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}'.*{message}") as error:
        labels(root)
    assert "\n" not in str(error.value)


def test_a_list_of_classes_in_latin_1_is_refused_by_name(root):
    two_good(root)
    (root / "classes.json").write_bytes('[{"name": "Straße"}]'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"cannot read '.*classes.json' \(it is neither UTF-8 nor UTF-16: byte 0xdf"):
        labels(root)


@pytest.mark.parametrize("codec", CODECS)
def test_cameras_and_lists_are_read_alike(root, codec):
    two_good(root)
    (root / "camera.json").write_bytes('{"field_of_view": 70}\r\n'.encode(codec))
    items = folder.items("train", root, problems=Problems(), **folder.SPEC.complete({}))
    assert items[0].intrinsics[0] == pytest.approx(SHAPE[1] / 2 / np.tan(np.radians(35)))

    class Source:
        name, names = "folder", ["front/straße/frame7", "rear/frame8"]

    path = root / "list.txt"
    path.write_bytes(unicodedata.normalize("NFD", "rear\\frame8\r\nfront/straße/frame7\r\n").encode(codec))
    assert read_list(Source, path) == ["rear/frame8", "front/straße/frame7"]
    assert indices_of(Source, ["rear/frame8"]).tolist() == [1]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_files_labels_and_classes_are_compared_in_one_form(root, form):
    def other(text):
        return unicodedata.normalize(form, text)

    mine = "NFD" if form == "NFC" else "NFC"
    clip = unicodedata.normalize(mine, "Fahrt übers Mößtal")
    for name in ("a", "b", "c"):
        save(root / clip / f"{name}.png", picture(0))
    save(root / "labels" / other(clip) / "a.png", np.full(SHAPE, 7, np.uint8))
    classes = [*CLASSES, {"name": unicodedata.normalize(mine, "Bäume"), "color": [1, 1, 1], "id": 9}]
    (root / "classes.json").write_text(json.dumps(classes))
    label_studio_json(root / "labels" / "project.json", [other(f"{clip}/b")], category=other("Bäume"))
    with zipfile.ZipFile(root / "labels" / "cvat.zip", "w") as archive:
        for name, content in cvat_files({other(f"{clip}/c"): PAINTED}).items():
            archive.writestr(name, content)
    options = {"val_clips": (other(clip),)}
    assert {key.rpartition("/")[2] for key in labels(root, **options)} == {"a", "b", "c"}
    clip = unicodedata.normalize("NFC", clip)
    np.testing.assert_array_equal(labels(root, **options)[f"{clip}/c"], EXPECTED)
    assert (labels(root, **options)[f"{clip}/b"] == 2).all()


class Unmarked(zipfile.ZipInfo):
    """An entry whose name is in UTF-8 without saying so, as macOS writes them."""

    __slots__ = ()

    def _encodeFilenameFlags(self):
        return self.filename.encode(), self.flag_bits


def test_two_frames_of_one_name_in_two_forms_are_told(root):
    for form in ("NFC", "NFD"):
        save(root / "rear" / f"{unicodedata.normalize(form, 'ü')}.png", picture(0))
    two_good(root)
    with pytest.raises(ValueError, match="two frames are called 'rear/ü', in two forms of Unicode; rename one"):
        labels(root)


@pytest.mark.parametrize("codec", CODECS)
def test_lists_of_kitti_and_camvid_are_read_alike(tmp_path, codec):
    path = tmp_path / "train.txt"
    path.write_bytes("2011_09_26\\2011_09_26_drive_0001_sync 5 l\r\n\r\n".encode(codec))
    (place,) = kitti_files.read_list(str(path), tmp_path, Problems())
    assert place.name == "2011_09_26_drive_0001_sync_02_0000000005"
    path.write_bytes("/SegNet\\train\\0001_000001.png /SegNet/trainannot/0001_000001.png\r\n".encode(codec))
    for folder_name in ("train", "trainannot"):
        save(tmp_path / folder_name / "0001_000001.png", np.zeros((2, 2), np.uint8))
    ((image, label),) = camvid._listed(tmp_path, "train", Problems())
    assert (image.parent.name, label.parent.name) == ("train", "trainannot")


def test_a_zip_of_windows_and_one_that_a_mac_packed_again_are_read(root):
    with zipfile.ZipFile(root / "labels" / "windows.zip", "w") as archive:
        for name, content in cvat_files({"rear/frame7": PAINTED}).items():
            entry = zipfile.ZipInfo("x")
            entry.filename = name.replace("/", "\\")
            archive.writestr(entry, content)
    with zipfile.ZipFile(root / "labels" / "mac.zip", "w") as archive:
        for name, content in cvat_files({"front/straße/frame9": PAINTED}).items():
            archive.writestr(Unmarked(unicodedata.normalize("NFD", f"my täsk/{name}")), content)
            archive.writestr(f"__MACOSX/my task/._{name}", b"")
    found = labels(root)
    assert set(found) == set(KEYS)
    for label in found.values():
        np.testing.assert_array_equal(label, EXPECTED)


@pytest.mark.parametrize("left", ["Thumbs.db", "desktop.ini", "__MACOSX/a.png", ".DS_Store"])
def test_what_a_system_left_behind_in_an_export_is_no_file_of_it(tmp_path, left):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("masks/a.png", f"masks/{left}"):
            archive.writestr(name, b"x")
    assert archives.names(tmp_path / "a.zip") == ["masks/a.png"]


def test_an_unpacked_export_with_backslashes_in_its_names_is_read(root):
    folder = root / "export"
    folder.mkdir()
    for name, content in cvat_files({"rear/frame7": PAINTED, "rear/frame9": PAINTED}).items():
        (folder / name.replace("/", "\\")).write_bytes(content)
    found = cvat.references(folder)
    assert set(found) == {"rear/frame7", "rear/frame9"}
    assert cvat.read(found["rear/frame7"]).indices.shape == SHAPE


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ("/data/local-files/?d=clip\\f0.png", "clip/f0"),
        ("/data/local-files/?d=clip%5Cf0.png", "clip/f0"),
        ("/data/local-files/?d=clip%5cday%201%5cf0.png", "clip/day 1/f0"),
        ("C:\\data\\clip\\f0.png", "data/clip/f0"),
        ("\\data\\upload\\3\\1a2b3c4d-f0.png", "f0"),
    ],
)
def test_backslashes_in_the_paths_of_label_studio_are_slashes(image, key):
    assert key_of({"image": image}) == key


def test_backslashes_in_the_paths_of_cvat_are_slashes(root):
    names = ["rear\\frame7", "rear\\frame9"]
    (root / "labels" / "annotations.xml").write_text(document(names=names))
    assert set(labels(root)) == {"rear/frame7", "rear/frame9"}


FRAMES = ("clip/Bild 1 (2)", "clip/f0", "other/f1", "rear/f1", "tour/000001", "a+b", "Über/Ärger")


@pytest.mark.parametrize(
    ("key", "frame"),
    [
        ("1a2b3c4d-Bild_1_2", "clip/Bild 1 (2)"),
        ("Bild_1_2", "clip/Bild 1 (2)"),
        ("upload/F0", "clip/f0"),
        ("f1", None),  # two have that name
        ("x/rear/f1", "rear/f1"),
        ("1a2b3c4d-ab", "a+b"),
        ("deadbeef-Ärger", "Über/Ärger"),
        ("f2", None),
        ("()", None),
    ],
)
def test_an_upload_that_was_renamed_is_found_by_its_name_if_only_one_fits(key, frame):
    assert renamed.find([key], FRAMES).get(key) == frame


def test_two_uploads_that_fit_one_frame_are_of_none():
    assert renamed.find(["1a2b3c4d-f0", "f0"], FRAMES) == {}


def test_uploads_find_their_frames_and_that_is_told(root):
    for name in ("Bild 1 (2)", "Bild 3"):
        save(root / "neu" / f"{name}.jpg", picture(0))
    path = root / "labels" / "project.json"
    label_studio_json(path, ["a", "b"])
    tasks = json.loads(path.read_text())
    for task, name in zip(tasks, ("1a2b3c4d-Bild_1_2.jpg", "0a2b3c4e-Bild_3.jpg"), strict=True):
        task["data"]["image"] = f"/data/upload/7/{name}"
    path.write_text(json.dumps(tasks))
    assert len(label_studio.references(path)) == 2
    with pytest.warns(UserWarning, match="2 labels are found by the names of their files only.*'Bild_1_2' is taken"):
        found = labels(root)
    assert set(found) == {"neu/Bild 1 (2)", "neu/Bild 3"}
