"""The embedded data set: contract of a sample, determinism, and what is in the pictures."""

import subprocess
import sys
import zlib

import numpy as np
import pytest

from sde_seg_jax.data.street_scenes import clip as renderer
from sde_seg_jax.data.street_scenes.camera import drive, intrinsics, make_rays
from sde_seg_jax.data.street_scenes.clip import FRAMES_PER_CLIP, render_frame, render_sample
from sde_seg_jax.data.street_scenes.render import place
from sde_seg_jax.data.street_scenes.scene import make_scene
from sde_seg_jax.data.street_scenes.textures import band, hash01, noise, ripmap, stripes
from sde_seg_jax.label_spaces import CITYSCAPES

SIZE = (32, 64)
DOMAINS = ("target", "source")
# Exact wherever IEEE arithmetic holds (see clip.py). A change here changes every result on street scenes.
CHECKSUMS = {"target": 3607009990, "source": 710109168}


def checksum(sample):
    total = 0
    for field in ("image", "neighbors", "label", "depth", "pose"):
        total = zlib.crc32(np.ascontiguousarray(sample[field]).tobytes(), total)
    return total


@pytest.mark.parametrize("domain", DOMAINS)
def test_sample_has_the_promised_shapes_and_types(domain):
    sample = render_sample(domain, 0, 3, SIZE)
    kinds = {name: (value.shape, str(value.dtype)) for name, value in sample.items() if hasattr(value, "dtype")}
    assert kinds == {
        "image": ((32, 64, 3), "uint8"),
        "neighbors": ((2, 32, 64, 3), "uint8"),
        "label": ((32, 64), "uint8"),
        "depth": ((32, 64), "float32"),
        "pose": ((2, 4, 4), "float32"),
    }
    assert set(sample["intrinsics"]) == {"fx", "fy", "cx", "cy"}
    assert sample["name"] == f"{domain}_0_s0000_f03"


@pytest.mark.parametrize("domain", DOMAINS)
def test_pixels_are_known_bit_for_bit(domain):
    assert checksum(render_sample(domain, 7, 11, SIZE)) == CHECKSUMS[domain]


