"""The data set's own tools as oracle: label table and IoU must be ours, exactly."""

import pathlib
import types

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.datasets import cityscapes, gta5
from sde_seg_jax.evaluation.segmentation import confusion_matrix, scores
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

pytest.importorskip("cityscapesscripts")
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as oracle
from cityscapesscripts.helpers.labels import labels

KIT = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "formats" / "cityscapes_mini_256x128"
VOID = (-1, 255)


def test_every_id_has_their_training_id():
    theirs = {label.id: label.trainId for label in labels if label.id >= 0}
    assert sorted(theirs) == list(range(cityscapes.RAW_IDS))
    expected = [IGNORE if theirs[i] in VOID else theirs[i] for i in sorted(theirs)]
    assert cityscapes.TRAIN_IDS.tolist() == expected
    plate = next(label for label in labels if label.name == "license plate")  # id -1 there, 34 in GTA5's files
    assert gta5.TRAIN_IDS.tolist() == [*expected, IGNORE if plate.trainId in VOID else plate.trainId]


def test_every_class_has_their_name_and_color():
    theirs = {label.trainId: label for label in labels if label.trainId not in VOID}
    for train_id, (name, color) in enumerate(zip(CITYSCAPES.classes, CITYSCAPES.colors, strict=True)):
        label = theirs.pop(train_id)
        assert (label.name, label.color) == (name, color)
    assert not theirs


def their_scores(folder, pairs):
    """(per class, mean) of their evaluation, which reads files; predictions are written as raw ids."""
    truths, predictions = [], []
    for number, (truth, prediction) in enumerate(pairs):
        for name, values, paths in (
            ("gtFine_labelIds", truth, truths),
            ("prediction", np.array(cityscapes.EVALUATED, np.uint8)[prediction], predictions),
        ):
            path = folder / f"a_{number:06d}_000019_{name}.png"
            Image.fromarray(values).save(path)
            paths.append(str(path))
    changed = {"quiet": True, "JSONOutput": False, "evalInstLevelScore": False}
    args = types.SimpleNamespace(**{**vars(oracle.args), **changed})
    found = oracle.evaluateImgLists(predictions, truths, args)
    return [found["classScores"][name] for name in CITYSCAPES.classes], found["averageScoreClasses"]


def our_scores(pairs):
    total = np.zeros((19, 19), np.int64)
    for truth, prediction in pairs:
        label = cityscapes.TRAIN_IDS[truth]
        total += np.asarray(confusion_matrix(label[None], prediction[None].astype(np.int32), 19), np.int64)
    found = scores(total)
    return found["iou"], found["mean_iou"]


def assert_equal_scores(folder, pairs):
    (theirs, their_mean), (ours, our_mean) = their_scores(folder, pairs), our_scores(pairs)
    np.testing.assert_array_equal(ours, theirs)  # NaN where a class neither occurs nor is predicted
    # the mean is summed in another order
    np.testing.assert_allclose(our_mean, their_mean, rtol=1e-15, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_iou_of_random_maps_is_theirs(tmp_path, seed):
    rng = np.random.default_rng(seed)
    classes = rng.choice(19, 19 - 4 * seed, replace=False)  # fewer classes: some neither occur nor are predicted
    occurring = [*np.array(cityscapes.EVALUATED)[classes[: len(classes) - seed]], 0, 3, 4]
    pairs = []
    for _ in range(2):
        truth = rng.choice(occurring, (20, 30)).astype(np.uint8)
        right = np.where(cityscapes.TRAIN_IDS[truth] == IGNORE, classes[0], cityscapes.TRAIN_IDS[truth])
        pairs.append((truth, np.where(rng.random(truth.shape) < 0.6, right, rng.choice(classes, truth.shape))))
    assert_equal_scores(tmp_path, pairs)


@pytest.mark.skipif(not KIT.is_dir(), reason="no real Cityscapes sample in ../shared/data/formats")
def test_iou_on_a_real_frame_is_theirs(tmp_path):
    truth = np.array(Image.open(next(KIT.rglob("*_labelIds.png"))))
    shifted = np.roll(cityscapes.TRAIN_IDS[truth], 3, axis=(0, 1))
    assert_equal_scores(tmp_path, [(truth, np.where(shifted == IGNORE, 0, shifted))])
