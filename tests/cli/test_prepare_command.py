"""cli.prepare: what it says, and what its flags do."""

import pathlib
import re
import signal
import sys
import time

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import trees

from sde_seg_jax.data.preparing.prepare import metadata
from sde_seg_jax.data.reading.source import open_source


@pytest.fixture
def camvid(tmp_path):
    return trees.write("camvid", tmp_path / "raw")


@pytest.fixture
def prepare(command, camvid, tiny, tmp_path):
    """prepare(*flags) -> (exit status, stdout, stderr)."""
    where = (f"--config.data.raw_dir={camvid}", f"--config.data.prepared_dir={tmp_path / 'out'}")
    return lambda *flags: command("prepare", tiny("camvid"), *where, "--workers=1", *flags)


def test_it_tells_the_room_then_the_classes(prepare, tmp_path):
    status, out, err = prepare("--splits=train,val")
    assert status == 0, err
    lines = out.splitlines()
    assert re.fullmatch(r"needs about [\d.]+ [kM]B \(3\+5 samples, from 8 samples\), free: .*", lines[0])
    assert lines[1] == "train: 3 samples, 3 labeled; label"
    assert re.fullmatch(r"  class +share %  images", lines[2])
    shares = [float(line.split()[-2]) for line in lines[3:14]] + [float(lines[14].split()[-1])]
    assert abs(sum(shares) - 100) < 0.1  # 12 numbers of two decimals
    assert lines[14].startswith("  (no class)")
    assert lines[-1] == f"prepared: {tmp_path / 'out/camvid' / open_version(tmp_path)}"
    assert re.search(r"camvid: 100%.*8/8 \[00:\d\d<00:00", err)


def open_version(tmp_path):
    return next((tmp_path / "out/camvid").iterdir()).name


def test_a_second_call_says_it_again_without_reading_raw_files(prepare, camvid):
    _, first, _ = prepare()
    for path in camvid.rglob("*.png"):
        path.unlink()
    status, second, _ = prepare()
    assert status == 0
    assert second.splitlines() == first.splitlines()[1:]


def test_estimate_only_writes_nothing(prepare, tmp_path):
    status, out, _ = prepare("--estimate_only")
    assert status == 0
    assert out.startswith("needs about ")
    assert len(out.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["--skip_bad", "--skip-bad"])
def test_bad_samples_are_refused_or_left_out(prepare, camvid, tmp_path, flag):
    bad = camvid / "val" / "0001TP_000204.png"
    bad.write_bytes(bad.read_bytes()[:100])
    status, out, err = prepare("--splits=val")
    assert status == 2
    assert f"error: cannot read '{bad}'" in err.splitlines()[-1]
    status, out, _ = prepare("--splits=val", flag)
    assert status == 0
    folder = tmp_path / "out/camvid" / open_version(tmp_path)
    assert f"left out: 1 samples, listed in {folder}/left_out.txt\n  val: cannot read '{bad}'" in out
    assert (folder / "left_out.txt").read_text().startswith(f"val: cannot read '{bad}'")
    assert len(open_source("camvid", tmp_path / "out", "val")) == 4


def test_png_stays_png_for_whoever_does_not_ask(prepare, tmp_path):
    prepare("--image_format=png")
    status, _, err = prepare()
    assert status == 0, err
    assert metadata(tmp_path / "out/camvid" / open_version(tmp_path))["recipe"]["image_format"] == "png"
    status, _, err = prepare("--image_format=jpeg")
    assert status == 2
    assert "was prepared with image_format png, wanted jpeg" in err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--splits=tests", "'camvid' has no split 'tests'; it has"),
        ("--workers=-1", "--workers"),
        ("--image_format=gif", "jpeg|png"),
    ],
)
def test_wrong_flags_are_one_line(prepare, flag, message):
    status, _, err = prepare(flag)
    assert status == 2
    assert re.search(message, err.splitlines()[-1])
    assert "Traceback" not in err


def test_an_interrupted_command_says_that_it_continues_and_does(start, finish, camvid, tiny, tmp_path):
    rng = np.random.default_rng(0)
    names = [f"train/0001TP_{number:06d}.png" for number in range(1000, 1120)]
    for name in names:  # enough to be interrupted
        Image.fromarray(rng.integers(0, 256, (360, 480, 3), np.uint8)).save(camvid / name)
        Image.fromarray(rng.integers(0, 12, (360, 480), np.uint8)).save(camvid / name.replace("train", "trainannot"))
    lines = [f"{name} {name.replace('train', 'trainannot')}\n" for name in names]
    (camvid / "train.txt").write_text("".join(lines))
    where = (f"--config.data.raw_dir={camvid}", f"--config.data.prepared_dir={tmp_path / 'out'}")
    flags = (tiny("camvid"), *where, "--config.data.size=(360,480)", "--splits=train", "--workers=1")
    with start("prepare", *flags) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("out/camvid/*/camvid-train*-00001-of-*")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; the same command goes on where it stopped"
    assert "Traceback" not in err
    status, out, err = finish("prepare", *flags)
    assert status == 0, err
    assert re.match(r"continuing: \d+ of 15 files of '.*' are finished", out)
    assert len(open_source("camvid", tmp_path / "out", "train")) == 120


def test_parts_and_finish_end_as_one_command(prepare, refused_by, tmp_path):
    status, out, err = prepare("--part=2/2")
    assert status == 0, err
    assert out.splitlines()[-1] == "when all parts are written: the same command with --finish in place of --part"
    assert "start the parts again that did not end well" in refused_by("--finish")
    assert prepare("--part=1/2")[0] == 0
    status, out, err = prepare("--finish")
    assert status == 0, err
    assert out.splitlines()[-1] == f"prepared: {tmp_path / 'out/camvid' / open_version(tmp_path)}"
    assert "train: 3 samples, 3 labeled; label" in out


@pytest.fixture
def refused_by(prepare):
    """refused_by(*flags) -> the one line of the error."""

    def call(*flags):
        status, _, err = prepare(*flags)
        assert status == 2
        return err.splitlines()[-1]

    return call


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--part=1/2", "--finish"], "exclude each other"),
        (["--part=1/2", "--estimate_only"], "exclude each other"),
        (["--part=0/2"], "--part=0/2 is no part; write NUMBER/COUNT"),
        (["--finish"], "no part is in"),
    ],
)
def test_parts_that_make_no_sense_are_refused(refused_by, flags, words):
    assert words in refused_by(*flags)
