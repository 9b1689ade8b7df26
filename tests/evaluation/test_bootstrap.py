import numpy as np
import pytest

from sde_seg_jax.evaluation.bootstrap import clips_of, miou_interval
from sde_seg_jax.evaluation.segmentation import confusion_matrices, confusion_matrix, scores


def images(right, wrong):
    """Confusion matrices of two classes: of each image so many right and wrong pixels of both."""
    return np.array([[[r, w], [w, r]] for r, w in zip(right, wrong, strict=True)])


def test_each_image_has_its_matrix_and_all_add_up():
    rng = np.random.default_rng(0)
    label, predicted = rng.integers(0, 4, (2, 3, 5, 6))
    label[0, 0] = 250
    each = np.asarray(confusion_matrices(label, predicted, 4))
    assert each.shape == (3, 4, 4)
    np.testing.assert_array_equal(each.sum(0), confusion_matrix(label, predicted, 4))
    np.testing.assert_array_equal(each[1], confusion_matrix(label[1:2], predicted[1:2], 4))


def test_equal_images_have_no_spread_and_the_score_lies_within():
    same = miou_interval(images([8] * 6, [2] * 6), [f"{i}" for i in range(6)])
    exact = scores(images([8], [2])[0])["mean_iou"]
    assert same == {"miou_low": pytest.approx(exact), "miou_high": pytest.approx(exact), "miou_images": 6}
    mixed = images([9, 8, 7, 5, 9, 6], [1, 2, 3, 5, 1, 4])
    found = miou_interval(mixed, [f"{i}" for i in range(6)])
    assert found["miou_low"] < scores(mixed.sum(0))["mean_iou"] < found["miou_high"]
    assert found["miou_high"] - found["miou_low"] > 0.05


def test_the_interval_is_that_of_the_normal_distribution_for_many_images():
    """Of the share of right pixels: +-1.96 sqrt(p (1-p) / N), where every image is right or wrong as a whole."""
    rng = np.random.default_rng(1)
    right = rng.random(400) < 0.7
    confusions = np.stack([np.where(right, 1, 0), np.where(right, 0, 1), 0 * right, 0 * right], 1).reshape(-1, 2, 2)
    confusions[:, 1, 1] = 10**6  # the second class is always right: mIoU = (p + 1) / 2, nearly
    found = miou_interval(confusions, [f"{i}" for i in range(400)])
    p = right.mean()
    half = 1.96 * np.sqrt(p * (1 - p) / 400) / 2
    assert found["miou_high"] - found["miou_low"] == pytest.approx(2 * half, rel=0.1)


def test_clips_are_drawn_as_a_whole():
    """Ten frames of each clip are the same: as images the interval would be a third as wide."""
    right = np.repeat([9, 8, 7, 5, 6, 9], 10)
    confusions = images(right, 10 - right)
    names = [f"drive/{clip}/{frame}" for clip in range(6) for frame in range(10)]
    by_clip = miou_interval(confusions, names)
    by_image = miou_interval(confusions, [name.replace("/", "_") for name in names])
    assert by_clip["miou_clips"] == 6
    assert by_image["miou_images"] == 60
    widths = [found["miou_high"] - found["miou_low"] for found in (by_clip, by_image)]
    assert widths[0] > 2.5 * widths[1]


def test_one_image_has_no_interval_nor_have_images_without_labels():
    assert miou_interval(images([3], [1]), ["a"]) == {}
    assert miou_interval(np.zeros((3, 2, 2), int), ["a", "b", "c"]) == {}


def test_a_clip_is_all_of_a_name_but_the_frame():
    assert clips_of(["front/day/1", "2"]) == ["front/day", ""]