def test_another_process_renders_the_same():
    code = (
        "import zlib; from sde_seg_jax.data.street_scenes.clip import render_sample as r; "
        "print(zlib.crc32(r('target', 5, 2, (16, 32))['image'].tobytes()))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(output) == zlib.crc32(render_sample("target", 5, 2, (16, 32))["image"].tobytes())


def test_order_of_access_does_not_matter():
    first = checksum(render_sample("target", 1, 0, SIZE))
    for clip in range(6):
        render_sample("target", 1, clip * FRAMES_PER_CLIP, (8, 16))
    assert checksum(render_sample("target", 1, 0, SIZE)) == first


def test_seeds_domains_and_frames_differ():
    arguments = (("target", 0, 0), ("target", 1, 0), ("source", 0, 0), ("target", 0, 1), ("target", 0, 8))
    assert len({checksum(render_sample(*a, SIZE)) for a in arguments}) == len(arguments)


def test_unknown_domain_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'mars'.*source.*target"):
        render_sample("mars", 0, 0, SIZE)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_street_has_many_classes_in_real_proportions(domain):
    count = np.zeros(256)
    for clip in range(24):
        label = render_sample(domain, 2, clip * FRAMES_PER_CLIP + clip % 8, SIZE, supersample=1)["label"]
        count += np.bincount(label.ravel(), minlength=256)
    share = dict(zip(CITYSCAPES.classes, count / count.sum(), strict=False))
    assert count[19:].sum() == 0  # every pixel is labelled
    assert sum(value > 0.0005 for value in share.values()) >= 12
    assert 0.2 < share["road"] < 0.45
    assert 0.1 < share["sky"] < 0.35
    assert 0.002 < share["pole"] < 0.03
    assert 0.0002 < share["bicycle"] < 0.02


def test_only_the_sky_has_no_depth():
    sample = render_sample("target", 3, 4, SIZE)
    sky = sample["label"] == CITYSCAPES.classes.index("sky")
    assert sky.any()
    np.testing.assert_array_equal(sample["depth"] == 0, sky)
    assert sample["depth"][~sky].min() > 0.2


def test_labels_and_depth_do_not_depend_on_antialiasing_or_noise():
    _, label, depth, _ = render_frame("target", 0, 0, 0, SIZE, supersample=1, noise=0.0)
    for supersample in (2, 3):
        _, label_n, depth_n, _ = render_frame("target", 0, 0, 0, SIZE, supersample=supersample)
        same = label == label_n
        assert same.mean() > 0.999  # a silhouette may cross a pixel centre within rounding
        np.testing.assert_allclose(depth_n[same], depth[same], rtol=1e-4)


def test_antialiasing_averages_the_same_picture():
    fine = render_frame("target", 0, 0, 0, SIZE, supersample=4, noise=0.0)[0].astype(float)
    default = render_frame("target", 0, 0, 0, SIZE, supersample=2, noise=0.0)[0].astype(float)
    none = render_frame("target", 0, 0, 0, SIZE, supersample=1, noise=0.0)[0].astype(float)
    assert np.abs(default - fine).mean() < 0.5 * np.abs(none - fine).mean()


@pytest.mark.parametrize("clip", range(4))
def test_camera_advances_and_static_objects_stay(clip):
    scene = make_scene("target", 0, clip)
    size = intrinsics("target", SIZE)
    cameras = [drive(scene, tick) for tick in (0, 1)]
    before, after = (place(scene, t, c, make_rays(size, SIZE, 1)) for t, c in enumerate(cameras))
    moved = np.abs(after.group_position - before.group_position).max(-1) > 0
    moving = (scene.packed.speed != 0) | (scene.packed.drift != 0)
    np.testing.assert_array_equal(moved, moving)
    assert 0 < moving.sum() < 0.5 * moving.size
    assert 0.39 < cameras[1].position[2] - cameras[0].position[2] < 1.01  # metres a frame


def turned(scene, tick, **options):
    """Degrees that the camera turns in a tick."""
    before, after = (drive(scene, t, **options).world_from_camera for t in (tick, tick + 1))
    return np.degrees(np.arccos(np.clip((np.trace(before.T @ after) - 1) / 2, -1, 1)))


def test_a_shaking_camera_turns_by_some_degrees_and_stays_on_its_path():
    scene = make_scene("target", 0, 0)
    still, shaking = (np.mean([turned(scene, t, shake=shake) for t in range(40)]) for shake in (0.0, 1.0))
    assert still < 1
    assert 1.5 < shaking < 2.5
    np.testing.assert_array_equal(drive(scene, 7).position, drive(scene, 7, shake=1.0).position)
    rotation = drive(scene, 7, shake=1.0).world_from_camera
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)  # float64 rounding


def test_noise_averages_out_over_large_footprints_and_repeats_seamlessly():
    u, v = np.float32([3.2, 259.2]), np.float32([7.7, 7.7])
    one, wide = np.float32([1, 1]), np.float32([256, 256])
    values = noise(u, v, one, one)
    np.testing.assert_allclose(values[0], values[1], atol=1e-4)
    assert np.abs(noise(u, v, wide, wide)).max() < 0.1
    assert 0.2 < ripmap().reshape(512, 512)[:256, :256].std() < 0.6


def test_stripes_and_bands_are_box_filtered():
    x = np.float32([0.5, 0.0, 0.25])
    sharp, blurred = np.float32(1e-3) * np.ones(3, np.float32), np.ones(3, np.float32)
    np.testing.assert_allclose(stripes(x, 0.5, sharp), [1, 0, 0.5], atol=1e-3)
    np.testing.assert_allclose(stripes(x, 0.5, blurred), [0.5, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(band(x, 0.25, 0.75, blurred), [0.5, 0.25, 0.5], atol=1e-6)


def test_hash_is_uniform():
    values = hash01(np.arange(4096), np.zeros(4096), 1)
    assert values.min() >= 0
    assert values.max() < 1
    np.testing.assert_allclose(np.histogram(values, 4, (0, 1))[0] / 4096, 0.25, atol=0.03)


@pytest.mark.parametrize("domain", DOMAINS)
def test_pixels_do_not_depend_on_how_many_rays_are_followed_together(domain, monkeypatch):
    found = []
    for rays in (10**9, 3000):
        monkeypatch.setattr(renderer, "BLOCK", rays)
        found.append(checksum(render_sample(domain, 1, 3, (40, 80))))
    assert found[0] == found[1]
