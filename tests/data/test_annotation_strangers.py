"""Files from strangers: what they claim is looked at before memory and time are spent on it."""

import json
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from tool_exports import labels, mirrored, unlabeled

from sde_seg_jax.data.annotation import cvat, frames, palette, shapes, tools
from sde_seg_jax.data.annotation.frames import OtherSize

MB, SECONDS = 1 << 20, 10


@pytest.fixture
def root(tmp_path):
    raw = unlabeled(tmp_path / "raw")
    mirrored(raw, "rear/frame9")
    return raw


@pytest.fixture(autouse=True)
def frugal():
    """A test takes less than ten seconds and a hundred megabytes."""
    tracemalloc.start()
    start = time.perf_counter()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * MB
    assert time.perf_counter() - start < SECONDS


def refused(root, message):
    with pytest.raises(ValueError, match=message) as error:
        labels(root)
    assert "\n" not in str(error.value)
    assert str(root / "labels") in str(error.value)


def packed(path, name, size, fill=b" ", method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive, archive.open(name, "w", force_zip64=True) as file:
        for _ in range(size // MB):
            file.write(fill * MB)
    return path


@pytest.mark.parametrize("name", ["annotations.xml", "labelmap.txt", "task/SegmentationClass/rear/frame7.png"])
def test_a_zip_that_unpacks_to_far_more_is_refused_with_the_numbers(root, name):
    packed(root / "labels" / "cvat.zip", name, 32 * MB)
    refused(root, r"cvat.zip' \(it unpacks from \d\d,\d\d\d to 33,554,432 bytes, more than 100 times as many\)")


def claim(path, size):
    """Lets the first entry of a zip say that it unpacks to `size` bytes."""
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", size)
    path.write_bytes(data)


def test_one_file_of_a_zip_may_not_be_too_large(root):
    path = root / "labels" / "cvat.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labelmap.txt", "#" * (2 * MB))
        archive.writestr("SegmentationClass/rear/frame7.png", b"")
    with pytest.raises(ValueError, match=r"'labelmap.txt' of '.*cvat.zip' .it has 2,097,152 bytes, more than"):
        cvat.read(next(iter(cvat.references(path).values())))


def test_a_method_that_no_tool_uses_is_refused(root):
    path = packed(root / "labels" / "cvat.zip", "annotations.xml", MB, method=zipfile.ZIP_BZIP2)
    assert path.stat().st_size < 1000
    refused(root, "it is packed by method 12; expected 0 .stored. or 8 .deflated.")


def test_a_zip_that_lies_about_its_sizes_is_one_line(root):
    path = packed(root / "labels" / "cvat.zip", "annotations.xml", 16 * MB)
    claim(path, 1000)
    refused(root, "cvat.zip'")


def xml(root, size, shape, head=""):
    image = f'<image id="0" name="rear/frame7.png" {size}>{shape}</image>'
    (root / "labels" / "annotations.xml").write_text(f"{head}<annotations>{image}</annotations>")


POLYGON = '<polygon label="car" points="0,0;9,0;9,9"/>'


@pytest.mark.parametrize("size", [(1_000_000, 1_000_000), (10_000, 10_000), (33, 24), (1, 10**12)])
def test_an_image_of_cvat_that_claims_another_size_is_refused_at_once(root, size):
    xml(root, 'width="{}" height="{}"'.format(*size), POLYGON)
    refused(root, rf"annotations.xml.*({size[0]} x {size[1]} pixels|is {size[1]}x{size[0]} but image '.*frame7.png')")


def test_a_mask_of_cvat_may_not_be_far_larger_than_its_frame(root):
    mask = '<mask label="car" rle="0, 4" left="0" top="0" width="100000" height="100000"/>'
    xml(root, 'width="32" height="24"', mask)
    refused(root, "broken mask .it has 100000 x 100000 pixels, the frame 32 x 24")


@pytest.mark.parametrize("tool", ["cvat", "label_studio"])
def test_shapes_upon_shapes_have_an_end(root, monkeypatch, tool):
    monkeypatch.setattr(frames, "PAINTED", 32 * 24 * 3)
    if tool == "cvat":
        xml(root, 'width="32" height="24"', '<polygon label="car" points="0,0;32,0;32,24"/>' * 4)
    else:
        studio(root, 32, 24, {"points": [[0, 0], [100, 0], [100, 100]]}, count=4)
    refused(root, "its shapes have more than 2,304 pixels in all; join or delete some")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "cccccccccc"><!ENTITY d "&b;&b;">]>', "it has a document type"),
        ("<annotations>" * 1000, "nested more than 64 deep"),
    ],
)
def test_xml_with_entities_or_depth_is_refused(root, head, message):
    xml(root, 'width="32" height="24"', POLYGON, head)
    refused(root, message)


