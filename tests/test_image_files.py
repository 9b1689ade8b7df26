import pathlib
import re

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import sde_seg_jax
from sde_seg_jax.data.own import clips
from sde_seg_jax.data.raw_files import raw
from sde_seg_jax.image_files import open_image, orientation

PACKAGE = pathlib.Path(sde_seg_jax.__file__).parent


def test_only_one_place_of_the_package_opens_images():
    texts = {path.name: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [name for name, text in texts.items() if re.search(r"\bImage\.open\(", text)] == ["image_files.py"]


@pytest.mark.parametrize("kind", ["EPS", "PPM", "GIF", "PCX"])
def test_a_file_of_another_format_is_refused_whatever_its_name(tmp_path, kind):
    path = tmp_path / "frame.png"
    Image.new("L", (8, 8)).save(path, kind)
    for read in (raw.read_image, clips.read_image, clips._size_and_pages):
        with pytest.raises(ValueError, match=r"cannot read '.*frame.png' \(it is broken, or no JPEG, PNG.* file\)"):
            read(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_the_formats_that_are_meant_are_read(tmp_path, kind):
    Image.new("RGB", (8, 4), (9, 9, 9)).save(tmp_path / "frame.png", kind)
    assert abs(raw.read_image(tmp_path / "frame.png").astype(int) - 9).max() < 3


@pytest.mark.parametrize("value", [1, 6, 0, 9])
def test_the_turn_is_that_of_the_exif_entry_if_there_is_such_a_turn(tmp_path, value):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    with open_image(tmp_path / "a.jpg") as image:
        assert orientation(image) == (6 if value == 6 else 1)


@pytest.mark.parametrize("damage", ["short header", "long comment"])
def test_what_pillow_calls_a_wrong_value_is_one_line_that_names_the_file(tmp_path, damage):
    path = tmp_path / "frame.png"
    comment = PngImagePlugin.PngInfo()
    comment.add_text("comment", "a" * (2 << 20), zip=True)
    Image.new("L", (8, 8)).save(path, pnginfo=comment if damage == "long comment" else None)
    if damage == "short header":
        data = bytearray(path.read_bytes())
        data[11] = 5  # of 13 bytes
        path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot read '.*frame.png' \(.*\); replace the file"):
        raw.read_image(path)
