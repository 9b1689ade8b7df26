"""How far a vehicle moved, by files of speeds and of poses, and what is said of files that are of no use."""

import json

import numpy as np
import pytest

from sde_seg_jax.data.own import pose_files, speed_files
from sde_seg_jax.data.own.movement_files import Clip, distances


@pytest.fixture
def written(tmp_path):
    def write(text, name="speeds.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


SPEEDS = {
    "time_s.csv": "time_s,speed_mps\n0,3.6\n1,7.2\n",
    "odd.csv": "lat;Speed (km/h);Time [ms]\n48.1;12.96;0\n48.2;25.92;1000\n",
    "tabs.csv": "t (s)\tvelocity m/s\n\n0\t3.6\n1\t7.2\n",
    "rows.json": json.dumps([{"time_s": 0, "speed_kph": 12.96}, {"time_s": 1, "speed_kph": 25.92}]),
    "lists.json": json.dumps({"time_s": [0, 1], "speed_m_s": [3.6, 7.2]}),
}


@pytest.mark.parametrize("name", SPEEDS)
def test_speeds_are_read_as_loggers_write_them(written, name):
    rows = speed_files.read(written(SPEEDS[name], name))
    np.testing.assert_allclose(rows.values, [3.6, 7.2], rtol=1e-12)
    np.testing.assert_allclose(rows.times, [0, 1])
    assert not rows.by_frame


def test_a_growing_speed_covers_the_integral(written):
    rows = speed_files.read(written("time_s,speed_mps\n0,0\n2,-8\n"))
    times = np.array([0.0, 0.5, 1.0, 2.0])
    steps, least = distances(rows, Clip("tour.mp4", 4, times))  # 2 t^2 metres by t, whatever the direction
    np.testing.assert_allclose(steps, [0.5, 1.5, 6.0])
    np.testing.assert_allclose(least, [0.5, 0.5, 1.0])


def test_a_speed_for_each_frame_takes_the_times_of_the_frames_or_its_own(written):
    rows = speed_files.read(written("frame,speed_mps\n0,2\n1,4\n2,4\n"))
    np.testing.assert_allclose(distances(rows, Clip("a", 3, np.array([0, 0.1, 0.3])))[0], [0.3, 0.8])
    with pytest.raises(ValueError, match="times of the frames of 'a' are unknown; give --frame_rate"):
        distances(rows, Clip("a", 3))
    own = speed_files.read(written("frame,time_s,speed_mps\n1,100,2\n2,101,4\n3,102,4\n"))
    np.testing.assert_allclose(distances(own, Clip("a", 3))[0], [3, 4])


def test_rows_of_another_clock_are_those_of_the_frames_if_there_are_as_many(written):
    rows = pose_files.read(written("# TUM\n1305031.5 0 0 0 0 0 0 1\n1305032.5 3 0 4 0 0 0 1\n", "poses.txt"))
    np.testing.assert_allclose(distances(rows, Clip("a", 2, np.array([0, 1.2])))[0], [5])
    with pytest.raises(ValueError, match=r"tells of 1305031.5 to 1305032.5 s, but 'a' lasts from 0 to 9 s"):
        distances(rows, Clip("a", 2, np.array([0.0, 9.0])))


def test_poses_of_kitti_are_one_a_frame_and_those_of_tum_by_time(written):
    turned = "0 0 1 {} 0 1 0 0 -1 0 0 {}\n"
    kitti = pose_files.read(written("".join(turned.format(3 * i, 4 * i) for i in range(3)), "kitti.txt"))
    np.testing.assert_allclose(distances(kitti, Clip("a", 3))[0], [5, 5])
    with pytest.raises(ValueError, match=r"has 3 rows, one a frame, but 'a' has 4 frames"):
        distances(kitti, Clip("a", 4))
    tum = pose_files.read(written("0 0 0 0 0 0 0 1\n1.0 0 0 2 0 0 0.6 0.8\n", "tum.txt"))
    np.testing.assert_allclose(distances(tum, Clip("a", 3, np.array([0, 0.25, 1])))[0], [0.5, 1.5])


def test_oxts_of_kitti_raw_tell_speed_and_time(tmp_path):
    folder = tmp_path / "oxts" / "data"
    folder.mkdir(parents=True)
    for number, speed in enumerate((10.0, 12.0, 12.0)):
        row = [49.0, 8.4, 116.0, 0.02, 0.003, -1.9, 1.5, -3.5, speed, *[0.1] * 21]
        (folder / f"{number:010d}.txt").write_text(" ".join(map(str, row)))
    rows = speed_files.read(folder)
    np.testing.assert_allclose(distances(rows, Clip("a", 3, np.array([0, 0.1, 0.2])))[0], [1.1, 1.2])
    stamps = ("2011-09-26 13:02:25.900000000", "2011-09-26 13:02:26.100000000", "2011-09-26 13:02:26.600000000")
    (folder.parent / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    np.testing.assert_allclose(distances(speed_files.read(folder), Clip("a", 3))[0], [2.2, 6.0])
    (folder / "0000000002.txt").write_text("49.0 8.4")
    with pytest.raises(ValueError, match=r"'0000000002.txt' has no number in column 9"):
        speed_files.read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty; name the columns"),
        ("time_s,kmh\n0,3\n", "no column of speed among 'time_s', 'kmh'"),
        ("speed_mps\n3\n", "no column of time or frame"),
        ("time_s,speed\n0,3\n", r"column 'speed' has no known unit \(mps, m/s"),
        ("time,speed_mps\n0,3\n", r"column 'time' has no known unit \(s, sec"),
        ("time_s,speed_mps,speed_kmh\n0,3,1\n", "'speed_mps' and 'speed_kmh' tell the same; keep one"),
        ("time_s,speed_mps\n0,3\n", "it has 1 rows; a movement needs two"),
        ("time_s,speed_mps\n0,3\n1,\n", "row 2 has no number in column 'speed_mps'"),
        ("time_s,speed_mps\n0,nan\n1,3\n", "row 1 has no number"),
        ("time_s,speed_mps\n0,3\n0,3\n", "time does not rise after row 1"),
        ("frame,speed_mps\n0,3\n2,3\n", "frames are not 0, 1, 2"),
        ("time_s,speed_mps\n0,30\n1,300\n", "300 m/s are faster than a vehicle; is the unit right"),
    ],
)
def test_speeds_of_no_use_are_refused_by_file_and_reason(written, text, message):
    with pytest.raises(ValueError, match=rf"cannot read speeds in '.*speeds.csv': .*{message}"):
        speed_files.read(written(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 0 0 0 1 0 0 0 0 1 0\n", "it has 1 poses"),
        ("1 2 3\n4 5 6\n", "line 1 has 3 numbers; expected 12 numbers a line"),
        ("a b\nc d\n", "line 1 is no line of numbers"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1\n", "line 2 has 11 numbers"),
        ("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 7 0\n", "line 2 holds no rotation"),
        ("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 2\n", "line 2 holds no rotation"),
        ("1 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 1\n", "time does not rise after line 1"),
    ],
)
def test_poses_of_no_use_are_refused_by_line(written, text, message):
    with pytest.raises(ValueError, match=rf"cannot read poses in '.*poses.txt': {message}"):
        pose_files.read(written(text, "poses.txt"))


def test_files_that_are_not_there_are_named(tmp_path):
    for read in (speed_files.read, pose_files.read):
        with pytest.raises(ValueError, match=r"cannot read '.*none.csv': No such file"):
            read(tmp_path / "none.csv")
