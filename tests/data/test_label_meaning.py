"""Labels that mean something else than they say: ids from 1, smoothed colors, pictures that EXIF turns."""

import json
import struct

import cv2
import numpy as np
import pytest
from PIL import Image
from tool_exports import labels
from tree_folder import picture, save

from sde_seg_jax.data.annotation import palette, pictures
from sde_seg_jax.types import IGNORE

NAMES = [{"name": name} for name in ("up", "down", "bar")]
COLORS = [{"name": n, "color": c} for n, c in zip("abc", ([200, 0, 0], [0, 200, 0], [0, 0, 200]), strict=True)]


def read(tmp_path, entries, values):
    (tmp_path / "classes.json").write_text(json.dumps(entries))
    Image.fromarray(np.array(values, np.uint8)).save(tmp_path / "label.png")
    return palette.read_label(str(tmp_path / "label.png"), palette.read_classes(str(tmp_path / "classes.json")))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2, 3]], r"\[3\]: ignored; labels seem to count from 1: give the entries of '.*classes.json' .* 1 to 3"),
        ([[0, 1, 3]], r"labels seem to count from 1, with 0 for nobody: .* or, if 0 is 'up', add the class of id 3"),
        ([[1, 3, 255]], r"\[3, 255\]: ignored; labels seem to count from 1"),
        ([[1, 2, 4]], r"\[4\]: ignored; add them to"),
        ([[1, 3, 4]], r"\[3, 4\]: ignored; add them to"),
        ([[0, 255]], r"\[255\]: ignored; add them to"),
    ],
)
def test_ids_that_count_from_one_are_told_as_such(tmp_path, values, message):
    with pytest.warns(UserWarning, match=message):
        found = read(tmp_path, NAMES, values)
    np.testing.assert_array_equal(found, np.where(np.array(values) < len(NAMES), values, IGNORE))


def test_the_advice_about_ids_from_one_works(tmp_path):
    nobody = {"name": "unlabeled", "id": 0, "ignore": True}
    entries = [nobody, *({**entry, "id": number} for number, entry in enumerate(NAMES, 1))]
    assert read(tmp_path, entries, [[0, 1, 2, 3]]).tolist() == [[IGNORE, 0, 1, 2]]


@pytest.mark.parametrize(
    ("entries", "pixels", "asked"),
    [
        (NAMES, [0, 5, 5], True),
        (NAMES, [1, 5, 5], False),  # as from 1 with 0 for nobody and nothing of the last class: nobody can tell
        (NAMES, [0, 0, 5], False),
        ([{"name": "all"}], [0], False),
        ([{**entry, "id": number} for number, entry in enumerate(NAMES, 1)], [0, 5, 5], False),
        (COLORS, [0, 5, 5], False),  # whose labels may have no ids
    ],
)
def test_labels_without_the_first_class_are_asked_about(tmp_path, entries, pixels, asked):
    (tmp_path / "classes.json").write_text(json.dumps(entries))
    question = palette.first_is_missing(palette.read_classes(str(tmp_path / "classes.json")), np.array(pixels))
    if asked:
        assert question.startswith("no label looked at has a pixel of id 0 ('up'), all other ids of '")
        assert question.endswith('do ids count from 1? Then give its entries their "id", 1 to 3')
    else:
        assert question == ""


