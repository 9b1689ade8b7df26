"""Matching Geometry Sampling in training: which crops are paired, and that batches of them are what was asked for."""

import dataclasses
import itertools
import math

import jax
import numpy as np
import pytest

from sde_seg_jax.data.matching.geometry_distance import distances, row_weights
from sde_seg_jax.data.matching.geometry_index import build, facts_of
from sde_seg_jax.data.matching.geometry_maps import Crops, GeometryMaps
from sde_seg_jax.data.matching.matching import Matching, draw
from sde_seg_jax.data.reading import augment, memory, order, pipeline
from sde_seg_jax.data.reading.picks import Pick, PlainPicks
from sde_seg_jax.label_spaces import CITYSCAPES

TARGET_SIZE, SOURCE_SIZE, CROP = (8, 12), (10, 9), (6, 8)
TARGETS, SOURCES = 5, 7
POSITIONS = range(40)


def random_maps(count, size, seed):
    """Like disparities: smooth, nearer below; each with a tilt of its own."""
    rng = np.random.default_rng(seed)
    down, across = np.linspace(0, 1, size[0])[:, None], np.linspace(-1, 1, size[1])[None]
    return [(rng.uniform(0.5, 2) * down + rng.uniform(-1, 1) * across).astype(np.float32) for _ in range(count)]


def indexed(maps, cells, scale="log1", grid=CROP):
    names = [str(i) for i in range(len(maps))]
    index = build(maps, facts_of(names, maps[0].shape, cells, scale, ""), names)
    return dataclasses.replace(index, grid=grid)


def full(maps):
    return GeometryMaps(maps.__getitem__, [str(i) for i in range(len(maps))], maps[0].shape)


TARGET_MAPS, SOURCE_MAPS = random_maps(TARGETS, TARGET_SIZE, 0), random_maps(SOURCES, SOURCE_SIZE, 1)
TARGET = PlainPicks(11, range(TARGETS), TARGET_SIZE, CROP)
SOURCE = PlainPicks(22, range(SOURCES), SOURCE_SIZE, CROP)


def matching(target=TARGET, source=SOURCE, geometry=None, **options):
    return Matching(target, source, *(geometry or (full(TARGET_MAPS), full(SOURCE_MAPS))), **options)


def test_the_target_stream_is_the_one_without_matching():
    pairs = matching(candidates=9)
    assert [pairs.target(position) for position in POSITIONS] == [TARGET(position) for position in POSITIONS]


def test_pairs_are_functions_of_seed_and_position():
    forth, back = matching(candidates=4), matching(candidates=4)
    assert [forth.source(p) for p in POSITIONS] == [back.source(p) for p in reversed(POSITIONS)][::-1]
    other = matching(source=dataclasses.replace(SOURCE, seed=23), candidates=4)
    assert sum(forth.source(p) == other.source(p) for p in POSITIONS) < len(POSITIONS) / 4


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_source_crop_is_the_nearest_of_the_candidates_by_the_published_criterion(bidirectional):
    """Windows are cut and mirrored here as the images are, and compared pixel by pixel."""

    def shown(maps, pick):
        scaled = np.log1p(np.asarray([(m - m.min()) / (m.max() - m.min()) for m in maps])[pick.index])
        example = {"disparity": scaled, "intrinsics": np.ones(4, np.float32)}
        return augment.apply(example, pick.augmentation)["disparity"]

    top, bottom = 1 / 6, 2 / 6
    pairs = matching(candidates=6, bidirectional=bidirectional, top=top, bottom=bottom)
    for position in POSITIONS:
        backwards = bidirectional and position % 2
        base, other = (SOURCE, TARGET) if backwards else (TARGET, SOURCE)
        base_maps, maps = (SOURCE_MAPS, TARGET_MAPS) if backwards else (TARGET_MAPS, SOURCE_MAPS)
        where = draw(order.rng_at(SOURCE.seed, position, order.MATCH), other, 6)
        candidates = [where.pick(place, CROP) for place in range(6)]
        difference = np.abs([shown(maps, pick) - shown(base_maps, base(position)) for pick in candidates])
        difference[:, :1] = difference[:, -2:] = 0
        criterion = difference.mean((1, 2))
        match = pairs.match(position)
        chosen, kept = (match.target, match.source) if backwards else (match.source, match.target)
        assert chosen == candidates[int(criterion.argmin())]
        assert kept == base(position)
        np.testing.assert_allclose((match.distance, match.expected), (criterion.min(), criterion.mean()), rtol=1e-5)
        assert (pairs.target(position), pairs.source(position)) == (match.target, match.source)


