"""Metres from the vehicle's own movement: a network that says the true depths and poses in its own unit gets them back.

The clip is rendered; the network is a function that knows its frames.
"""

import functools
import itertools
import json
import pathlib
import sys

import cv2
import jax
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
from tree_folder import picture, save, write_video

from sde_seg_jax.data.street_scenes.camera import source_from_target
from sde_seg_jax.data.street_scenes.clip import render_frame
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.errors import UsageError
from sde_seg_jax.experiment.prediction import job, metric, motion, movement
from sde_seg_jax.experiment.prediction.asking import Predictor
from sde_seg_jax.experiment.prediction.files import Job, write_predictions
from sde_seg_jax.experiment.prediction.sources import find_sources
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.tasks.motion import predicted_poses

SIZE, COUNT, UNIT, RATE = (32, 64), 5, 7.5, 10.0  # a unit of the network is 7.5 m
FRAMES = [render_frame("target", 3, 0, tick, SIZE, supersample=1) for tick in range(COUNT)]
IMAGES, DEPTHS, CAMERAS = ([frame[part] for frame in FRAMES] for part in (0, 2, 3))
RANGE = DepthRange()


def place(image):
    """Which frame this is."""
    return next(number for number, known in enumerate(IMAGES) if (known == image).all())


def disparity(images):
    far, near = 1 / RANGE.max_depth, 1 / RANGE.min_depth
    depths = np.stack([DEPTHS[place(image)] for image in images]) / UNIT
    found = (1 / np.where(depths > 0, depths, RANGE.max_depth) - far) / (near - far)
    return {"disparity": found.astype(np.float32)}


def poses(earlier, later, wrong=lambda number: 1.0):
    found = []
    for one, other in zip(earlier, later, strict=True):
        pose = source_from_target(CAMERAS[place(one)], CAMERAS[place(other)])
        pose[:3, 3] *= wrong(place(one)) / UNIT
        found.append(pose)
    return np.stack(found)


WORLD = Predictor(disparity, lambda size: size, ("disparity",), None, RANGE)


@pytest.fixture
def clip(tmp_path):
    for number, image in enumerate(IMAGES):
        save(tmp_path / "clip" / f"{number}.png", image)
    rows = [np.c_[camera.world_from_camera, camera.position].ravel() for camera in CAMERAS]
    np.savetxt(tmp_path / "poses.txt", rows, fmt="%.12g")
    return tmp_path / "clip"


def predict(source, way, file, call=poses, rate=0.0, **options):
    """What is done, and the folder of it, with metres by a file."""
    out = source.parent / "out"
    scale = functools.partial(movement.by_movement, way, movement.read(way, str(file)), motion.Mover(call), rate)
    return write_predictions(find_sources(source, out), out, Job([WORLD], scale=scale, **options)), out


def test_true_poses_give_back_the_metres_of_the_scene(clip, tmp_path):
    done, out = predict(clip, "poses", tmp_path / "poses.txt")
    head = json.loads((out / "predictions.jsonl").read_text().splitlines()[0])
    assert head["depth"]["factor"] == pytest.approx(UNIT, rel=1e-9)
    assert head["depth"]["told"] == done.depth
    assert "7.5 times the network's, by the vehicle's movement in '" in done.depth
    assert "(--metric=poses; 4 of 4 pairs of frames, at least 0.02 m apart, median deviation 0%)" in done.depth
    for number, true in enumerate(DEPTHS):
        found = cv2.imread(str(out / f"{number}_depth.png"), cv2.IMREAD_UNCHANGED) / 256
        np.testing.assert_allclose(found[true > 0], true[true > 0], rtol=1e-4, atol=1 / 256)  # 16 bits: 1/256 m


def test_frames_in_which_it_stands_and_single_wrong_ones_do_not_count(clip, tmp_path):
    steps = [np.linalg.norm(b.position - a.position) for a, b in itertools.pairwise(CAMERAS)]
    rows = {"time_s": np.arange(COUNT) / RATE, "speed_kmh": np.full(COUNT, 3.6 * RATE * np.mean(steps))}
    rows["speed_kmh"][3:] = 1.0  # stands after frame 3, while the network goes on
    speeds = tmp_path / "speeds.json"
    speeds.write_text(json.dumps({key: values.tolist() for key, values in rows.items()}))
    wrong = lambda earlier, later: poses(earlier, later, lambda number: 50.0 if number == 0 else 1.0)  # noqa: E731
    done, _ = predict(clip, "speed", speeds, wrong, RATE)
    assert "3 of 4 pairs of frames, with at least 1 m/s" in done.depth
    factors = np.array([np.mean(steps) / steps[0] / 50, np.mean(steps) / steps[1]])
    last = (rows["speed_kmh"][2] + 1.0) / 2 / 3.6 / RATE / steps[2]
    factor = float(done.depth.split(": ")[1].split(" ")[0])
    assert factor == pytest.approx(UNIT * np.median([*factors, last]), rel=1e-3)


