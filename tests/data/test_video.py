import concurrent.futures
import random
import struct

import cv2
import numpy as np
import pytest
from tree_folder import write_video

from sde_seg_jax.data.raw_files import video

COUNT, HEIGHT, WIDTH = 80, 32, 64
BITS = 8  # a frame shows its number as black and white bars


def numbered(number):
    bars = [255 * (number >> bit & 1) for bit in range(BITS)]
    return np.repeat(np.repeat(np.array(bars, np.uint8), WIDTH // BITS)[None], HEIGHT, 0)[..., None].repeat(3, -1)


def number_of(image):
    middle = image[HEIGHT // 2, WIDTH // BITS // 2 :: WIDTH // BITS]
    return sum(int(bar.mean() > 127) << bit for bit, bar in enumerate(middle))


def listed(path):
    shown = [(frame.time, frame.is_key) for frame in video.shown(str(path))]
    return video.frames(str(path), [time for time, _ in shown], [key for _, key in shown])


VARYING = [sum(40 if i % 3 else 90 for i in range(n)) for n in range(COUNT)]  # ms
KINDS = {
    "b_frames.mp4": {"b_frames": 3},
    "varying.mp4": {"times": VARYING},
    "varying.mkv": {"times": VARYING, "options": {"x264-params": "open-gop=1"}},
    "open_gop.mkv": {"codec": "libx265", "options": {"x265-params": "open-gop=1:log-level=none"}},
    "b_frames.avi": {"codec": "mpeg4"},
    "plain.avi": {"codec": "mpeg4", "b_frames": 0},
    "images.mov": {"codec": "mjpeg", "b_frames": 0, "pixels": "yuvj420p"},
    "small.webm": {"codec": "libvpx", "b_frames": 0},
    "camera.mts": {"codec": "libx264"},
    "old.mpg": {"codec": "mpeg2video"},
}


@pytest.fixture(scope="module", params=KINDS)
def clip(request, tmp_path_factory):
    options = dict(KINDS[request.param])
    path = tmp_path_factory.mktemp("video") / request.param
    return write_video(path, [numbered(i) for i in range(COUNT)], **options.pop("options", {}), **options)


def test_frames_are_found_by_number_in_any_order(clip):
    frames = listed(clip)
    assert len(frames) == COUNT
    order = [random.Random(0).randrange(COUNT) for _ in range(60)] + list(range(COUNT))[::-7]
    assert [number_of(video.read(frames[i])) for i in order] == order


def test_a_random_frame_equals_that_of_sequential_decoding(clip):
    frames = listed(clip)
    sequential = [frame.decoded.to_ndarray(format="rgb24") for frame in video.shown(str(clip))]
    for i in (COUNT - 1, 3, 41, 40, 42, 0):
        np.testing.assert_array_equal(video.read(frames[i]), sequential[i])


def test_without_time_stamps_frames_are_counted(clip):
    frames = [frame._replace(time=None, key=None) for frame in listed(clip)]
    order = [5, 6, 30, 7, 0]
    assert [number_of(video.read(frames[i])) for i in order] == order


def test_time_stamps_that_do_not_rise_are_not_used():
    frames = video.frames("x.avi", [0, 2, 2, 3], [True, False, False, False])
    assert frames == [video.Frame("x.avi", i, None, None) for i in range(4)]


def test_reading_in_order_neither_seeks_nor_decodes_twice(clip, monkeypatch):
    frames = listed(clip)
    reader = video.Reader(str(clip))
    reader.read(frames[0])
    monkeypatch.setattr(reader, "_seek", None)
    monkeypatch.setattr(reader, "_restart", None)
    assert [number_of(reader.read(frame)) for i in range(1, COUNT - 1) for frame in frames[i - 1 : i + 2]] == [
        number for i in range(1, COUNT - 1) for number in (i - 1, i, i + 1)
    ]


def test_threads_may_read_one_video_at_once(clip):
    frames, order = listed(clip), np.random.default_rng(0).integers(0, COUNT, 200).tolist()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert [number_of(image) for image in pool.map(lambda i: video.read(frames[i]), order)] == order


def test_pictures_written_by_opencv_are_read(tmp_path):
    path = str(tmp_path / "cv.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 30, (WIDTH, HEIGHT))
    for i in range(20):
        writer.write(numbered(i))
    writer.release()
    assert [number_of(video.read(frame)) for frame in listed(path)] == list(range(20))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_camera_gives_upright_pictures(tmp_path, degrees):
    path = write_video(tmp_path / "phone.mp4", [numbered(i) for i in range(4)])
    turn(path, degrees)
    (shown, *_), found = list(video.shown(str(path))), video.read(listed(path)[3])
    expected = cv2.VideoCapture(str(path))
    expected.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    for _ in range(4):
        _, frame = expected.read()
    assert shown.size == found.shape[:2] == ((WIDTH, HEIGHT) if degrees % 180 else (HEIGHT, WIDTH))
    # black and white; decoded by two versions of a library
    np.testing.assert_allclose(found.astype(int), frame[..., ::-1].astype(int), rtol=0, atol=8)


def turn(path, degrees):
    """Writes a display matrix into the track header of an mp4 (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # version 0: 40 bytes to the matrix
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(("name", "unit"), [("a.mp4", "frames"), ("a.avi", "frames"), ("a.mkv", "seconds")])
def test_a_file_cut_short_gives_what_it_has_and_says_so(tmp_path, name, unit):
    noise = np.random.default_rng(0).integers(0, 40, (COUNT, HEIGHT, WIDTH, 3), np.uint8)  # headers are a small part
    pictures = [np.where(numbered(i) > 0, 255 - noise[i], noise[i]) for i in range(COUNT)]
    options = {"container": {"movflags": "faststart"}} if name.endswith("mp4") else {}
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = write_video(tmp_path / name, pictures, codec=codec, **options)
    assert video.shortfall(str(path), [frame.time for frame in listed(path)]) == ""
    cut(path, 0.5 if unit == "seconds" else 0.7)
    frames = listed(path)
    assert 0 < len(frames) < 0.8 * COUNT
    assert video.shortfall(str(path), [frame.time for frame in frames]).endswith(unit)
    order = [len(frames) - 1, 2, len(frames) // 2]
    assert [number_of(video.read(frames[i])) for i in order] == order


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\0" * 4096])
def test_what_is_no_video_is_named_with_a_remedy(tmp_path, content):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"cannot read video '.*broken.mp4' \(.+\); copy it again, or convert"
    ) as error:
        list(video.shown(str(path)))
    assert "\n" not in str(error.value)


def test_a_video_replaced_since_it_was_listed_is_named(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered(i) for i in range(30)])
    last = listed(path)[-1]
    write_video(path, [numbered(i) for i in range(5)])
    with pytest.raises(ValueError, match=r"cannot read frame 29 of video '.*a.mp4'; copy it again"):
        video.read(last)
