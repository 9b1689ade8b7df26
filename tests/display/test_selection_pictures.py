import numpy as np
import pytest

from sde_seg_jax.display.pictures import heat_picture
from sde_seg_jax.display.selection_pictures import HEIGHT, strip

IMAGE = np.full((HEIGHT, 200, 3), 77, np.uint8)
NEAR_LEFT = np.where(np.arange(200) < 100, 0.9, 0.1) * np.ones((HEIGHT, 1))


def panel(picture, index):
    """The panel's pixels: cells of the image's size with gaps of 6 between and below them."""
    left = 6 + index * 206
    return picture[-HEIGHT - 6 : -6, left : left + 200]


def test_panels_stand_side_by_side_under_their_captions():
    picture = strip(IMAGE, NEAR_LEFT, NEAR_LEFT, np.zeros((HEIGHT, 200)), (0.0, 1.0))
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 6 + 4 * 206
    assert HEIGHT + 12 < picture.shape[0] < HEIGHT + 50
    np.testing.assert_array_equal(panel(picture, 0), IMAGE)
    captions = picture[: -HEIGHT - 6]
    assert all(captions[:, 6 + i * 206 : 206 + i * 206].max() > 200 for i in range(4))


def test_panels_that_are_not_there_leave_no_hole():
    assert strip(IMAGE).shape[1] == 6 + 206
    without_student = strip(IMAGE, NEAR_LEFT, None, NEAR_LEFT, (0.0, 0.9))
    assert without_student.shape[1] == 6 + 3 * 206
    np.testing.assert_array_equal(panel(without_student, 2), heat_picture(NEAR_LEFT, (0.0, 0.9)))


def test_near_is_bright():
    teacher = panel(strip(IMAGE, NEAR_LEFT), 1).astype(int)
    assert teacher[:, :90].min() > teacher[:, 110:].max(axis=(0, 1)).min()
    assert teacher[:, :90].mean() > 150 + teacher[:, 110:].mean()


def test_the_student_is_drawn_in_the_colors_of_the_teacher():
    picture = strip(IMAGE, NEAR_LEFT, np.full_like(NEAR_LEFT, 0.9))
    np.testing.assert_array_equal(panel(picture, 2)[0, 0], panel(picture, 1)[0, 0])
    assert not np.array_equal(panel(strip(IMAGE, None, np.full_like(NEAR_LEFT, 0.9)), 1)[0, 0], panel(picture, 1)[0, 0])


def test_errors_of_two_strips_compare():
    small, large = (panel(strip(IMAGE, error=np.full((4, 8), e), error_range=(0.0, 1.0)), 1) for e in (0.1, 0.9))
    assert small.mean() + 100 < large.mean()


@pytest.mark.parametrize("shape", [(32, 50), (32, 50, 1), (HEIGHT * 2, 400)])
def test_maps_of_any_resolution_get_the_size_of_the_image(shape):
    assert strip(np.zeros((64, 100, 3), np.float32), np.ones(shape)).shape[1] == 6 + 2 * 206


def test_a_map_without_any_finite_value_is_black():
    picture = strip(IMAGE, np.full((4, 4), np.nan), None, np.full((4, 4), np.inf))
    assert panel(picture, 1).max() == panel(picture, 2).max() == 0
