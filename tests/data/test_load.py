"""What a description's load() returns is checked before it is stored, and its errors name data set and item."""

import dataclasses

import numpy as np
import pytest

from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored import codec

SIZE = (8, 16)
GOOD = {
    "image": np.zeros((8, 16, 3), np.uint8),
    "intrinsics": (8.0, 8.0, 8.0, 4.0),
    "name": "a/1",
    "label": np.zeros((8, 16), np.int64),
}


@pytest.fixture(scope="module")
def spec():
    return dataclasses.replace(find("street_scenes"), name="mine", fields=("label",))


def loading(spec, **changes):
    return dataclasses.replace(spec, load=lambda item, size: GOOD | changes)


def test_a_good_example_is_stored(spec):
    assert codec.encode(loading(spec), "i7", SIZE, "png").fields == ("label",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((8, 16, 3), np.float32)}, r"image of 'a/1' is float32 \[8, 16, 3\]; expected RGB uint8"),
        ({"image": np.zeros((8, 16), np.uint8)}, r"image of 'a/1' is uint8 \[8, 16\]; expected RGB uint8"),
        ({"label": np.zeros((8, 16), np.float32)}, r"label of 'a/1' is float32 \[8, 16\]; expected whole numbers"),
        ({"label": np.zeros((8, 16, 3), np.uint8)}, r"label of 'a/1' is uint8 \[8, 16, 3\]; expected whole"),
        ({"intrinsics": None, "name": None}, r"load\(\) of data set 'mine' gave no intrinsics, name for 'i7'"),
    ],
)
def test_what_cannot_be_stored_is_named(spec, changes, message):
    with pytest.raises(ValueError, match=message):
        codec.encode(loading(spec, **changes), "i7", SIZE, "png")


def test_a_fault_in_load_names_data_set_and_item(spec):
    def load(item, size):
        return {}["image"]

    with pytest.raises(ValueError, match=r"load\(\) of data set 'mine' failed for 'i7': KeyError: 'image'"):
        codec.encode(dataclasses.replace(spec, load=load), "i7", SIZE, "png")
