"""Run lengths of Label Studio's brush against label-studio-converter, in both directions."""

import numpy as np
import pytest
from label_studio_converter import brush

from sde_seg_jax.data.annotation import brush_rle

SHAPES = [(1, 1), (1, 2), (3, 5), (7, 13), (64, 33), (129, 255)]
FILLED = [0.0, 0.02, 0.5, 0.98, 1.0]


def random_mask(shape, filled):
    return np.random.default_rng(sum(shape)).random(shape) < filled


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("filled", FILLED)
def test_masks_are_encoded_as_label_studios_own_converter_does(shape, filled):
    mask = random_mask(shape, filled)
    theirs = brush.mask2rle(np.where(mask, 255, 0).astype(np.uint8))
    ours = brush_rle.encode(mask)
    assert theirs in (ours, [*ours, 0])  # it adds a byte where the last one is full
    np.testing.assert_array_equal(
        brush.decode_rle(ours).reshape(*shape, 4), np.where(mask, 255, 0)[..., None].repeat(4, 2)
    )
    np.testing.assert_array_equal(brush_rle.decode(theirs, *shape), mask)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_has_any_alpha_is_painted_whatever_its_color(shape):
    values = np.random.default_rng(0).choice(np.array([0, 1, 127, 255]), (*shape, 4))
    found = brush_rle.decode(brush.encode_rle(values.ravel()), *shape)
    np.testing.assert_array_equal(found, values[..., 3] > 0)


@pytest.mark.parametrize("position", [(0, 0), (0, 6), (4, 0), (2, 3), (4, 6)])
def test_one_pixel_survives(position):
    mask = np.zeros((5, 7), bool)
    mask[position] = True
    np.testing.assert_array_equal(brush_rle.decode(brush_rle.encode(mask), 5, 7), mask)


@pytest.mark.parametrize("height", [127, 128, 129, 256])  # 128 x 128 pixels have as many values as the longest run
def test_runs_longer_than_the_longest_are_split(height):
    mask = np.ones((height, 128), bool)
    data = brush_rle.encode(mask)
    assert brush.decode_rle(data).tolist() == [255] * (4 * mask.size)
    assert brush_rle.decode(data, height, 128).all()


def test_blocks_of_single_values_and_other_sizes_are_read():
    """The stream bit by bit: 4 values of 2 bits, lengths of 2 bits; two values, then a run of two."""
    bits = f"{4:032b}{1:05b}" + f"{1:04b}" * 4 + "011011000" + "1000101"
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert brush.decode_rle(data).tolist() == [2, 0, 1, 1]
    assert brush_rle.decode(data, 1, 1).tolist() == [[True]]


def test_every_cut_is_an_error():
    data = brush_rle.encode(random_mask((7, 13), 0.5))
    for end in range(len(data)):
        with pytest.raises(ValueError, match="cut off"):
            brush_rle.decode(data[:end], 7, 13)


def test_random_bytes_give_a_mask_or_an_error():
    random, outcomes = np.random.default_rng(1), set()
    for _ in range(300):
        data = [*brush_rle.encode(np.ones((3, 5), bool))[:6], *random.integers(0, 256, 12).tolist()]
        try:
            outcomes.add(brush_rle.decode(data, 3, 5).shape)
        except ValueError as error:
            outcomes.add(str(error))
    assert outcomes == {(3, 5), "its run lengths are broken or cut off"}


def test_another_size_is_an_error_with_both_sizes():
    with pytest.raises(ValueError, match="of 140 values, not of the 4 x 7 x 6 of the image"):
        brush_rle.decode(brush_rle.encode(np.ones((5, 7), bool)), 6, 7)


@pytest.mark.parametrize("data", ["abc", 7, None, [1.5, "x"], [-1] * 9, [256] * 9, [[1, 2], [3, 4]], [1 << 80]])
def test_what_is_no_list_of_bytes_is_an_error(data):
    with pytest.raises(ValueError, match="no list of bytes"):
        brush_rle.decode(data, 5, 7)
