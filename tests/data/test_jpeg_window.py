"""A window cut out of a JPEG file decodes to the bits of the whole."""

import cv2
import numpy as np
import pytest

from sde_seg_jax.data.stored import jpeg_window

JPEG = [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def picture(height, width, *options):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", cv2.GaussianBlur(values, (0, 0), 2), [*JPEG, *options])[1].tobytes()
    return content, cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize("size", [(32, 128), (37, 150), (8, 64), (50, 61 * 8), (9, 7)])
def test_every_window_decodes_to_the_same_bits_as_the_whole(size):
    interval = jpeg_window.restart_interval(size[1])
    content, whole = picture(*size, cv2.IMWRITE_JPEG_RST_INTERVAL, interval)
    rng = np.random.default_rng(1)
    for _ in range(100):
        top, left = rng.integers(size)
        rows = slice(int(top), int(rng.integers(top + 1, size[0] + 1)))
        columns = slice(int(left), int(rng.integers(left + 1, size[1] + 1)))
        part, first_row, first_column = jpeg_window.cut(content, rows, columns)
        found = cv2.imdecode(part, cv2.IMREAD_COLOR_RGB)
        height, width = found.shape[:2]
        assert height < rows.stop - rows.start + 16
        assert width < columns.stop - columns.start + 16 * interval
        np.testing.assert_array_equal(found, whole[first_row : first_row + height, first_column : first_column + width])
        assert first_row <= rows.start < rows.stop <= first_row + height
        assert first_column <= columns.start < columns.stop <= first_column + width


SUBSAMPLED = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]


@pytest.mark.parametrize(
    "options",
    [
        [],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 4, *SUBSAMPLED],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 4, cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    ],
    ids=["no markers", "intervals across rows", "subsampled", "progressive"],
)
def test_a_file_that_cannot_be_cut_stays_whole(options):
    content, _ = picture(32, 64, *options)
    part, top, left = jpeg_window.cut(content, slice(8, 16), slice(32, 40))
    assert (part.tobytes(), top, left) == (content, 0, 0)


@pytest.mark.parametrize("length", [0, 1, 3, 30, 170, 400, -1, -2, -300])
def test_a_broken_file_stays_as_it_is(length):
    content = picture(32, 64, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)[0][:length]
    part, top, left = jpeg_window.cut(content, slice(8, 16), slice(32, 40))
    assert (part.tobytes(), top, left) == (content, 0, 0)


@pytest.mark.parametrize(("width", "interval"), [(1024, 8), (704, 8), (480, 6), (672, 7), (488, 61), (7, 1)])
def test_a_row_of_blocks_is_whole_intervals(width, interval):
    assert jpeg_window.restart_interval(width) == interval
