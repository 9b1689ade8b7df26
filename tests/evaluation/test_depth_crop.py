import numpy as np
import pytest

from sde_seg_jax.evaluation.depth import CROPS, garg_crop
from sde_seg_jax.evaluation.evaluate import depth_scores
from sde_seg_jax.types import Batch


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((375, 1242), (153, 371), (44, 1197)),  # 153.04, 371.96, 44.65, 1197.35
        ((192, 640), (78, 190), (23, 616)),  # 78.36, 190.44, 23.01, 616.99
        ((100, 100), (40, 99), (3, 96)),
    ],
)
def test_gargs_crop_is_the_lower_part_without_margins(size, rows, columns):
    mask = garg_crop(*size)
    assert mask.shape == size
    inside = np.argwhere(mask)
    assert inside.min(axis=0).tolist() == [rows[0], columns[0]]
    assert (inside.max(axis=0) + 1).tolist() == [rows[1], columns[1]]
    assert mask.sum() == (rows[1] - rows[0]) * (columns[1] - columns[0])  # a full rectangle


def test_the_configuration_names_both_crops():
    assert CROPS["none"](3, 5).all()
    assert CROPS["garg"] is garg_crop


def sparse_batch():
    """Ten pixels of 10 m inside the crop of 100x100; outside it ten of 20 m."""
    depth = np.zeros((1, 100, 100), np.float32)
    depth[0, 50, 20:40:2] = 10
    depth[0, 20, 20:40:2] = 20
    return Batch(image=np.zeros((1, 100, 100, 3), np.uint8), intrinsics=None, depth=depth)


def test_depth_outside_the_crop_counts_neither_in_the_errors_nor_in_the_medians():
    def flat(image):
        return np.full(image.shape[:3], 3.0)

    cropped = depth_scores(flat, [sparse_batch()], quiet=True, crop=garg_crop)
    assert cropped["abs_rel"] == pytest.approx(0)  # scaled by the median 10 m
    assert cropped["unscaled/abs_rel"] == pytest.approx(0.7)
    assert cropped["constant_depth"] == 10
    whole = depth_scores(flat, [sparse_batch()], quiet=True)
    assert whole["abs_rel"] == pytest.approx((0.5 + 0.25) / 2)  # the median of both is 15 m
    assert whole["unscaled/abs_rel"] == pytest.approx((0.7 + 0.85) / 2)