def test_a_video_says_its_times_itself(tmp_path):
    path = write_video(tmp_path / "tour.mp4", [picture(number) for number in range(6)])  # 25 frames a second
    (tmp_path / "speeds.csv").write_text("time_s,speed_mps\n0,10\n0.1,10\n0.2,10\n")
    ahead = np.tile(np.eye(4), (movement.BATCH, 1, 1))
    ahead[:, 2, 3] = 0.1
    seen = []

    def call(earlier, later):
        seen.append((earlier, later))
        return ahead

    def scale(sources, predictors):
        return movement.by_movement("speed", rows, motion.Mover(call), 0.0, sources, predictors)

    rows = movement.read("speed", str(tmp_path / "speeds.csv"))
    found = scale(find_sources(path, tmp_path / "out").found, [WORLD])
    assert found.factor == pytest.approx(10 / 25 / 0.1)
    assert "5 of 5 pairs" in found.told
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0][0][1:5], seen[0][1][:4])  # each later frame is the next earlier one


@pytest.mark.parametrize(
    ("way", "text", "rate", "message"),
    [
        ("poses", "1 0 0 0 0 1 0 0 0 0 1 0\n" * COUNT, 0, "never moves .at least 0.02 m apart., so it tells no length"),
        ("poses", "1 0 0 0 0 1 0 0 0 0 1 0\n" * 3, 0, "has 3 rows, one a frame, but 'clip' has 5 frames"),
        ("speed", "time_s,speed_mps\n0,0.4\n0.4,0.3\n", 10, "never moves .with at least 1 m/s"),
        ("speed", "time_s,speed_mps\n0,9\n9,9\n", 10, "tells of 0 to 9 s, but 'clip' lasts from 0 to 0.4 s"),
        ("speed", "time_s,speed_mps\n0,9\n0.4,9\n", 0, "times of the frames of 'clip' are unknown; give --frame_rate"),
        ("speed", "time_s,pace\n0,9\n", 0, "no column of speed among 'time_s', 'pace'"),
    ],
)
def test_movement_that_tells_no_length_is_refused(clip, tmp_path, way, text, rate, message):
    (tmp_path / "file.txt").write_text(text)
    with pytest.raises(UsageError, match=rf"--metric={way}.*{message}"):
        predict(clip, way, tmp_path / "file.txt", rate=rate)
    assert not (tmp_path / "out").exists()


def test_one_file_is_of_one_clip(clip, tmp_path):
    save(tmp_path / "clip" / "more" / "0.png", IMAGES[0])
    with pytest.raises(UsageError, match="is of one video or one folder of frames, and there are 6 files in all"):
        predict(clip, "poses", tmp_path / "poses.txt")
    with pytest.raises(UsageError, match="is a single frame"):
        predict(clip / "more", "poses", tmp_path / "poses.txt")
    (clip / "more" / "0.png").unlink()
    with pytest.raises(UsageError, match="the network sees no motion where"):
        predict(clip, "poses", tmp_path / "poses.txt", lambda earlier, later: np.tile(np.eye(4), (8, 1, 1)))


def test_a_way_needs_its_file():
    with pytest.raises(UsageError, match=r"expected a file after the colon, as in --metric=speed:speeds.csv"):
        metric.parse("speed")
    assert metric.parse("poses:C:/a b.txt") == ("poses", "C:/a b.txt")
    with pytest.raises(UsageError, match=r"--metric=speed:none.csv: cannot read 'none.csv'"):
        job.make_job(job.Wish("no checkpoint is read before", metric="speed:none.csv"))


def test_the_motion_is_that_of_training():
    options = {"encoder": "resnet18", "width": 4, "decoder_channels": [4, 4, 4, 8, 8], "pose_width": 4}
    network = make_network(**options, segmentation=False)
    variables = initial_variables(network, 0, SIZE)
    mover = motion.mover_of(Trained(network, variables, None, 0), "--metric=speed", "x")
    found = mover.call(np.stack(IMAGES[:2]), np.stack(IMAGES[1:3]))
    frames = np.stack([IMAGES[1], IMAGES[0], IMAGES[2]])[None] / np.float32(255)
    expected = jax.jit(lambda v, f: predicted_poses(network, v, f))(variables, frames)[:, 0]
    np.testing.assert_allclose(found[:1], expected, atol=1e-6)
    assert np.abs(np.asarray(found)[:, :3, 3]).max() > 1e-6  # it does say something
    without = Trained(network.clone(pose_network=None), variables, None, 0)
    with pytest.raises(UsageError, match="--metric=speed needs a network that tells the camera's motion, and x has no"):
        motion.mover_of(without, "--metric=speed", "x")
