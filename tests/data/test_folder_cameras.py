import json
import math

import pytest
from tree_folder import picture, save, write_video

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.own import camera_files
from sde_seg_jax.data.own.camera_files import Cameras
from sde_seg_jax.data.raw_files.raw import Problems

SIZE = (24, 32)
VALUES = {"fx": 40.0, "fy": 42.0, "cx": 15.0, "cy": 12.0, "width": 32, "height": 24}
MATRIX = {"K": [[40.0, 0, 15.0], [0, 42.0, 12.0], [0, 0, 1]], "width": 32, "height": 24, "fps": 10}


def write(path, facts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(facts if isinstance(facts, str) else json.dumps(facts))
    return path


def cameras(root, intrinsics=None, field_of_view=None):
    return Cameras(root, intrinsics, field_of_view)


@pytest.mark.parametrize("facts", [VALUES, MATRIX])
def test_intrinsics_are_resized_exactly(tmp_path, facts):
    camera = camera_files.read(write(tmp_path / "camera.json", facts))
    assert camera.at(SIZE, "a.png") == (40, 42, 15, 12)
    assert camera.at((48, 64), "a.png") == (80, 84, 30.5, 24.5)  # (c + 0.5) * 2 - 0.5


@pytest.mark.parametrize("key", ["field_of_view", "horizontal_fov"])
def test_a_field_of_view_is_across_the_width(tmp_path, key):
    camera = camera_files.read(write(tmp_path / "camera.json", {key: 90}))
    fx, fy, cx, cy = camera.at(SIZE, "a.png")
    assert fx == fy == pytest.approx(16 / math.tan(math.pi / 4), rel=1e-12)
    assert (cx, cy) == (15.5, 11.5)


def test_the_nearest_file_counts_then_the_option(tmp_path):
    for place, degrees in {"a/camera.json": 50, "a/b/camera.json": 60, "a/v.camera.json": 70}.items():
        write(tmp_path / place, {"field_of_view": degrees})
    for name in ("a/v.mp4", "a/w.mp4", "x.mp4"):
        write(tmp_path / name, "")
    found = cameras(tmp_path, field_of_view=80)
    places = {"a": 50, "a/b": 60, "a/b/c": 60, "a/v.mp4": 70, "a/w.mp4": 50, "x.mp4": 80, "y": 80}
    assert {place: found.of(tmp_path / place).degrees for place in places} == places


def test_the_option_holds_six_numbers(tmp_path):
    found = cameras(tmp_path, intrinsics=(40, 42, 15, 12, 32, 24)).of(tmp_path)
    assert found.at(SIZE, "a.png") == (40, 42, 15, 12)
    with pytest.raises(ValueError, match=r"camera dataset.intrinsics has the values \[1, 2\]; expected six numbers"):
        cameras(tmp_path, intrinsics=(1, 2))
    with pytest.raises(ValueError, match=r"dataset.intrinsics and dataset.field_of_view are both given; keep one"):
        cameras(tmp_path, (40, 42, 15, 12, 32, 24), 60)


def test_an_unknown_camera_is_nominal_and_says_so_once(tmp_path):
    found = cameras(tmp_path)
    with pytest.warns(
        UserWarning, match=r"no camera is known .* 60 degrees .*camera.json.*field_of_view.*learn"
    ) as told:
        assert found.of(tmp_path / "a").degrees == found.of(tmp_path / "b").degrees == camera_files.NOMINAL
    assert len(told) == 1


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ("{", r"cannot read camera '.*camera.json' \(JSONDecodeError.*expected {\"fx\""),
        ("[]", r"cannot read camera '.*camera.json' \(AttributeError.*expected {\"fx\""),
        ({"fx": 1}, r"cannot read camera '.*camera.json' \(KeyError: 'fy'\); expected"),
        ({**MATRIX, "K": [[1, 2], [3, 4]]}, r"cannot read camera '.*camera.json' \(ValueError"),
        ({**MATRIX, "K": [[40, 1, 15], [0, 42, 12], [0, 0, 1]]}, "K has a skew or another last row"),
        ({**VALUES, "fx": "wide"}, r"camera '.*camera.json' has the values \['wide', .*; expected six numbers"),
        ({**VALUES, "fy": -42}, r"camera '.*camera.json' has .*; expected positive pixels"),
        ({**VALUES, "cx": 400}, r"camera '.*camera.json' has its centre at \(400.0, 12.0\), outside 32x24"),
        ({**VALUES, "fx": 400, "fy": 400}, r"camera '.*camera.json' sees 4.6 degrees across the width; expected 10 to"),
        ({**VALUES, "fx": 1, "fy": 1}, r"camera '.*camera.json' sees 17\d.\d degrees across the width; expected 10 to"),
        ({**VALUES, "fy": 100}, r"camera '.*camera.json' has fy / fx = 2.50; pixels are nearly square"),
        ({"field_of_view": 5}, r"camera '.*camera.json' sees 5.0 degrees across the width; expected 10 to 170"),
        ({"field_of_view": "60"}, r"camera '.*camera.json' has the field of view '60'; expected degrees"),
        ({"field_of_view": float("nan")}, r"camera '.*camera.json' has the field of view nan; expected degrees"),
    ],
)
def test_an_implausible_camera_is_named_in_one_line(tmp_path, facts, message):
    with pytest.raises(ValueError, match=message) as error:
        camera_files.read(write(tmp_path / "camera.json", facts))
    assert "\n" not in str(error.value)


def test_a_camera_of_another_shape_is_refused(tmp_path):
    camera = camera_files.read(write(tmp_path / "camera.json", VALUES))
    with pytest.raises(ValueError, match=r"'.*camera.json' is for images of 32x24, but 'a.png' is 32x18, of another s"):
        camera.at((18, 32), "a.png")
    assert camera.at((193, 257), "a.png")  # rounded from 192.75x257


def test_several_cameras_reach_their_samples(tmp_path):
    for number in range(4):
        save(tmp_path / "front" / f"{number}.png", picture(number))
    write_video(tmp_path / "rear.mp4", [picture(number) for number in range(4)])
    write(tmp_path / "front" / "camera.json", VALUES)
    write(tmp_path / "rear.mp4.camera.json", {"field_of_view": 90})
    found = folder.items("video", tmp_path, problems=Problems(), **folder.SPEC.options)
    assert {item.name.split("/")[0]: item.intrinsics for item in found} == {
        "front": (40, 42, 15, 12),
        "rear": (pytest.approx(16), pytest.approx(16), 15.5, 11.5),
    }
