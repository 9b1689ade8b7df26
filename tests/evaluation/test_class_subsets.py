import numpy as np
import pytest

from sde_seg_jax.evaluation.evaluate import segmentation_scores
from sde_seg_jax.evaluation.segmentation import mean_over
from sde_seg_jax.label_spaces import CAMVID, CITYSCAPES, SUBSETS, subset_ids, subsets
from sde_seg_jax.types import IGNORE, Batch, Intrinsics


def names(count):
    return {CITYSCAPES.classes[index] for index in SUBSETS[count]}


def test_the_subsets_leave_out_the_classes_they_are_known_to():
    assert [len(SUBSETS[count]) for count in (19, 16, 13)] == [19, 16, 13]
    assert names(19) - names(16) == {"terrain", "truck", "train"}
    assert names(16) - names(13) == {"wall", "fence", "pole"}


def test_another_subset_or_space_is_refused():
    with pytest.raises(ValueError, match="there is no subset of 11 classes; known: 19, 16, 13"):
        subset_ids(CITYSCAPES, 11)
    with pytest.raises(ValueError, match="label space 'camvid' has no subset of 16 classes"):
        subset_ids(CAMVID, 16)


def test_several_subsets_are_asked_for_at_once_or_none():
    assert list(subsets(CITYSCAPES, (16, 13))) == [16, 13]
    assert subsets(CITYSCAPES, 13) == {13: SUBSETS[13]}
    assert subsets(CAMVID, 0) == subsets(CAMVID, ()) == subsets(CAMVID, None) == {}


def test_classes_without_an_iou_do_not_count_in_a_subset():
    assert mean_over(np.array([0.5, np.nan, 0.25, 1.0]), (0, 1, 2)) == 0.375
    assert np.isnan(mean_over(np.array([np.nan, 1.0]), (0,)))


ROAD, WALL, TERRAIN, CAR = (CITYSCAPES.classes.index(name) for name in ("road", "wall", "terrain", "car"))
TRUE = np.array([[[ROAD] * 6 + [WALL] * 2 + [TERRAIN] * 4 + [CAR] * 3 + [IGNORE]]], np.uint8)
FOUND = np.array([[[ROAD] * 5 + [TERRAIN] + [WALL] * 2 + [TERRAIN] * 2 + [ROAD] + [CAR] + [CAR] * 3 + [ROAD]]])


@pytest.mark.parametrize("classes", [0, 16, 13, (), [13], (16, 13)])
def test_the_scores_of_a_picture_done_by_hand(classes):
    """Terrain predicted on road, and terrain taken for road or car, count against road and car in every subset."""
    image = np.zeros((*TRUE.shape, 3), np.uint8)
    camera = Intrinsics(*(np.ones(1, np.float32) for _ in range(4)))
    batch = Batch(image=image, intrinsics=camera, label=TRUE)
    found = segmentation_scores(lambda _: FOUND, [batch], CITYSCAPES, quiet=True, classes=classes)
    road, wall, terrain, car = 5 / 7, 1.0, 2 / 5, 3 / 4
    assert found["iou/road"] == pytest.approx(road)
    assert found["miou"] == pytest.approx((road + wall + terrain + car) / 4)
    by_hand = {16: (road + wall + car) / 3, 13: (road + car) / 2}
    asked = [count for count in by_hand if count in np.atleast_1d(classes)]
    expected = {f"miou_{count}": by_hand[count] for count in asked}
    assert {key: value for key, value in found.items() if key.startswith("miou_")} == pytest.approx(expected)
