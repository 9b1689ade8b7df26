"""The low-resolution geometry of a split in memory: what a cell is, what a crop is, which files are used."""

import dataclasses
import itertools

import numpy as np
import pytest
from tiny_scenes import SIZE as SPEC_SIZE
from tiny_scenes import SPEC

from sde_seg_jax.data.matching import geometry_index
from sde_seg_jax.data.matching.geometry_distance import SCALES, normalize
from sde_seg_jax.data.matching.geometry_index import (
    area_weights,
    build,
    build_in_threads,
    facts_of,
    load,
    save,
)
from sde_seg_jax.data.matching.geometry_maps import Crops, GeometryMaps
from sde_seg_jax.data.preparing.depth_cache_writer import CacheWriter
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.stored.depth_cache import DepthCache, Place, encode

SIZE = (6, 8)
NAMES = ["a", "b", "c"]
HALF = 2.0**-12  # float16 rounds log(1+d) < 1 by at most this


def maps(count=len(NAMES), size=SIZE):
    return np.random.default_rng(0).uniform(0.1, 0.7, (count, *size)).astype(np.float32)


def facts(cells=(3, 2), names=NAMES, size=SIZE, scale="log1", weights="w"):
    return facts_of(names, size, cells, scale, weights)


def every_crop(crop):
    """All windows of the first two samples, both ways round."""
    ranges = (range(2), range(SIZE[0] - crop[0] + 1), range(SIZE[1] - crop[1] + 1), (False, True))
    return Crops(*(np.array(column) for column in zip(*itertools.product(*ranges), strict=True)))


@pytest.mark.parametrize("scale", SCALES)
def test_a_cell_is_the_mean_of_scaled_normalised_disparities(scale):
    index = build(maps(), facts(scale=scale), NAMES)
    scaled = np.stack([SCALES[scale](normalize(disparity)) for disparity in maps()])
    expected = scaled.reshape(3, 3, 2, 2, 4).mean((2, 4))
    assert index.cells.dtype == np.float16
    assert len(index) == 3
    np.testing.assert_allclose(index.cells, expected, rtol=2.0**-10)  # float16, and float32 sums


def test_a_pixel_on_the_border_of_two_cells_counts_for_both_by_its_share():
    np.testing.assert_allclose(area_weights(5, 2), np.array([[2, 2, 1, 0, 0], [0, 0, 1, 2, 2]]) / 5, rtol=1e-6)
    np.testing.assert_allclose(area_weights(2, 3), np.array([[1, 0], [0.5, 0.5], [0, 1]]), rtol=1e-6)
    np.testing.assert_array_equal(area_weights(7, 7), np.eye(7))


def test_at_the_resolution_of_the_image_the_crops_are_those_of_the_maps():
    crop = (4, 5)
    full = GeometryMaps(maps().__getitem__, NAMES, SIZE)
    index = dataclasses.replace(build(maps(), facts(cells=SIZE), NAMES), grid=crop)
    expected = full.crops(every_crop(crop), crop)
    np.testing.assert_allclose(index.crops(every_crop(crop), crop), expected, rtol=0, atol=HALF)
    scaled = np.log1p(normalize(maps()[1]))
    np.testing.assert_array_equal(full.crops(Crops(*np.array([[1], [2], [1], [1]])), crop)[0], scaled[2:6, 5:0:-1])


def test_a_point_of_a_crop_is_the_cell_that_it_lies_in():
    index = build(maps(), facts(cells=(3, 4)), NAMES)  # cells of 2x2 pixels
    index = dataclasses.replace(index, grid=(2, 2))
    where = Crops(np.array([2]), np.array([1]), np.array([3]), np.array([False]))
    found = index.crops(where, (4, 4))[0]  # points at rows 2, 4 and columns 4, 6 of the image, on edges of pixels
    np.testing.assert_array_equal(found, index.cells[2][np.ix_([1, 2], [2, 3])].astype(np.float32))


def test_the_difference_of_two_cells_is_at_most_that_of_their_pixels():
    first, second, _ = maps()
    index = build(maps(), facts(cells=(1, 1)), NAMES)
    pixels = np.abs(np.log1p(normalize(first)) - np.log1p(normalize(second))).mean()
    assert abs(float(index.cells[0, 0, 0]) - float(index.cells[1, 0, 0])) <= pixels + 2 * HALF


