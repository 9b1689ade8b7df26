"""Videos that are made steadier, on a rendered clip with true depth and motion. The networks are functions."""

import json
import pathlib
import sys

import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
from test_predict_files import DARK, Said
from tree_folder import picture, save, write_video

from sde_seg_jax.data.street_scenes.camera import intrinsics, source_from_target
from sde_seg_jax.data.street_scenes.clip import render_frame
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction import job, smoothing
from sde_seg_jax.experiment.prediction.ahead import Frame
from sde_seg_jax.experiment.prediction.asking import Predictor
from sde_seg_jax.experiment.prediction.files import Job, write_predictions
from sde_seg_jax.experiment.prediction.motion import Mover
from sde_seg_jax.experiment.prediction.smoothing import Smoother
from sde_seg_jax.experiment.prediction.sources import Source, find_sources
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.label_spaces import CITYSCAPES

SIZE, COUNT, UNIT = (48, 96), 4, 7.5
FRAMES = [render_frame("target", 3, 0, tick, SIZE, supersample=1) for tick in range(COUNT)]
VIDEO = Source(pathlib.Path("tour.mp4"), pathlib.Path("tour"), "tour")
RANGE = DepthRange()
KNOWN = CITYSCAPES.num_classes
PREDICTOR = Predictor(lambda images: {}, lambda size: size, ("probabilities", "disparity"), CITYSCAPES, RANGE)


def true_maps(number, noise=None):
    """What a perfect network says; with noise [h,w,C] on its logits."""
    _, label, depth, _ = FRAMES[number]
    depth = np.clip(np.where(depth > 0, depth, np.inf) / UNIT, RANGE.min_depth, RANGE.max_depth)
    far, near = 1 / RANGE.max_depth, 1 / RANGE.min_depth
    logits = 4.0 * np.eye(KNOWN)[np.minimum(label, KNOWN - 1)] + (0 if noise is None else noise)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = (powers / powers.sum(-1, keepdims=True)).astype(np.float32)
    return {"probabilities": probabilities, "disparity": ((1 / depth - far) / (near - far)).astype(np.float32)}


def motion(earlier, later):
    numbers = [next(i for i, frame in enumerate(FRAMES) if (frame[0] == image[0]).all()) for image in (earlier, later)]
    pose = source_from_target(*(FRAMES[number][3] for number in numbers))
    pose[:3, 3] /= UNIT
    return pose[None]


def camera(size, image):
    found = intrinsics("target", size)
    return tuple(found[key] for key in ("fx", "fy", "cx", "cy"))


def run(smoother, every):
    """The maps that come out, and what is measured."""
    found = []
    for number, maps in enumerate(every):
        image = FRAMES[number][0]
        found.append(smoother.take(Frame(VIDEO, f"tour_{number:06d}", image, (image,)), maps))
    return found, smoother.ended()


def driving(weight):
    return Smoother(weight, [PREDICTOR], Mover(motion), camera)


def test_true_depth_and_motion_move_classes_to_where_they_are_seen_next():
    every = [true_maps(number) for number in range(COUNT)]
    found, moved = run(driving(0.0), every)
    assert all(one is other for one, other in zip(found, every, strict=True))  # weight 0 measures and changes nothing
    _, unmoved = run(Smoother(0.0, [PREDICTOR]), every)
    assert set(moved) == {"flicker", "consistency"}
    assert moved["flicker"] < 0.06  # borders of a few pixels, and what was hidden
    assert moved["flicker"] < 0.6 * unmoved["flicker"]
    assert moved["consistency"] > unmoved["consistency"] + 0.1
    assert driving(0.0).ended() == {}


def test_noise_of_a_single_frame_is_reduced():
    noise = np.random.default_rng(0).normal(0, 3.0, (*SIZE, KNOWN))
    every = [true_maps(number, noise if number == 2 else None) for number in range(COUNT)]
    found, measured = run(driving(0.6), every)
    wrong = [np.mean(maps["probabilities"].argmax(-1) != FRAMES[2][1]) for maps in (every[2], found[2])]
    assert wrong[0] > 0.3
    assert wrong[1] < 0.5 * wrong[0]
    assert measured["flicker_smoothed"] < 0.5 * measured["flicker"]
    assert measured["consistency_smoothed"] > measured["consistency"]
    np.testing.assert_array_equal(found[0]["probabilities"], every[0]["probabilities"])
    np.testing.assert_allclose(found[2]["probabilities"].sum(-1), 1, atol=1e-5)
    text = smoothing.told("tour.mp4", {name: 0.25 for name in measured})
    assert text == ("tour.mp4: flicker 25.00% of the pixels, temporal consistency 25.00%; smoothed 25.00% and 25.00%")


