"""Street scenes with merged classes, and the streets of their splits."""

import numpy as np

from sde_seg_jax.data.datasets import coarse_streets, street_scenes
from sde_seg_jax.label_spaces import CITYSCAPES
from sde_seg_jax.types import IGNORE

SIZE = (32, 64)


def test_every_class_is_in_one_of_the_merged_ones():
    merged = [name for names in coarse_streets.MERGED.values() for name in names]
    assert sorted(merged) == sorted(CITYSCAPES.classes)


def test_the_same_scene_has_the_names_of_the_merged_classes():
    item = ("target", 0, 3, 0.0)
    fine, coarse = street_scenes.load(item, SIZE), coarse_streets.load(item, SIZE)
    for name in set(fine) - {"label"}:
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
        split: [index // 8 for _, _, index, _ in coarse_streets.items(split, None, **options)]
        for split in coarse_streets.SPEC.splits
    }
    assert streets == {"train": [0] * 8 + [1] * 8, "val": [0, 0, 1, 1, 2, 2], "test": sorted([*range(64)] * 2)}
