"""Damaged and hostile files of people and their tools: a clean result or one line that names the file, in no time."""

import io
import json
import pathlib
import random
import re
import time
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image
from tool_exports import PAINTED, cvat_files, label_studio_json

from sde_seg_jax.data.annotation import brush_rle, palette, tools
from sde_seg_jax.data.own import camera_files
from sde_seg_jax.data.reading.subset import read_list
from sde_seg_jax.experiment.selection.files import TABLE, Chosen, read_chosen, write_chosen

FILES = pathlib.Path(__file__).resolve().parent / "annotation_files"
CASES, SECONDS = 60, 10  # of each kind, and for each case (they take 0.01)
SIZES = (None, (24, 32), (4, 6))
PIECES = (
    *(b"-1", b"0", b"1e400", b"99999999999999999999", b"1000000", b"65536", b"NaN", b"inf", b"null", b"true", b"[]"),
    *(b"{}", b'""', b"[[[[", b"\\u0000", b"\\ud800", b"<!DOCTYPE a>", b"&x;", b"..", b"/", b"\\", b"\0", b"\xfc"),
    *(b"\xff\xfe", b"\xef\xbb\xbf"),
)
NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def archive(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return data.getvalue()


def picture(values):
    data = io.BytesIO()
    Image.fromarray(values).save(data, "PNG")
    return data.getvalue()


def originals(folder):
    """Kind -> file name and content."""
    label_studio_json(folder / "a.json", ["rear/frame7", "b"])
    polygons = (folder / "a.json").read_bytes()
    brush = json.loads(polygons)
    region = brush[0]["annotations"][0]["result"][0]
    region["type"], rle = "brushlabels", brush_rle.encode(np.eye(24, 32, dtype=bool))
    region["value"] = {"format": "rle", "rle": rle, "brushlabels": ["car"]}
    write_chosen(folder, [Chosen(1, "=a", 25, "ds", 1.5), Chosen(2, "b", 25, "ds", None, 2.0)])
    with zipfile.ZipFile(FILES / "cvat_images.zip") as images:
        xml = images.read("annotations.xml")
    classes = [{"name": "road", "color": [1, 2, 3], "id": 7}, {"name": "Straße", "id": 255, "ignore": True}]
    camera = {"K": [[721.5, 0, 609.6], [0, 721.5, 172.9], [0, 0, 1]], "width": 1242, "height": 375}
    return {
        "zip": ("export.zip", archive(cvat_files({"rear/frame7": PAINTED}))),
        "xml": ("annotations.xml", xml),
        "polygons": ("project.json", polygons),
        "brush": ("project.json", json.dumps(brush).encode()),
        "classes": ("classes.json", json.dumps(classes).encode()),
        "camera": ("camera.json", json.dumps(camera).encode()),
        "list": ("list.txt", "# c\r\nclip/ü\r\na\n".encode()),
        "table": (TABLE, (folder / TABLE).read_bytes()),
        "ids": ("label.png", picture(PAINTED.astype(np.uint8))),
        "colors": ("label.png", picture(np.zeros((24, 32, 3), np.uint8))),
    }


KINDS = ("zip", "xml", "polygons", "brush", "classes", "camera", "list", "table", "ids", "colors")


def changed(rng, data):
    """A file with a few faults, or in another encoding."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at, piece = rng.randrange(len(data) + 1), rng.choice(PIECES)
        numbers = [match.span() for match in NUMBER.finditer(data)]
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randrange(1, 40)]
            case 2:
                data[at : at + rng.choice([0, 9])] = piece
            case 3:
                del data[at:]
            case 4 if numbers:
                start, end = rng.choice(numbers)
                data[start:end] = piece
            case 5:
                data[at:at] = data[: rng.randrange(200)]
            case 6:
                codec = rng.choice(["utf-16", "utf-16-le", "utf-8-sig", "utf-32"])
                data = bytearray(data.decode("latin-1").encode(codec))
    return bytes(data)


def changed_within(rng, data):
    """A zip whose files have faults."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    return archive({name: changed(rng, content) if rng.random() < 0.5 else content for name, content in files.items()})


class Source:
    name, names = "folder", ("clip/ü", "a")


def use(kind, path, size):
    if kind in ("zip", "xml", "polygons", "brush"):
        if tools.find(path) is not None:
            for reference in tools.references(path).values():
                tools.read(reference, size)
    elif kind == "classes":
        palette.read_classes(str(path))
    elif kind == "camera":
        camera_files.read(path)
    elif kind == "list":
        read_list(Source, path)
    elif kind == "table":
        read_chosen(path.parent)
    else:
        (path.parent / "classes.json").write_text('{"a": [0, 0, 0], "b": [1, 1, 1]}')
        palette.read_label(str(path), palette.read_classes(str(path.parent / "classes.json")), size)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_harmless_or_one_line_that_names_the_file(tmp_path, kind):
    name, data = originals(tmp_path)[kind]
    (tmp_path / "case").mkdir()
    path, refused, said = tmp_path / "case" / name, 0, []
    for seed in range(CASES):
        rng = random.Random(f"{kind} {seed}")
        path.write_bytes(changed_within(rng, data) if kind == "zip" and seed % 2 else changed(rng, data))
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(kind, path, rng.choice(SIZES))
        except tools.OtherSize:
            refused += 1  # `label_sizes` names files then
        except ValueError as error:
            said.append(str(error))
        assert time.perf_counter() - start < SECONDS, seed
    assert [text for text in said if name not in text or "\n" in text] == []
    assert 0 < len(said) < CASES - refused
