"""Street scenes with merged classes, and the streets of their splits."""

import collections

import numpy as np
import pytest

from sde_seg_jax.data.datasets import coarse_streets, street_scenes
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

SIZE = (32, 64)


def test_every_class_is_in_one_of_the_merged_ones():
    merged = [name for names in coarse_streets.MERGED.values() for name in names]
    assert sorted(merged) == sorted(CITYSCAPES.classes)


def test_the_same_scene_has_the_names_of_the_merged_classes():
    fine = street_scenes.load(("target", 0, 3, 0.0), SIZE)
    coarse = coarse_streets.load(("target", 0, 0, 18, 0.0), SIZE)
    for name in set(fine) - {"label", "name"}:
        np.testing.assert_array_equal(fine[name], coarse[name])
    ignored = fine["label"] == IGNORE
    np.testing.assert_array_equal(coarse["label"] == IGNORE, ignored)
    of_class = {fine_name: name for name, names in coarse_streets.MERGED.items() for fine_name in names}
    expected = [of_class[CITYSCAPES.classes[i]] for i in fine["label"][~ignored]]
    assert [coarse_streets.SPACE.classes[i] for i in coarse["label"][~ignored]] == expected
    assert len(set(expected)) >= 5


def test_no_street_is_in_two_splits_of_any_seed():
    counts = dict.fromkeys(street_scenes.SPLITS, 1)
    items = [
        street_scenes.items(split, None, problems=None, domain="target", seed=seed, counts=counts)[0]
        for split in street_scenes.SPLITS
        for seed in range(50)
    ]
    assert len(set(items)) == len(items)


def test_two_frames_of_a_street_are_scored_on_and_eight_trained_on():
    options = {"problems": None, "domain": "target", "seed": 0, "counts": {"train": 16, "val": 6, "test": 128}}
    streets = {
        split: [street for _, _, street, *_ in coarse_streets.items(split, None, **options)]
        for split in coarse_streets.SPEC.splits
    }
    assert streets == {"train": [0] * 8 + [1] * 8, "val": [0, 0, 1, 1, 2, 2], "test": sorted([*range(64)] * 2)}


def test_even_frames_are_those_of_street_scenes_and_scored_ones_lie_apart():
    options = {"problems": None, "domain": "target", "seed": 3, "counts": {"train": 16, "val": 4}}
    train = coarse_streets.items("train", None, **options)
    fine = street_scenes.items("train", None, **options)
    assert [(d, s, street * 8 + tick // 6, shake) for d, s, street, tick, shake in train] == list(fine)
    assert [tick for *_, tick, _ in coarse_streets.items("val", None, **options)] == [12, 36, 12, 36]


def test_a_pool_of_video_has_most_frames_of_a_few_streets_which_follow_closely():
    options = {"problems": None, "domain": "target", "seed": 0, "counts": {"train": 480}}
    found = coarse_streets.items("train", None, pool="video", **options)
    assert len(set(found)) == len(found) == 480
    frames = collections.Counter(street for _, _, street, *_ in found)
    most = sorted(frames.values(), reverse=True)
    assert sum(most[: len(most) // 4]) > 240
    assert np.median(most) <= 6
    assert max(tick for *_, tick, _ in found) <= 48
    assert found == coarse_streets.items("train", None, pool="video", **options)
    with pytest.raises(ValueError, match="unknown pool 'films'"):
        coarse_streets.items("train", None, pool="films", **options)
