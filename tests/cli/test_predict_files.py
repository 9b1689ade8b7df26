"""Which files cli.predict reads and writes, with a network that says the same of every image."""

import os
import pathlib
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
from tree_folder import picture, save, write_video

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.prediction import job
from sde_seg_jax.experiment.prediction.asking import Predictor
from sde_seg_jax.experiment.prediction.files import Job, write_predictions
from sde_seg_jax.experiment.prediction.sources import find_sources
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.reporter import Reporter

SPACE = LabelSpace("two", ("a", "b"), ((1, 2, 3), (200, 0, 0)))
KINDS = ("classes", "overlay")
BESIDE = {"classes.json", "legend.png", "predictions.jsonl"}


def dark(images):
    """Class 1 where the image is dark."""
    one = (images.mean(-1) < 128).astype(np.float32)
    return {"probabilities": np.stack([1 - one, one], axis=-1)}


DARK = Predictor(dark, lambda size: size, ("probabilities",), SPACE)


class Said(Reporter):
    def __init__(self):
        self.lines = []

    def warn(self, line):
        self.lines.append(line)


@pytest.fixture
def predicted(tmp_path):
    """predicted(source) -> (what was done, names of what was written)."""

    def call(source, folder=tmp_path / "out", reporter=None):
        done = write_predictions(find_sources(source, folder), folder, Job([DARK]), reporter=reporter or Said())
        written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert written >= BESIDE
        return done, written - BESIDE

    return call


def named(*names):
    return {f"{name}_{kind}.png" for name in names for kind in KINDS}


def read(path):
    with Image.open(path) as image:
        return np.array(image)


def test_what_systems_leave_behind_is_passed_over(predicted, tmp_path):
    source = tmp_path / "in"
    for name in ("f0", "f1"):
        save(source / f"{name}.png", picture(0))
    for name in ("._f0.png", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/._f1.png", "__MACOSX/f1.png"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(bytes(100))
    done, written = predicted(source)
    assert (done.count, done.bad, done.other) == (2, [], [])
    assert written == named("f0", "f1")


def test_the_output_mirrors_the_tree_and_is_not_read_again(predicted, tmp_path):
    source = tmp_path / "in"
    save(source / "b.tif", picture(0))
    save(source / "day1" / "deep" / "b.BMP", picture(0))
    (source / "day1" / "notes.txt").write_text("no image")
    for _ in range(2):
        done, written = predicted(source, source / "results")
        assert (done.count, [path.name for path in done.other]) == (2, ["notes.txt"])
        assert written == named("b", "day1/deep/b")


def test_equal_names_are_written_apart(predicted, tmp_path):
    source = tmp_path / "in"
    save(source / "a.png", np.zeros((8, 8, 3), np.uint8))
    for name in ("a.jpg", "A_png.bmp"):
        save(source / name, np.full((8, 8, 3), 255, np.uint8))
    done, written = predicted(source)
    assert (done.count, len({name.casefold() for name in written})) == (3, 6)
    assert named("a_jpg") < written
    assert {int(read(tmp_path / "out" / name).max()) for name in written if "classes" in name} == {0, 1}


def test_a_video_in_a_folder_has_a_folder_of_its_own(predicted, tmp_path):
    source = tmp_path / "in"
    write_video(source / "tour.ts", [picture(i) for i in range(3)])
    save(source / "tour" / "tour_000000.png", picture(0))
    done, written = predicted(source)
    assert done.count == 4
    assert named("tour/tour_000000", "tour_ts/tour_ts_000002") | {"tour_ts/overlay.mp4"} <= written


def test_a_bad_file_does_not_end_a_folder(predicted, tmp_path):
    source = tmp_path / "in"
    for name in ("a.png", "c.png"):
        save(source / name, picture(0))
    (source / "b.png").write_bytes(b"no image")
    (source / "d.mp4").write_bytes(b"no video")
    cut = (source / "a.png").read_bytes()[:200]
    (source / "e.png").write_bytes(cut)
    os.symlink(source / "gone.png", source / "f.png")
    done, written = predicted(source)
    assert (done.count, done.files) == (2, 6)
    assert written == named("a", "c")
    assert [message.split()[0].rpartition("/")[2] for message in done.bad] == ["f.png", "b.png", "d.mp4", "e.png"]


def test_a_name_that_is_too_long_with_its_ending_does_not_end_a_folder(predicted, tmp_path):
    source = tmp_path / "in"
    for name in ("a", "m" * 247, "z"):
        save(source / f"{name}.png", picture(0))
    done, written = predicted(source)
    assert written == named("a", "z")
    (message,) = done.bad
    assert "m.png has too long a name for the names of what is written of it; rename it" in message


@pytest.mark.parametrize("below", ["", "more/folders"])
def test_a_file_where_the_output_is_to_be_is_named(predicted, tmp_path, below):
    save(tmp_path / "in" / "a.png", picture(0))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--output=.*file.*: .*/file is a file; give a folder"):
        predicted(tmp_path / "in", tmp_path / "file" / below)


def test_the_command_lists_bad_files_and_ends_with_two(command, monkeypatch, tmp_path):
    save(tmp_path / "in" / "a.png", picture(0))
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    (tmp_path / "in" / "c.heic").write_bytes(b"x")
    monkeypatch.setattr(job, "make_job", lambda wish: Job([DARK]))
    flags = ("--checkpoint=x", f"--input={tmp_path / 'in'}", f"--output={tmp_path / 'out'}")
    status, out, err = command("predict", *flags)
    assert status == 2
    assert "1 image(s)" in out
    assert "not read: 1 .heic" in out
    (line,) = [line for line in err.splitlines() if line.startswith("not predicted: ")]  # others are of the bar
    assert "b.png is not a readable image" in line
    assert err.splitlines()[-1] == "error: 1 of 2 files could not be read; they are listed above"


def test_results_do_not_go_among_the_images(predicted, tmp_path):
    save(tmp_path / "in" / "a.png", picture(0))
    with pytest.raises(UsageError, match="is the folder of the images; give another"):
        predicted(tmp_path / "in", tmp_path / "in")


def test_a_folder_without_images_says_what_it_has(predicted, tmp_path):
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"no images \(.*\) in this folder; it has 1 .heic"):
        predicted(tmp_path)


def test_a_video_is_predicted_as_it_is_shown_and_what_lacks_is_told(predicted, tmp_path):
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuvj420p"
        stream.codec_context.sample_aspect_ratio = Fraction(5, 3)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 48, 3), 10 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    said = Said()
    predicted(path, reporter=said)
    assert read(tmp_path / "out" / "wide_000003_classes.png").shape == (48, 80)
    assert said.lines == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    predicted(path, tmp_path / "again", said)
    assert "wide.mkv' gives only" in said.lines[0]
    assert " of about 20 frames" in said.lines[0]


def test_a_picture_of_16_bits_and_a_turned_one_are_read(predicted, tmp_path):
    source = tmp_path / "in"
    save(source / "deep.png", np.full((8, 8), 60000, np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(0)).save(source / "turned.jpg", exif=exif)
    assert predicted(source)[0].count == 2
    assert read(tmp_path / "out" / "turned_classes.png").shape == picture(0).shape[1::-1]
    assert read(tmp_path / "out" / "deep_classes.png").max() == 0
