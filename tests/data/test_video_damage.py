"""Videos that are damaged, and pixels that are not square."""

from fractions import Fraction

import numpy as np
import pytest
import tree_folder
from test_video import COUNT, numbered
from tree_folder import picture, write_video

from sde_seg_jax.data.datasets import folder
from sde_seg_jax.data.own import clips
from sde_seg_jax.data.raw_files import raw, video, video_times

FORMS = {
    "a.mp4": {"codec": "libx264"},
    "a.mkv": {"codec": "libx264"},
    "a.ts": {"codec": "libx264"},
    "a.mpg": {"codec": "mpeg2video"},
    "a.avi": {"codec": "mpeg4"},
    "a.mov": {"codec": "mjpeg", "pixels": "yuvj420p", "b_frames": 0},
}


def noisy(path, count=COUNT, **options):
    """A video of numbered frames with noise, so that headers are a small part of it."""
    noise = np.random.default_rng(0).integers(0, 40, (count, *numbered(0).shape), np.uint8)
    return write_video(path, [np.where(numbered(i) > 0, 255 - noise[i], noise[i]) for i in range(count)], **options)


def zero(path, first, last):
    content = bytearray(path.read_bytes())
    first, last = (int(share * len(content)) for share in (first, last))
    content[first:last] = bytes(last - first)
    path.write_bytes(content)


def opened(path):
    problems = raw.Problems()
    return clips.open_clip("a", path, (), 1, 0.0, problems), problems.left_out


@pytest.mark.parametrize("name", FORMS)
def test_a_video_damaged_inside_says_how_many_frames_are_missing(tmp_path, name):
    path = noisy(tmp_path / name, **FORMS[name])
    assert opened(path)[1] == []
    zero(path, 0.4, 0.5)
    clip, (message,) = opened(path)
    count = len(clip.frames)
    assert 40 < count < COUNT
    assert f"a{path.suffix}' gives only {count} of {COUNT} frames" in message
    for frame in clip.frames[:: count - 1]:
        assert clips.read(frame).shape == numbered(0).shape


@pytest.mark.parametrize("name", FORMS)
def test_what_a_damaged_video_gives_does_not_depend_on_threads(tmp_path, name, monkeypatch):
    path = noisy(tmp_path / name, **FORMS[name])
    zero(path, 0.4, 0.45)
    found, _ = opened(path)
    shown = video.shown
    monkeypatch.setattr(video, "shown", lambda path, tally, threads: shown(path, tally, threads=False))
    assert opened(path)[0] == found


def test_frames_of_a_cut_file_that_come_before_those_they_follow_are_left_out(tmp_path):
    assert video_times.in_order([0, 1, 2, 3, 4, 7]) == 5
    assert video_times.in_order([0, 1, 4, 5, 6, 7, 8, 9]) == 8
    path = noisy(tmp_path / "a.mp4")
    found = video.frames(str(path), [*range(10), 13], [True] * 11)  # of 80 frames
    assert len(found) == 10


def test_gaps_between_frames_are_counted_where_the_rate_is_regular():
    assert video_times.missing([*range(0, 100, 10), 130, 140, 150]) == 3
    assert video_times.missing([0, 40, 130, 170, 260, 300, 390]) == 0  # a phone's
    assert video_times.missing([None, 1, 2]) == video_times.missing([]) == video_times.missing([3]) == 0


def anamorphic(path, ratio, **options):
    """Pictures of 48x96 stored as 48x48, of which each pixel is shown `ratio` times as wide as it is high."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuvj444p"
        stream.codec_context.sample_aspect_ratio = ratio
        for number in range(12):
            image = np.zeros((48, 48, 3), np.uint8)
            image[:, 2 * number : 2 * number + 12] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("ratio", "width"), [(Fraction(5, 3), 80), (Fraction(8, 9), 43), (Fraction(1), 48)])
def test_frames_are_those_that_are_shown(tmp_path, ratio, width):
    path = anamorphic(tmp_path / "a.mkv", ratio)
    clip, _ = opened(path)
    assert clip.size == (48, width)
    image = clips.read(clip.frames[3])
    assert image.shape == (48, width, 3)
    bright = np.flatnonzero(image[24, :, 0] > 127)  # columns 6 to 17 of 48
    np.testing.assert_allclose([bright[0], bright[-1] + 1], [6 * width / 48, 18 * width / 48], atol=1)
    first = next(video.shown(str(path)))
    assert first.thumbnail().shape[:2] == (round(48 * 160 / width), 160)


def test_the_camera_of_a_video_is_that_of_the_shown_size(tmp_path):
    anamorphic(tmp_path / "a.mkv", Fraction(5, 3))
    (tmp_path / "camera.json").write_text('{"fx": 70, "fy": 70, "cx": 39.5, "cy": 23.5, "width": 80, "height": 48}')
    options = folder.SPEC.complete({"min_motion": 0})
    item = folder.items("train", tmp_path, problems=raw.Problems(), **options)[0]
    assert item.intrinsics == (70, 70, 39.5, 23.5)
    (tmp_path / "camera.json").write_text('{"field_of_view": 90}')
    item = folder.items("train", tmp_path, problems=raw.Problems(), **options)[0]
    assert item.intrinsics == pytest.approx((40, 40, 39.5, 23.5))
    assert folder.load(item, tree_folder.SHAPE)["image"].shape == (48, 80, 3)


def test_pixels_that_are_nearly_square_stay_as_they_are(tmp_path):
    path = anamorphic(tmp_path / "a.mkv", Fraction(200, 201))
    assert opened(path)[0].size == (48, 48)


def test_a_whole_video_of_few_frames_lacks_nothing(tmp_path):
    for count in (1, 2, 3):
        path = write_video(tmp_path / "a.mp4", [picture(number) for number in range(count)])
        clip, left_out = opened(path)
        assert (len(clip.frames), left_out) == (count, [])
