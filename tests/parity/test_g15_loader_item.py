"""Items of the published Cityscapes loader against ours: raw files, preparation, window and mirror.

There an image is mirrored, then cut; here cut, then mirrored: column x of the mirrored image is W - w - x before. Its
colour pyramid and jitter are made on the device here, from the image at scale 0.
"""

import golden
import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.datasets import cityscapes
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.data.reading import augment
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.types import IGNORE

CASES = range(3)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """example(recording) -> the stored sample, made from the recorded raw files."""
    done = {}

    def make(recording):
        if recording.name not in done:
            raw, out = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("out")
            frames = {18: "in.frame_m1", 19: "in.frame_0", 20: "in.frame_1"}
            city = "aachen/aachen_000000"
            for number, key in frames.items():
                save(raw / f"leftImg8bit_sequence/train/{city}_{number:06d}_leftImg8bit.png", recording[key])
            save(raw / f"leftImg8bit/train/{city}_000019_leftImg8bit.png", recording["in.frame_0"])
            save(raw / f"gtFine/train/{city}_000019_gtFine_labelIds.png", recording["in.label"])
            size = tuple(recording.params["size"])
            options = {"size": size, "splits": ["train"], "image_format": "png", "workers": 1}
            prepare("cityscapes", raw_dir=raw, prepared_dir=out, **options)
            done[recording.name] = open_source("cityscapes", out, "train").read(0)
        return done[recording.name]

    return make


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def augmentation(recording, case):
    """Ours for the draws of a case: it was mirrored where the second of its random numbers is below 0.5."""
    drawn, crop = recording.params["cases"][case], tuple(recording.params["crop"])
    flipped = drawn["randoms"][1] < 0.5
    x, y = drawn["ints"]
    left = recording.params["size"][1] - crop[1] - x if flipped else x
    return augment.Augmentation(y, left, crop, flipped)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("recording", golden.recordings("g15_loader_item_"))
def test_images_are_equal(recording, case, example):
    ours = augment.apply(example(recording), augmentation(recording, case))
    pictures = {"color_0_0": ours["image"], "color_m1_0": ours["neighbors"][0], "color_1_0": ours["neighbors"][1]}
    for key, picture in pictures.items():
        np.testing.assert_array_equal(picture.transpose(2, 0, 1), recording[f"out.case{case}.{key}"], err_msg=key)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("recording", golden.recordings("g15_loader_item_"))
def test_labels_are_equal(recording, case, example):
    label = augment.apply(example(recording), augmentation(recording, case))["label"]
    np.testing.assert_array_equal(label, recording[f"out.case{case}.lbl"])
    np.testing.assert_array_equal(label != IGNORE, recording[f"out.case{case}.onehot_sum"])  # one-hot, ignored: zeros


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("recording", golden.recordings("g15_loader_item_"))
def test_cached_maps_follow_the_image(recording, case):
    window = augmentation(recording, case)
    drawn = {"intrinsics": np.ones(4, np.float32)}
    for key, full in (("depth8", 255), ("depth16", 65535)):
        if f"out.case{case}.{key}" not in recording:  # 16 bit: in ssda only
            continue
        ours = augment.apply({**drawn, "depth": recording[f"in.{key}"]}, window)["depth"]
        published = recording[f"out.case{case}.{key}"].reshape(ours.shape)
        np.testing.assert_allclose(ours / np.float32(full), published, rtol=1e-6)  # float32 division


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("recording", golden.recordings("g15_loader_item_"))
def test_cameras_differ_as_decided(recording, case, example):
    """Q1, Q2: ssda scales the raw camera as if pixel centres were at 0.5; master leaves it, and mirrors rows."""
    window, width = augmentation(recording, case), recording.params["size"][1]
    scale = width / cityscapes.INTRINSICS_SIZE[1]  # the raw images here are small, their camera's is not
    found = augment.apply(example(recording), window)["intrinsics"]
    k = recording[f"out.case{case}.K0"].astype(np.float64)
    if recording.entry["repo"] == "ssda":
        shift = (-0.5 - 0.5 * scale if window.flipped else 0.5 * scale - 0.5, 0.5 * scale - 0.5)
        expected = [k[0, 0], k[1, 1], k[0, 2] + shift[0], k[1, 2] + shift[1]]
    else:
        x, y = recording.params["cases"][case]["ints"]
        raw_height, raw_width = cityscapes.INTRINSICS_SIZE
        u, v = k[0, 2] + x, k[1, 2] + y
        if window.flipped:
            u, v = raw_width - u, raw_height - v
        cx, cy = (u + 0.5) * scale - 0.5, (v + 0.5) * scale - 0.5
        expected = [k[0, 0] * scale, k[1, 1] * scale, (width - 1 - cx if window.flipped else cx) - x, cy - y]
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # recorded and stored as float32
