"""Crops of images that were scaled at random: every field of them, both readers, and what is refused."""

import itertools

import jax
import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.fields import FIELDS, MAPS
from sde_seg_jax.data.reading import augment, memory, pipeline
from sde_seg_jax.data.reading.augment import Augmentation, apply, draw
from sde_seg_jax.data.reading.picks import PlainPicks
from sde_seg_jax.data.reading.scaling import draw_size, least_without_padding, may_pad
from sde_seg_jax.data.stored.codings import resize_nearest
from sde_seg_jax.types import IGNORE

SIZE, CROP, SCALE = (30, 40), (16, 24), (0.5, 2.0)
SIZES = [(15, 20), (27, 36), (30, 40), (45, 60), (60, 80)]


def example():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8),
        "neighbors": rng.integers(0, 256, (2, *SIZE, 3), dtype=np.uint8),
        "label": rng.integers(0, 19, SIZE, dtype=np.uint8),
        "depth": rng.uniform(1, 9, SIZE).astype(np.float32),
        "disparity": rng.uniform(0, 1, SIZE).astype(np.float32),
        "pose": np.tile(np.eye(4, dtype=np.float32), (2, 1, 1)),
        "intrinsics": np.array([25, 20, 18.25, 15.5], np.float32),
        "name": "a",
        "labeled": np.bool_(True),
    }


def whole(values, field, size):
    """A map resized as a whole, as the published code does before it cuts."""
    if field.frames:
        return np.stack([whole(one, FIELDS["image"], size) for one in values])
    if not field.between:
        return resize_nearest(values, size)
    return np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("flipped", [False, True])
def test_a_crop_is_that_of_the_image_resized_as_a_whole_and_padded(size, flipped):
    before, rng = example(), np.random.default_rng(1)
    top, left = (int(rng.integers(max(0, n - c) + 1)) for n, c in zip(size, CROP, strict=True))
    found = apply(before, Augmentation(top, left, CROP, flipped, (SIZE, size)))
    rows, columns = (min(c, n - at) for c, n, at in zip(CROP, size, (top, left), strict=True))
    for name in MAPS:
        outside = IGNORE if name == "label" else 0
        values = np.ones(size, bool) if name == "valid" else whole(before[name], FIELDS[name], size)
        several = values.shape[:1] if FIELDS[name].frames else ()
        expected = np.full((*several, *CROP, *FIELDS[name].shape[len(several) + 2 :]), outside, values.dtype)
        here = (slice(None),) * len(several)
        window = (slice(top, top + CROP[0]), slice(left, left + CROP[1]))
        expected[(*here, slice(rows), slice(columns))] = values[(*here, *window)]
        expected = np.flip(expected, len(several) + 1) if flipped else expected
        assert found[name].dtype == before.get(name, expected).dtype
        # of a part instead of the whole, Pillow's weights differ in their last bit, and it rounds rows, then columns
        atol = {"uint8": 2, "float32": 1e-6}.get(str(expected.dtype), 0) if FIELDS[name].between else 0
        np.testing.assert_allclose(found[name].astype(float), expected.astype(float), rtol=0, atol=atol, err_msg=name)
    np.testing.assert_array_equal(found["pose"], before["pose"])


@pytest.mark.parametrize("size", [(15, 20), (60, 80), (90, 120)])  # where the filter is symmetric, and a ramp stays one
@pytest.mark.parametrize("flipped", [False, True])
def test_a_point_is_seen_where_the_resized_image_shows_it(size, flipped):
    """The map tells from which stored pixel a pixel is: the new camera sends that pixel's ray to the new one."""
    for axis, (focal, centre) in ((0, (1, 3)), (1, (0, 2))):
        before = example()
        before["disparity"] = np.indices(SIZE, np.float32)[axis]
        after = apply(before, Augmentation(2, 1, CROP, flipped, (SIZE, size)))
        inside = after["valid"] & (after["disparity"] > 1) & (after["disparity"] < SIZE[axis] - 2)  # cut at the edge
        ray = (after["disparity"] - before["intrinsics"][centre]) / before["intrinsics"][focal]
        ray = -ray if flipped and axis == 1 else ray
        seen = after["intrinsics"][centre] + after["intrinsics"][focal] * ray
        assert inside.sum() > 100
        np.testing.assert_allclose(seen[inside], np.indices(CROP)[axis][inside], rtol=0, atol=1e-4)  # of 120 pixels