def test_an_index_at_full_resolution_chooses_as_the_maps_do():
    index = (indexed(TARGET_MAPS, TARGET_SIZE), indexed(SOURCE_MAPS, SOURCE_SIZE))
    exact, found = matching(candidates=5), matching(geometry=index, candidates=5)
    for position in POSITIONS:
        # float16 rounds every value, so distances differ by at most 2 * 2^-12, and so may the choice
        assert abs(found.match(position).distance - exact.match(position).distance) <= 2 * 2.0**-12
    assert sum(found.source(p) == exact.source(p) for p in POSITIONS) >= 0.95 * len(POSITIONS)


def test_an_index_at_low_resolution_finds_nearer_crops_than_chance():
    index = (indexed(TARGET_MAPS, (4, 6), grid=(3, 4)), indexed(SOURCE_MAPS, (5, 4), grid=(3, 4)))
    found = matching(geometry=index, candidates=16)
    weights = row_weights(CROP[0], *(CROP[0] * band for band in (80 / 512, 100 / 512)))

    def distance(match):
        crops = [
            full(maps).crops(Crops.of(pick), CROP) for maps, pick in zip((TARGET_MAPS, SOURCE_MAPS), match, strict=True)
        ]
        return distances(crops[0][0], crops[1], weights)[0]

    chosen = np.mean([distance((found.target(p), found.source(p))) for p in POSITIONS])
    assert chosen < 0.5 * np.mean([distance((TARGET(p), SOURCE(p))) for p in POSITIONS])


def test_the_distance_of_a_pair_is_known_where_maps_are_steps():
    """Sample k is near in its first k columns: crops i and j of whole images differ in |i - j| of 8, by log 2."""
    steps = [(np.arange(8)[None] < k).astype(np.float32).repeat(6, 0) for k in range(1, 8)]
    target, source = (PlainPicks(seed, range(7), CROP, CROP, flip=0.0) for seed in (1, 2))
    pairs = matching(target, source, (full(steps), full(steps)), candidates=3, top=0.0, bottom=0.0)
    better = 0
    for position in POSITIONS:
        match = pairs.match(position)
        drawn = draw(order.rng_at(2, position, order.MATCH), source, 3).indices
        apart = np.abs(drawn - match.target.index)
        assert abs(match.source.index - match.target.index) == apart.min()
        assert math.isclose(match.distance, apart.min() / 8 * math.log(2), rel_tol=1e-6, abs_tol=1e-9)
        assert math.isclose(match.expected, apart.mean() / 8 * math.log(2), rel_tol=1e-6, abs_tol=1e-9)
        better += match.distance < match.expected
    assert better > 0.8 * len(POSITIONS)


def test_the_first_of_equal_candidates_wins():
    flat = [np.ones(SOURCE_SIZE, np.float32)] * SOURCES
    pairs = matching(geometry=(full(TARGET_MAPS), full(flat)), candidates=5)
    for position in POSITIONS:
        assert pairs.source(position) == draw(order.rng_at(SOURCE.seed, position, order.MATCH), SOURCE, 5).pick(0, CROP)


def test_one_candidate_is_a_random_crop_and_all_windows_are_drawn():
    pairs = matching(candidates=1)
    found = [pairs.source(position) for position in range(3000)]
    windows = {(p.augmentation.top, p.augmentation.left, p.augmentation.flipped) for p in found}
    assert windows == set(itertools.product(range(5), range(2), (False, True)))
    counts = np.bincount([pick.index for pick in found], minlength=SOURCES)
    assert (np.abs(counts - 3000 / SOURCES) < 5 * math.sqrt(3000 / SOURCES)).all()  # 5 standard deviations


def test_more_candidates_than_samples_are_drawn_with_replacement():
    pairs = matching(candidates=100)
    assert all(pairs.source(p).index < SOURCES for p in range(5))


def test_only_the_samples_of_the_stream_are_candidates():
    pairs = matching(source=dataclasses.replace(SOURCE, indices=[2, 5], flip=0.0), candidates=3)
    found = [pairs.source(position) for position in POSITIONS]
    assert {pick.index for pick in found} == {2, 5}
    assert not any(pick.augmentation.flipped for pick in found)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_bidirectional_pairs_keep_the_plain_source_crop_at_odd_positions(flip):
    source = dataclasses.replace(SOURCE, flip=flip)
    pairs = matching(source=source, candidates=5, bidirectional=True)
    for position in POSITIONS:
        kept = (
            pairs.source(position) == source(position) if position % 2 else pairs.target(position) == TARGET(position)
        )
        assert kept
    assert [pairs.target(p) for p in POSITIONS[1::2]] != [TARGET(p) for p in POSITIONS[1::2]]