def test_what_looks_otherwise_or_was_not_seen_is_left_alone():
    rng = np.random.default_rng(1)
    now, before = (rng.random((1, 8, 12, 3), np.float32) for _ in range(2))
    image = np.full((1, 8, 12, 3), 0.5, np.float32)
    standing = smoothing.standing((8, 12))
    alike = smoothing.blended(now, image, before, image, standing, 0.25)
    np.testing.assert_allclose(alike, 0.75 * now + 0.25 * before, rtol=1e-6)
    other = image.copy()
    other[:, :, 8:] = 0.0
    found = np.asarray(smoothing.blended(now, image, before, other, standing, 0.25))
    np.testing.assert_array_equal(found[:, :, 8:], now[:, :, 8:])
    np.testing.assert_allclose(found[:, :, :6], np.asarray(alike)[:, :, :6])
    unseen = smoothing.Where(standing.xy, standing.seen.at[:, 3].set(False))
    np.testing.assert_array_equal(smoothing.blended(now, image, before, image, unseen, 0.25)[:, 3], now[:, 3])
    classes = jnp.arange(96).reshape(1, 8, 12)
    np.testing.assert_array_equal(smoothing.warped_classes(classes, unseen)[0, 2:4], [range(24, 36), [-1] * 12])


def test_the_camera_moves_pixels_by_their_depth():
    k = np.array([[[20.0, 0, 9.5], [0, 20.0, 4.5], [0, 0, 1]]], np.float32)
    disparity = np.full((1, 10, 20, 1), (1 / 2.0 - 0.01) / (10 - 0.01), np.float32)  # depth 2
    pose = np.eye(4, dtype=np.float32)[None]
    pose[:, 0, 3] = 0.3  # seen 20 * 0.3 / 2 pixels further to the right before
    where = smoothing.moved(disparity, k, np.linalg.inv(k), pose, (10, 20), RANGE)
    np.testing.assert_allclose(where.xy[0, 4, :, 0], np.arange(20) + 3, atol=1e-3)
    assert where.seen[0, 4, :16].all()
    assert not where.seen[0, 4, 17:].any()
    pose[:, 2, 3] = -3  # it would lie behind the camera
    assert not smoothing.moved(disparity, k, np.linalg.inv(k), pose, (10, 20), RANGE).seen.any()


def test_videos_are_smoothed_and_photos_are_not(tmp_path):
    for number in range(2):
        save(tmp_path / "in" / f"{number}.png", picture(number))
    write_video(tmp_path / "in" / "tour.mp4", [picture(number) for number in range(3)])
    plain, steady = tmp_path / "plain", tmp_path / "steady"
    write_predictions(find_sources(tmp_path / "in", plain), plain, Job([DARK], outputs=("probabilities",)))
    reporter = Said()
    reporter.tell = reporter.warn
    wish = Job([DARK], outputs=("probabilities",), smoother=Smoother(0.5, [DARK]))
    write_predictions(find_sources(tmp_path / "in", steady), steady, wish, reporter)
    for name in ("0_probabilities.npy", "1_probabilities.npy", "tour/tour_000000_probabilities.npy"):
        assert (plain / name).read_bytes() == (steady / name).read_bytes()
    assert (plain / "tour/tour_000001_probabilities.npy").read_bytes() != (
        steady / "tour/tour_000001_probabilities.npy"
    ).read_bytes()
    lines = [json.loads(line) for line in (steady / "predictions.jsonl").read_text().splitlines()]
    flicker = [line["flicker"] for line in lines[1:] if "flicker" in line]
    assert [set(one) for one in flicker] == [{"flicker", "consistency", "flicker_smoothed", "consistency_smoothed"}]
    assert reporter.lines == [smoothing.told("tour.mp4", flicker[0])]
    assert "flicker" not in (plain / "predictions.jsonl").read_text()
    again = Job([DARK], outputs=("probabilities",), resume=True, smoother=Smoother(0.5, [DARK]))
    assert write_predictions(find_sources(tmp_path / "in", steady), steady, again).skipped == 3
    lines = [json.loads(line) for line in (steady / "predictions.jsonl").read_text().splitlines()]
    assert [line["flicker"] for line in lines if "flicker" in line] == flicker


@pytest.mark.parametrize("text", ["1", "-0.1", "nan", "much"])
def test_a_weight_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match=f"--smooth={text}: expected a weight of the past from 0"):
        job.make_job(job.Wish("no checkpoint is read before", smooth=text))


def test_a_still_camera_alone_asks_for_nothing():
    with pytest.raises(UsageError, match="--still_camera says how --smooth compares frames"):
        job.make_job(job.Wish("no checkpoint is read before", still_camera=True))
