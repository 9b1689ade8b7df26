"""The table of fields against what it describes: batches, and decoded samples of the data set that has them all."""

import dataclasses

import numpy as np
import pytest

from sde_seg_jax.data.fields import ALWAYS, FIELDS, OPTIONAL_FIELDS, STORED_FIELDS
from sde_seg_jax.data.reading.augment import Augmentation, adjust, cut_maps
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored import codec
from sde_seg_jax.types import Batch

SIZE = (64, 96)
WINDOW = Augmentation(top=8, left=16, size=(24, 40), flipped=True)


@pytest.fixture(scope="module")
def example():
    spec = find("street_scenes")
    (item,) = spec.items("train", "", problems=None, **spec.options | {"counts": {"train": 1, "val": 1}})
    found = codec.decode(codec.encode(spec, item, SIZE, "jpeg").stored, spec.fields)
    return found | {"disparity": found["depth"] / np.float32(300), "valid": np.ones(SIZE, bool)}


def test_a_batch_has_an_attribute_for_every_field():
    assert {field.name for field in dataclasses.fields(Batch)} == set(FIELDS)
    assert set(ALWAYS) | set(OPTIONAL_FIELDS) == set(FIELDS)
    assert set(find("street_scenes").fields) == set(STORED_FIELDS)


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "name"])
def test_decoded_and_cropped_fields_have_their_type_and_shape(name, example):
    field = FIELDS[name]
    for found, size in ((example, SIZE), (adjust(cut_maps(example, WINDOW.window), WINDOW), WINDOW.size)):
        height_and_width = iter(size)
        assert found[name].dtype == field.dtype
        assert found[name].shape == tuple(next(height_and_width) if n is None else n for n in field.shape)


def test_every_map_is_cut_and_mirrored_alike(example):
    rows, columns = WINDOW.window
    found = adjust(cut_maps(example, WINDOW.window), WINDOW)
    for name, field in FIELDS.items():
        if field.is_map:
            place = (..., rows, columns) if len(field.shape) == 2 else (..., rows, columns, slice(None))
            axis = -1 if len(field.shape) == 2 else -2
            np.testing.assert_array_equal(found[name], np.flip(example[name][place], axis))
