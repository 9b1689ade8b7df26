import numpy as np
import pytest

from sde_seg_jax.data.reading.augment import Augmentation, apply, check_crop, draw

SIZE = (6, 8)


def example():
    rng = np.random.default_rng(0)
    pose = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    angle = 0.1  # about the vertical axis: turns the other way in a mirror
    pose[:, :3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    pose[:, :3, 3] = rng.normal(size=(2, 3))
    return {
        "image": rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8),
        "neighbors": rng.integers(0, 256, (2, *SIZE, 3), dtype=np.uint8),
        "label": rng.integers(0, 19, SIZE, dtype=np.uint8),
        "depth": rng.uniform(1, 9, SIZE).astype(np.float32),
        "pose": pose,
        "intrinsics": np.array([5, 4, 3.25, 2.5], np.float32),
        "name": "a",
        "labeled": np.bool_(True),
    }


def project(intrinsics, point):
    fx, fy, cx, cy = intrinsics
    return np.array([fx * point[0] / point[2] + cx, fy * point[1] / point[2] + cy])


def test_mirroring_twice_restores_every_field():
    before = example()
    mirror = Augmentation(0, 0, SIZE, True)
    after = apply(apply(before, mirror), mirror)
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value, err_msg=key)


def test_crop_takes_the_same_window_of_every_map_and_moves_the_camera():
    before, after = example(), apply(example(), Augmentation(1, 2, (4, 5), False))
    np.testing.assert_array_equal(after["image"], before["image"][1:5, 2:7])
    np.testing.assert_array_equal(after["neighbors"], before["neighbors"][:, 1:5, 2:7])
    np.testing.assert_array_equal(after["label"], before["label"][1:5, 2:7])
    np.testing.assert_array_equal(after["depth"], before["depth"][1:5, 2:7])
    np.testing.assert_array_equal(after["intrinsics"], np.float32([5, 4, 1.25, 1.5]))
    np.testing.assert_array_equal(after["pose"], before["pose"])


@pytest.mark.parametrize("flipped", [False, True])
def test_a_point_is_seen_at_the_moved_pixel_in_target_and_neighbors(flipped):
    """Projecting and augmenting commute: the new camera sees the mirrored world in the augmented image."""
    before, point = example(), np.array([0.7, -0.4, 3.0])
    augmentation = Augmentation(1, 2, (4, 5), flipped)
    after = apply(before, augmentation)
    mirrored = point * [-1, 1, 1] if flipped else point
    for here, there in [(np.eye(4), np.eye(4)), *zip(before["pose"], after["pose"], strict=True)]:
        x, y = project(before["intrinsics"], (here @ [*point, 1])[:3]) - [2, 1]
        expected = [4 - x, y] if flipped else [x, y]
        found = project(after["intrinsics"], (there @ [*mirrored, 1])[:3])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)  # float32 intrinsics and poses


def test_windows_stay_inside_and_reach_every_edge():
    drawn = [draw(np.random.default_rng(seed), SIZE, (4, 5), 0.5) for seed in range(200)]
    assert {a.top for a in drawn} == {0, 1, 2}
    assert {a.left for a in drawn} == {0, 1, 2, 3}
    assert 60 < sum(a.flipped for a in drawn) < 140


@pytest.mark.parametrize(("flip", "flipped"), [(0.0, False), (1.0, True)])
def test_flip_is_a_probability(flip, flipped):
    drawn = [draw(np.random.default_rng(seed), SIZE, SIZE, flip) for seed in range(20)]
    assert {a.flipped for a in drawn} == {flipped}


def test_a_crop_larger_than_the_image_is_refused_with_the_remedy():
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole text is compared)
        check_crop((512, 1024), (512, 512), "camvid")
    expected = "crop (512, 1024) exceeds image (512, 512) in 'camvid'; lower data.crop or raise data.size"
    assert str(error.value) == expected