def test_differences_above_the_bound_count_as_the_bound():
    pairs = matching(candidates=5, bound=1e-3, top=0.0, bottom=0.0)
    assert all(pairs.match(p).expected <= 1e-3 * (1 + 1e-6) for p in POSITIONS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": 0}, r"matching\.candidates is 0, expected 1 or more"),
        ({"candidates": -3}, r"matching\.candidates is -3"),
        ({"top": 0.6, "bottom": 0.4}, r"matching\.top 0\.6 and matching\.bottom 0\.4 leave nothing"),
        ({"top": -0.1}, r"matching\.top is -0\.1 and .* expected fractions"),
        ({"bound": 0.0}, r"matching\.bound is 0\.0"),
        ({"source": dataclasses.replace(SOURCE, crop=(6, 7))}, r"crops \(6, 8\) and source crops \(6, 7\)"),
        (
            {"source": dataclasses.replace(SOURCE, size=(8, 12))},
            r"source's geometry is of images \(10, 9\), not \(8, 12\)",
        ),
        ({"target": dataclasses.replace(TARGET, indices=[1, 5])}, "target's geometry is of 5 samples; sample 5"),
        (
            {"geometry": (indexed(TARGET_MAPS, (4, 6)), indexed(SOURCE_MAPS, (5, 4), "id"))},
            r"geometries differ: .*'log1', \(6, 8\)\) of the target, \('id', \(6, 8\)\) of the source",
        ),
        (
            {side: dataclasses.replace(plain, crop=(9, 8)) for side, plain in (("target", TARGET), ("source", SOURCE))},
            r"crop \(9, 8\) exceeds image \(8, 12\) in 'target'; lower data\.crop or raise data\.size",
        ),
    ],
)
def test_what_cannot_be_matched_is_an_error_with_its_key(options, message):
    with pytest.raises(ValueError, match=message):
        matching(**options)


def samples(count, size, name):
    rng = np.random.default_rng(len(name))
    return memory.MemorySource(
        [
            {
                "image": rng.integers(0, 256, (*size, 3), np.uint8),
                "label": rng.integers(0, 19, size).astype(np.uint8),
                "intrinsics": np.array([9, 9, 4, 4], np.float32),
                "name": f"{name}_{index}",
                "labeled": np.bool_(True),
            }
            for index in range(count)
        ],
        CITYSCAPES,
        name,
    )


def take(iterator, count):
    return list(itertools.islice(iterator, count))


def assert_equal(found, expected):
    assert len(found) == len(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_batch_holds_the_crops_that_were_picked():
    source, pairs = samples(SOURCES, SOURCE_SIZE, "source"), matching(candidates=4)
    arguments = {"seed": SOURCE.seed, "batch_size": 2, "crop": CROP, "pick": pairs.source}
    first, second = take(memory.memory_batches(source, **arguments), 2)
    for position, (batch, place) in enumerate([(first, 0), (first, 1), (second, 0), (second, 1)]):
        pick = pairs.source(position)
        expected = augment.apply(source.read(pick.index), pick.augmentation)
        np.testing.assert_array_equal(batch.image[place], expected["image"])
        np.testing.assert_array_equal(batch.label[place], expected["label"])
        assert batch.name[place] == f"source_{pick.index}"


@pytest.mark.parametrize("bidirectional", [False, True])
def test_both_readers_resume_and_share_matched_streams_among_hosts(bidirectional):
    pairs = matching(candidates=4, bidirectional=bidirectional)
    sides = (
        (samples(TARGETS, TARGET_SIZE, "target"), pairs.target),
        (samples(SOURCES, SOURCE_SIZE, "source"), pairs.source),
    )
    for source, pick in sides:
        arguments = {"seed": 0, "batch_size": 4, "crop": CROP, "pick": pick}
        expected = take(memory.memory_batches(source, **arguments), 4)
        assert_equal(take(pipeline.batches(source, **arguments, threads=2), 4), expected)
        assert_equal(take(memory.memory_batches(source, **arguments, threads=2, start=2), 2), expected[2:])
        assert_equal(take(pipeline.batches(source, **arguments, threads=2, start=2), 2), expected[2:])
        hosts = [
            take(memory.memory_batches(source, **arguments, host_index=host, host_count=2), 4) for host in range(2)
        ]
        joined = [jax.tree.map(lambda *halves: np.concatenate(halves), *pair) for pair in zip(*hosts, strict=True)]
        assert_equal(joined, expected)


def test_labels_of_picked_samples_are_withheld_as_ever():
    source = samples(3, TARGET_SIZE, "target")
    pick = Pick(2, augment.Augmentation(0, 0, CROP, False))
    arguments = {"seed": 0, "batch_size": 1, "crop": CROP, "labeled_names": ["target_1"], "pick": lambda position: pick}
    batch = next(memory.memory_batches(source, **arguments))
    assert not batch.labeled[0]
    assert (batch.label == CITYSCAPES.ignore).all()


def test_a_stream_without_pick_takes_the_plain_picks():
    source = samples(TARGETS, TARGET_SIZE, "target")
    arguments = {"seed": TARGET.seed, "batch_size": 3, "crop": CROP}
    plain = take(memory.memory_batches(source, **arguments), 4)
    assert_equal(take(memory.memory_batches(source, **arguments, pick=TARGET), 4), plain)