def smoothed(size=96):
    """A mask of colors with soft edges, and its ids."""
    ids = np.zeros((size, size), int)
    ids[size // 2 :], ids[:, size // 3 : size // 2] = 1, 2
    cv2.circle(mask := ids.astype(np.int32), (70, 30), 20, 2, -1)
    cv2.circle(mask, (60, 80), 15, 0, -1)
    sharp = np.array([entry["color"] for entry in COLORS], np.uint8)[mask]
    return cv2.GaussianBlur(sharp, (0, 0), 2.0), mask


def test_smoothed_edges_are_told_with_the_share_of_exact_pixels(tmp_path):
    soft, _ = smoothed()
    with pytest.raises(ValueError, match=r"unknown colors, but \d\d\.\d% of its pixels have exact ones: smoothed"):
        read(tmp_path, COLORS, soft)


def test_edges_that_are_smoothed_far_are_no_photograph(tmp_path):
    soft, _ = smoothed()
    soft = cv2.GaussianBlur(soft, (0, 0), 4)
    with pytest.raises(ValueError, match=r"but [234]\d\.\d% of its pixels have exact ones: smoothed edges"):
        read(tmp_path, COLORS, soft)


def test_few_blends_are_ignored_with_a_hint(tmp_path):
    soft = np.repeat(smoothed()[0][:1], 9, 0)
    with pytest.warns(UserWarning, match=r"unknown colors \[.*\]: ignored; smoothed edges\? draw"):
        found = read(tmp_path, COLORS, soft)
    assert 0 < (found == IGNORE).mean() < 0.5


def test_blends_are_ignored_where_the_classes_say_so(tmp_path):
    soft, ids = smoothed()
    found = read(tmp_path, [*COLORS, {"name": "void", "color": [9, 9, 9], "ignore": True, "blends": True}], soft)
    np.testing.assert_array_equal(found[found != IGNORE], ids[found != IGNORE])
    assert 0.5 < (found != IGNORE).mean() < 1
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    with pytest.raises(ValueError, match=r"is no label picture; .*swapped\?"):
        read(tmp_path, [*COLORS, {"name": "void", "ignore": True, "blends": True}], noise)


def test_only_an_ignored_class_can_take_the_blends(tmp_path):
    with pytest.raises(ValueError, match=r"gives 'a' the blends, but does not ignore it; add \"ignore\": true"):
        read(tmp_path, [{"name": "a", "color": [1, 2, 3], "blends": True}], [[0]])


def photographs(root, turn, shape, labels_turned):
    """Three photographs with an EXIF entry, of upright `shape`, and labels of all."""
    (root / "clip").mkdir(parents=True)
    height, width = shape
    stored = (width, height) if turn >= 5 else shape
    exif = Image.Exif()
    exif[0x0112] = turn
    for number in range(3):
        image = np.resize(picture(number), (*stored, 3))
        Image.fromarray(image).save(root / "clip" / f"{number}.jpg", exif=exif)
        save(root / "labels" / "clip" / f"{number}.png", np.zeros(shape if labels_turned else stored, np.uint8))
    (root / "classes.json").write_text(json.dumps(NAMES))
    (root / "camera.json").write_text('{"field_of_view": 60}')
    return root


@pytest.mark.parametrize(
    ("turn", "how"), [(5, "mirrored"), (6, "90 degrees clockwise"), (7, "mirrored"), (8, "90 degrees counterclockwise")]
)
def test_labels_drawn_on_the_stored_picture_are_told_with_the_remedy(tmp_path, turn, how):
    root = photographs(tmp_path / "raw", turn, (24, 32), labels_turned=False)
    message = (
        rf"0.png' is 32x24 but image '.*0.jpg' is 24x32 \(h x w\), turned by its EXIF .* {turn}\), .*{how}.*upright"
    )
    with pytest.raises(ValueError, match=message) as error:
        labels(root)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_labels_drawn_on_the_turned_picture_are_read_without_a_word(tmp_path, turn, recwarn):
    assert len(labels(photographs(tmp_path / "raw", turn, (24, 32), labels_turned=True))) == 3
    assert not recwarn


@pytest.mark.parametrize(("turn", "shape"), [(6, (24, 24)), (8, (24, 24)), (3, (24, 32)), (2, (24, 32))])
def test_where_it_cannot_be_known_there_is_a_warning(tmp_path, turn, shape):
    root = photographs(tmp_path / "raw", turn, shape, labels_turned=True)
    with pytest.warns(UserWarning, match=rf"fits image .* as stored and as turned by its EXIF entry .*{turn}\)"):
        assert len(labels(root)) == 3


def test_another_size_without_a_turn_is_told_as_before(tmp_path):
    root = photographs(tmp_path / "raw", 1, (24, 32), labels_turned=True)
    save(root / "labels" / "clip" / "1.png", np.zeros((32, 24), np.uint8))
    with pytest.raises(ValueError, match=r"1.png' is 32x24 but image '.*1.jpg' is 24x32 \(h x w\); make them equal"):
        labels(root)


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".TIFF"])
@pytest.mark.parametrize("colored", [False, True])
def test_labels_in_other_formats_without_loss_are_read_alike(tmp_path, suffix, colored):
    (tmp_path / "classes.json").write_text(json.dumps(COLORS))
    ids = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    values = np.array([entry["color"] for entry in COLORS], np.uint8)[ids] if colored else ids
    Image.fromarray(values).save(tmp_path / f"label{suffix}")
    classes = palette.read_classes(str(tmp_path / "classes.json"))
    np.testing.assert_array_equal(palette.read_label(str(tmp_path / f"label{suffix}"), classes), ids)


@pytest.mark.parametrize(("kind", "written"), [("bmp", {}), ("tif", {}), ("tif", {"compression": "jpeg"})])
def test_a_label_with_loss_whose_name_hides_it_is_read_with_a_warning(tmp_path, kind, written):
    (tmp_path / "classes.json").write_text(json.dumps(NAMES))
    image, form = Image.fromarray(np.full((8, 8), 2, np.uint8)), "TIFF" if written else "JPEG"
    image.save(tmp_path / f"label.{kind}", form, quality=100, **written)
    classes = palette.read_classes(str(tmp_path / "classes.json"))
    with pytest.warns(UserWarning, match=rf"label '.*label.{kind}' is a JPEG file, which smears ids .* as PNG"):
        np.testing.assert_array_equal(palette.read_label(str(tmp_path / f"label.{kind}"), classes), 2)


def test_a_label_of_16_bits_is_refused_in_any_format(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "label.tif")
    with pytest.raises(ValueError, match=r"label.tif' has mode I;16 and 16 bits; expected class ids"):
        palette.read_raw(str(tmp_path / "label.tif"))


def test_a_label_of_less_than_8_bits_is_refused_in_any_format(tmp_path):
    """Pillow would rescale its values."""
    Image.fromarray(np.ones((2, 2), np.uint8)).save(tmp_path / "label.tif")
    entry = struct.pack("<HHI", pictures.BITS_PER_SAMPLE, 3, 1)
    content = (tmp_path / "label.tif").read_bytes()
    (tmp_path / "label.tif").write_bytes(content.replace(entry + b"\x08", entry + b"\x04"))
    with pytest.raises(ValueError, match=r"label.tif' has mode L and 4 bits; expected class ids"):
        palette.read_raw(str(tmp_path / "label.tif"))
