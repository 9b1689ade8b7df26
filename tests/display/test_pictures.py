import matplotlib
import numpy as np
import pytest

from sde_seg_jax.display.pictures import (
    CORRECT,
    WRONG,
    depth_picture,
    disparity_picture,
    error_picture,
    grid,
    heat_picture,
    label_picture,
    legend,
    mask_picture,
    overlay,
    rgb,
)
from sde_seg_jax.display.sheets import BACKGROUND
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES

DARK, BRIGHT = (np.round(np.array(matplotlib.colormaps["magma"](i)[:3]) * 255) for i in (0, 255))
BLACK = [0, 0, 0]


def test_near_is_bright_and_far_is_dark():
    picture = disparity_picture(np.array([[0.0, 0.9]])[..., None])
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, [[DARK, BRIGHT]])


def test_one_outlier_does_not_take_the_contrast():
    disparity = np.linspace(0, 1, 400).reshape(20, 20)
    clean = disparity_picture(disparity).astype(int)
    disparity[-1, -1] = 1000
    assert np.abs(disparity_picture(disparity).astype(int) - clean).max() <= 3


def test_a_constant_map_is_dark_and_nan_is_black():
    np.testing.assert_array_equal(disparity_picture(np.full((1, 2), 0.3)), [[DARK, DARK]])
    np.testing.assert_array_equal(disparity_picture(np.full((1, 1), np.nan)), [[BLACK]])
    np.testing.assert_array_equal(heat_picture([[np.nan, 5.0]], (0, 5)), [[BLACK, BRIGHT]])


def test_depth_is_coloured_by_its_inverse_and_unknown_is_black():
    depth = np.array([[0.0, -1.0, np.inf, 2.0, 100.0]])
    np.testing.assert_array_equal(depth_picture(depth, (0.01, 0.5)), [[BLACK, BLACK, BLACK, BRIGHT, DARK]])


def test_labels_have_their_colours_and_ignored_pixels_are_black():
    picture = label_picture(np.array([[0, 13, 250]], np.int32), CITYSCAPES)
    np.testing.assert_array_equal(picture, [[(128, 64, 128), (0, 0, 142), BLACK]])


def test_an_id_outside_the_space_is_refused():
    with pytest.raises(ValueError, match=r"0\.\.10 or 250 .* in 'camvid', got \[-1, 11\]"):
        label_picture(np.array([[-1, 11]]), CAMVID)


def test_overlay_mixes_and_shows_the_image_where_nothing_is_known():
    image = np.full((1, 2, 3), 0.2)
    picture = overlay(image, np.array([[0, 250]]), CITYSCAPES, alpha=0.5)
    np.testing.assert_array_equal(picture, [[(90, 58, 90), (51, 51, 51)]])


def test_masks_are_black_and_white():
    np.testing.assert_array_equal(mask_picture(np.array([[True, False]])), [[[255] * 3, BLACK]])


def test_errors_are_red_only_where_there_is_truth():
    picture = error_picture(np.array([[1, 1, 250]]), np.array([[1, 2, 2]]), CITYSCAPES)
    np.testing.assert_array_equal(picture, [[CORRECT, WRONG, BLACK]])


def test_batches_and_integer_images_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"\(2, 4, 4\); pass one image"):
        disparity_picture(np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match="int64"):
        rgb(np.zeros((2, 2, 3), np.int64))


def test_grid_enlarges_small_pictures_by_whole_factors():
    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 255
    sheet = grid([[red, None], [np.ones((1, 1, 3))]], min_height=4, gap=1)
    assert sheet.shape == (1 + 2 * 5, 1 + 2 * 7, 3)
    assert (sheet[1:5, 1:7] == (255, 0, 0)).all()
    assert (sheet[1:5, 8:14] == BACKGROUND).all()
    assert (sheet[6:10, 2:6] == 255).all()  # a square in the middle of a wider cell


def test_grid_draws_titles_and_captions():
    picture = np.zeros((8, 30, 3), np.uint8)
    bare = grid([[picture, picture]], min_height=8)
    captioned = grid([[picture, picture]], captions=["image", "a far too long caption"], min_height=8)
    titled = grid([[picture, picture]], captions=[["image", "label"]], titles=["frame 7"], min_height=8)
    assert captioned.shape == (bare.shape[0] + 22, *bare.shape[1:])
    assert titled.shape == (bare.shape[0] + 44, *bare.shape[1:])
    assert (captioned[6:26].max(axis=(0, 2)) > 150).sum() > 15


def test_grid_refuses_what_does_not_match():
    with pytest.raises(ValueError, match="2 rows need as many titles, got 1"):
        grid([[np.zeros((2, 2, 3))]] * 2, titles=["a"])
    with pytest.raises(ValueError, match="at least one picture"):
        grid([[None]])


def test_legend_shows_only_the_present_classes():
    sheet = legend(CITYSCAPES, {0, 250}, width=400)
    pixels = {tuple(color) for color in sheet.reshape(-1, 3).tolist()}
    assert CITYSCAPES.colors[0] in pixels
    assert CITYSCAPES.colors[1] not in pixels
    assert 480 < legend(CITYSCAPES, width=960).shape[1] <= 960