def test_both_domains_are_normalised_alike():
    raw = build(3 * maps() + 2, facts(), NAMES)
    np.testing.assert_allclose(raw.cells, build(maps(), facts(), NAMES).cells, rtol=0, atol=2 * HALF)


def test_a_constant_map_is_all_zero():
    index = build([np.full(SIZE, 0.3, np.float32)], facts(names=["a"]), ["a"])
    np.testing.assert_array_equal(index.cells, np.zeros((1, 3, 2)))


def test_threads_build_the_same_index_and_report_progress():
    done, expected = [], build(maps(), facts(), NAMES)
    index = build_in_threads(maps().__getitem__, facts(), NAMES, done.append, threads=2)
    np.testing.assert_array_equal(index.cells, expected.cells)
    assert done == [1, 2, 3]
    assert index.facts == expected.facts


@pytest.mark.parametrize("builder", [build, lambda values, *rest: build_in_threads(values.__getitem__, *rest)])
def test_a_disparity_that_is_not_finite_or_of_another_size_names_its_sample(builder):
    values = maps()
    values[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="sample 'b': its disparity is NaN or infinite"):
        builder(values, facts(), NAMES)
    with pytest.raises(ValueError, match=r"sample 'a': its disparity is \(6, 8\), its image \(3, 8\)"):
        builder(maps(), facts(size=(3, 8)), NAMES)


def test_a_depth_cache_gives_the_maps_without_reading_images(tmp_path):
    prepared = prepare(SPEC, prepared_dir=tmp_path, size=SPEC_SIZE, workers=1)
    origin = {"weights": "w" * 64, "checkpoint": "runs/depth", "step": 1, "model": {}}
    writer, values = CacheWriter(Place(prepared, "depth", "train"), origin), maps(6, SPEC_SIZE)
    writer.fill(encode(values[index]) for index in writer.indices())
    cache = DepthCache(prepared, "depth", "train")
    made = facts((4, 4), cache.facts["names"], SPEC_SIZE, weights=cache.facts["weights"])
    index = build_in_threads(cache.read, made, cache.facts["names"])
    # 16-bit maps are off by a level at most, float16 cells by HALF, twice at most where a level changes their rounding
    np.testing.assert_allclose(index.cells, build(values, made, cache.facts["names"]).cells, rtol=0, atol=3 * HALF)


def test_fewer_maps_than_samples_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        build(maps(2), facts(), NAMES)


def test_unknown_scales_and_cells_that_are_no_pair_are_errors():
    with pytest.raises(ValueError, match=r"matching\.scale 'log2' is unknown; choose from synthia, inv"):
        facts(scale="log2")
    for cells in ((), (0, 4), (3, 4, 5)):
        with pytest.raises(ValueError, match=r"matching\.cells is .* expected \(rows, columns\)"):
            facts(cells=cells)


def test_a_saved_index_is_loaded_for_the_same_facts(tmp_path):
    index, file = build(maps(), facts(), NAMES), tmp_path / "deep" / "geometry.npz"
    assert load(file, facts()) is None
    save(index, file)
    found = load(file, facts())
    np.testing.assert_array_equal(found.cells, index.cells)
    assert (found.size, found.facts, found.scale) == (SIZE, index.facts, "log1")
    assert [path.name for path in file.parent.iterdir()] == ["geometry.npz"]


@pytest.mark.parametrize(
    "changed",
    [{"names": ["a", "c", "b"]}, {"weights": "v"}, {"cells": (2, 2)}, {"scale": "id"}, {"size": (6, 9)}],
)
def test_a_stale_file_is_not_used(tmp_path, changed):
    save(build(maps(), facts(), NAMES), tmp_path / "geometry.npz")
    assert load(tmp_path / "geometry.npz", facts(**changed)) is None


def test_a_file_of_an_older_form_is_not_used(tmp_path, monkeypatch):
    save(build(maps(), facts(), NAMES), tmp_path / "geometry.npz")
    monkeypatch.setattr(geometry_index, "SCHEMA", geometry_index.SCHEMA + 1)
    assert load(tmp_path / "geometry.npz", facts()) is None


@pytest.mark.parametrize("spoil", [lambda data: data[:200], lambda data: b"", lambda data: b"no index"])
def test_a_damaged_file_is_not_used(tmp_path, spoil):
    file = tmp_path / "geometry.npz"
    save(build(maps(), facts(), NAMES), file)
    file.write_bytes(spoil(file.read_bytes()))
    assert load(file, facts()) is None