def test_scales_are_uniform_keep_proportions_and_reach_both_ends():
    sizes = [draw_size(np.random.default_rng(seed), SIZE, SCALE) for seed in range(4000)]
    longer = np.array([max(size) for size in sizes])
    assert (longer.min(), longer.max()) == (20, 80)
    assert abs(longer.mean() - 50) < 4 * 17.6 / 4000**0.5
    assert all(abs(h - 0.75 * w) <= 0.5 for h, w in sizes)


def test_without_scale_nothing_is_drawn_for_it():
    plain, off = (draw(np.random.default_rng(3), SIZE, CROP, 0.5, *more) for more in ((), ((1.0, 1.0),)))
    rng = np.random.default_rng(3)
    expected = Augmentation(int(rng.integers(15)), int(rng.integers(17)), CROP, bool(rng.random() < 0.5))
    assert plain == off == expected
    assert "valid" not in apply(example(), off)


@pytest.fixture(scope="module")
def loaded(source):
    return memory.load_into_memory(source)


def test_both_readers_resume_the_same_scaled_crops(source, loaded):
    arguments = {"seed": 3, "batch_size": 4, "crop": (8, 12), "scale": SCALE}
    take = lambda batches, count: list(itertools.islice(batches, count))  # noqa: E731
    expected = take(memory.memory_batches(loaded, **arguments), 6)
    for found in (
        take(pipeline.batches(source, **arguments), 6),
        take(pipeline.batches(source, **arguments, start=2), 4),
        take(memory.memory_batches(loaded, **arguments, threads=2, start=2), 4),
    ):
        jax.tree.map(np.testing.assert_array_equal, found, expected[-len(found) :])
    for batch in expected:  # labels are ignored exactly where no image is, as far as all pixels have one
        assert not batch.image[~batch.valid].any()
        assert (batch.label[~batch.valid] == IGNORE).all()
    shares = [one.mean() for batch in expected for one in batch.valid]
    assert max(shares) == 1 > min(shares)


def test_a_stream_with_picks_of_its_own_takes_no_scale(loaded):
    pick = PlainPicks(0, range(2), loaded.size, (4, 4))
    with pytest.raises(ValueError, match="scales none"):
        memory.memory_batches(loaded, seed=0, batch_size=1, crop=(4, 4), pick=pick, scale=SCALE)


@pytest.mark.parametrize("scale", [(2.0, 0.5), (0.0, 1.0), (1.0,), (-1.0, 1.0)])
def test_a_scale_that_is_no_range_is_refused(loaded, scale):
    with pytest.raises(ValueError, match=r"expected \(least, most\) with 0 < least <= most"):
        memory.memory_batches(loaded, seed=0, batch_size=1, scale=scale)


@pytest.mark.parametrize(
    ("size", "crop"), [((1024, 2048), (798, 798)), ((30, 40), (16, 24)), ((7, 3), (7, 3)), ((64, 64), (33, 9))]
)
def test_the_least_scale_without_padding_is_the_least(size, crop):
    least = least_without_padding(size, crop)
    assert not may_pad(size, crop, (least, 2.0))
    assert may_pad(size, crop, (least - 0.02, 2.0))
    for seed in range(50):
        sizes = augment.draw(np.random.default_rng(seed), size, crop, 0.5, (least, 2 * least)).sizes
        assert sizes is None or all(a >= b for a, b in zip(sizes[1], crop, strict=True))
