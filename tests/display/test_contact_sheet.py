import dataclasses

import numpy as np
import pytest

from sde_seg_jax.display.contact_sheet import BAD, GOOD, Section, contact_sheet
from sde_seg_jax.display.sheets import BACKGROUND
from sde_seg_jax.label_spaces import CAMVID
from sde_seg_jax.types import IGNORE


@dataclasses.dataclass
class Shown:
    name: str
    image: np.ndarray
    label: np.ndarray | None = None
    difference: np.ndarray | None = None
    depth: np.ndarray | None = None


def sample(name="first", gray=120, **fields):
    return Shown(name, np.full((60, 80, 3), gray, np.uint8), **fields)


def has(sheet, color):
    return bool((sheet == np.uint8(color)).all(-1).any())


def count(sheet, color):
    return int((sheet == np.uint8(color)).all(-1).sum())


def test_every_picture_of_every_split_is_there():
    sections = [Section("train", True, [sample(gray=31), sample(gray=32)]), Section("val", True, [sample(gray=33)])]
    sheet = contact_sheet("set", sections, CAMVID)
    assert sheet.dtype == np.uint8
    for gray in (31, 32, 33):
        assert count(sheet, (gray,) * 3) == 180 * 240  # 60 x 80 enlarged by 3, to at least 160 high
    assert has(sheet, BACKGROUND)


def test_labels_lie_over_the_image_and_ignored_pixels_show_it():
    label = np.full((60, 80), IGNORE, np.uint8)
    label[:30] = 3
    sheet = contact_sheet("set", [Section("train", True, [sample(label=label)])], CAMVID, {3: 0.5, IGNORE: 0.5})
    mixed = np.round(0.7 * np.array(CAMVID.colors[3]) + 0.3 * 120)
    assert count(sheet, mixed) == 90 * 240
    assert count(sheet, (120,) * 3) == 3 * 90 * 240  # the image, and half of the overlay
    assert has(sheet, CAMVID.colors[3])  # in the legend


def test_frames_that_stand_still_are_dark_and_moving_ones_bright():
    def brightest(difference):
        shown = sample(gray=0, difference=np.full((60, 80), difference, np.float32))
        sheet = contact_sheet("set", [Section("video", True, [shown])], CAMVID)
        return sheet[130:260, 260:480].max()  # inside the second picture

    assert brightest(1.0) < 60
    assert brightest(60.0) > 240


def test_near_is_bright_and_unknown_depth_black():
    depth = np.tile(np.geomspace(2, 60, 80, dtype=np.float32), (60, 1))
    depth[:20] = 0
    sheet = contact_sheet("set", [Section("train", True, [sample(depth=depth)])], CAMVID)
    assert count(sheet, (0, 0, 0)) >= 60 * 240
    assert sheet.max() > 240


def test_verdicts_have_their_colors():
    healthy, ill = (contact_sheet("set", [Section("a", ok, [sample()])], CAMVID) for ok in (True, False))
    assert (has(healthy, GOOD), has(healthy, BAD)) == (True, False)
    assert (has(ill, GOOD), has(ill, BAD)) == (False, True)


def test_a_split_without_pictures_has_its_line():
    alone = contact_sheet("set", [Section("train", True, [sample()])], CAMVID)
    both = contact_sheet("set", [Section("train", True, [sample()]), Section("val", False, [])], CAMVID)
    assert both.shape[0] > alone.shape[0]
    assert has(both, BAD)


def test_samples_without_the_field_of_another_leave_its_place_empty():
    label = np.zeros((60, 80), np.uint8)
    section = Section("video", True, [sample(label=label), sample("second", gray=77)])
    assert count(contact_sheet("set", [section], CAMVID), (77,) * 3) == 180 * 240


@pytest.mark.parametrize("shares", [None, {}, {0: 0.0}])
def test_without_labels_there_is_no_legend(shares):
    sheet = contact_sheet("set", [Section("train", True, [sample()])], CAMVID, shares)
    assert not has(sheet, CAMVID.colors[1])


def test_a_long_name_is_cut_and_the_sheet_stays_readable():
    sheet = contact_sheet("set", [Section("train", True, [sample("n" * 400)])], CAMVID)
    assert sheet.shape[1] == 640
