import numpy as np
import pytest
from tiny_scenes import SIZE, SPEC, load

from sde_seg_jax.data.reading.memory import MemorySource, load_into_memory, memory_batches
from sde_seg_jax.data.reading.nominal import NominalCamera, nominal
from sde_seg_jax.label_spaces import CITYSCAPES


def source():
    examples = []
    for index in range(3):
        example = load(("train", index, None), SIZE)
        examples.append(
            {
                "image": example["image"],
                "intrinsics": np.array(example["intrinsics"], np.float32),
                "name": example["name"],
                "labeled": True,
                "depth": example["depth"].astype(np.float32),
            }
        )
    return MemorySource(examples, CITYSCAPES, SPEC.name)


def test_a_right_angle_across_16_pixels_is_a_focal_length_of_8():
    found = nominal(np.array([12.0, 11.0, 7.0, 3.0]), (8, 16), 90.0)
    np.testing.assert_allclose(found, [8, 8 * 11 / 12, 7.5, 3.5], rtol=1e-6)  # float32; the pixels keep their shape


def test_a_pretended_camera_replaces_the_stored_one_and_nothing_else():
    plain, pretended = source(), NominalCamera(source(), 90.0)
    assert (len(pretended), pretended.names, pretended.size) == (3, plain.names, plain.size)
    for index in range(3):
        a, b = plain.read(index, ("depth",)), pretended.read(index, ("depth",))
        assert a.keys() == b.keys()
        np.testing.assert_array_equal(a["depth"], b["depth"])
        assert b["intrinsics"][0] == pytest.approx(8)
        assert a["intrinsics"][0] == 12


def test_batches_move_the_pretended_camera_with_the_crop():
    held = load_into_memory(NominalCamera(source(), 90.0), ())
    batch = next(memory_batches(held, seed=0, batch_size=3, crop=(8, 8), flip=0.0))
    np.testing.assert_allclose(batch.intrinsics.fx, 8, rtol=1e-6)  # float32
    assert ((batch.intrinsics.cx <= 7.5) & (batch.intrinsics.cx >= -0.5)).all()


@pytest.mark.parametrize("angle", [-5.0, 180.0])
def test_an_impossible_angle_is_refused(angle):
    with pytest.raises(ValueError, match=r"data.field_of_view=.* degrees between 0 and 180"):
        NominalCamera(source(), angle)