def studio(root, width, height, value, count=1):
    kind = "brushlabels" if "rle" in value else "polygonlabels"
    result = {"id": "a", "type": kind, "original_width": width, "original_height": height}
    result["value"] = {**value, kind: ["car"]}
    task = {"id": 1, "data": {"image": "rear/frame7.png"}, "annotations": [{"id": 1, "result": [result] * count}]}
    (root / "labels" / "project.json").write_text(json.dumps([task]))


def rle(width, height):
    """A few hundred bytes that stand for a painted image of any size."""
    bits = f"{4 * width * height:032b}" + f"{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits += ("1" + "11" + f"{65535:016b}" + f"{255:08b}") * 60
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


@pytest.mark.parametrize("size", [(30_000, 30_000), (11_000, 12_000), (33, 24)])
@pytest.mark.parametrize("kind", ["rle", "points"])
def test_an_image_of_label_studio_that_claims_another_size_is_refused_at_once(root, size, kind):
    value = {"rle": rle(*size)} if kind == "rle" else {"points": [[0, 0], [100, 0], [100, 100]]}
    studio(root, *size, value)
    refused(root, rf"project.json.*({size[0]} x {size[1]} pixels|is {size[1]}x{size[0]} but image '.*frame7.png')")


def test_run_lengths_that_stand_for_more_than_the_frame_are_refused_at_once(root):
    studio(root, 32, 24, {"rle": rle(30_000, 30_000)})
    refused(root, "of 3600000000 values, not of the 4 x 32 x 24 of the image")


@pytest.mark.parametrize(
    ("points", "message"),
    [([[0, 0]] * 11, "polygon of 11 points"), ([[10**400, 0]] * 3, "is broken"), ([[1e300, 0]] * 3, "3.2e.299 away")],
)
def test_polygons_beyond_all_measure_are_refused(root, monkeypatch, points, message):
    monkeypatch.setattr(shapes, "POINTS", 10)
    studio(root, 32, 24, {"points": points})
    refused(root, message)


def test_json_that_is_nested_without_end_is_refused_with_the_limit(root):
    (root / "labels" / "project.json").write_text('[{"annotations": ' + "[" * 100_000)
    refused(root, r"nested too deep, near the limit of \d+ levels")
    (root / "labels" / "project.json").write_text("[" * 100_000)
    refused(root, r"nested too deep, near the limit of \d+ levels")


def png(path, width, height):
    """A PNG of one value, of any size, in few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(MB))) + chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize("size", [(50_000, 50_000), (9_000, 9_000), (33, 24)])
def test_a_label_that_claims_another_size_is_refused_before_it_is_decoded(root, size):
    png(root / "labels" / "rear" / "frame7.png", *size)
    message = rf"frame7.png'.*({size[0]} x {size[1]} pixels|is {size[1]}x{size[0]} but image '.*frame7.png')"
    refused(root, message)


def test_a_label_picture_of_cvat_is_refused_by_its_header(root):
    content = png(root / "big.png", 9_000, 9_000).read_bytes()
    (root / "big.png").unlink()
    with zipfile.ZipFile(root / "labels" / "cvat.zip", "w") as archive:
        archive.writestr("labelmap.txt", "car:0,0,142::")
        archive.writestr("SegmentationClass/rear/frame7.png", content)
    refused(root, "is 9000x9000 but image '.*frame7.png' is 24x32")


def test_classes_and_cameras_have_a_largest_size(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text("[" + " " * (2 * MB) + "]")
    with pytest.raises(ValueError, match=r"cannot read '.*classes.json' .it has 2,097,154 bytes, more than the 1,048"):
        palette.read_classes(str(path))


def test_a_tool_of_another_package_is_asked_as_before_and_its_size_is_checked(root, monkeypatch):
    class Tool:
        @staticmethod
        def find(path):
            return path.suffix == ".csv"

        @staticmethod
        def read(reference):
            return tools.NamedLabel(np.zeros((2, 3), np.int16), ("car",))

    (root / "labels" / "a.csv").write_text("")
    monkeypatch.setattr(tools, "_all", lambda: (Tool,))
    assert tools.read(f"{root}/labels/a.csv!x").indices.shape == (2, 3)
    with pytest.raises(OtherSize):
        tools.read(f"{root}/labels/a.csv!x", (24, 32))
