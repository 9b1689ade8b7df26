"""The doctor's exit status, its lines, its picture and its report, on tiny trees."""

import json
import pathlib
import shlex
import sys

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import tree_folder
import trees

from sde_seg_jax.cli import __main__ as cli
from sde_seg_jax.data.inspecting.inspect_prepared import Prepared
from sde_seg_jax.data.preparing.prepare import prepare
from sde_seg_jax.experiment.config import ConfigFile
from sde_seg_jax.experiment.doctor import text
from sde_seg_jax.experiment.doctor.check import find_target, next_command

IMAGE = "train/0001TP_000100.png"


@pytest.fixture
def tree(tmp_path):
    return trees.write("camvid", tmp_path / "raw")


@pytest.fixture
def doctor(command, tmp_path):
    """doctor(*flags) -> (exit status, lines, stderr); the picture goes to sheet.png."""

    def call(*flags):
        status, out, err = command("doctor", f"--output={tmp_path / 'sheet.png'}", "--workers=1", *flags)
        return status, out.splitlines(), err

    return call


def test_a_healthy_tree_is_told_so_with_the_next_command(doctor, tree, tmp_path):
    status, lines, err = doctor("--dataset=camvid", f"--raw_dir={tree}")
    assert (status, err) == (0, "")
    assert [line.split()[:4] for line in lines if line.startswith(("train", "val", "test", "video"))] == [
        ["train", "ok", "3", "samples"],
        ["val", "ok", "5", "samples"],
        ["test", "ok", "3", "samples"],
        ["video", "ok", "3", "samples"],
    ]
    assert any("field of view 51.3 x 30.2 degrees" in line for line in lines)
    assert lines[-1].startswith("camvid: healthy; next: python -m sde_seg_jax.cli.prepare --config=base ")
    assert f"--config.data.raw_dir={tree}" in shlex.split(lines[-1])
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    assert not any(line.startswith("PROBLEM") for line in lines)
    assert max(map(len, lines[:-1])) <= 120 + len(str(tmp_path))


def test_after_ones_own_files_comes_the_pipeline(tmp_path):
    target = find_target("folder", str(tmp_path))
    line = next_command(target, ConfigFile("folder", "quick", {"data.raw_dir": str(tmp_path)}), Prepared())
    words = shlex.split(line)
    assert words[2] == "sde_seg_jax.cli.pipeline"
    assert {"--config=folder:quick", f"--config.data.raw_dir={tmp_path}", "--workdir=runs/folder"} <= {*words}


def test_frames_that_are_no_samples_and_squeezed_images_are_told_of(doctor, tmp_path):
    for number, shown in enumerate([0, 0, *range(1, 17)]):  # one frame of standstill
        tree_folder.save(tmp_path / "raw" / "drive" / f"{number:02d}.png", tree_folder.picture(shown))
    (tmp_path / "raw" / "camera.json").write_text('{"fx": 30, "fy": 40, "cx": 15, "cy": 11, "width": 32, "height": 24}')
    flags = ("--config=folder:quick_depth", f"--config.data.raw_dir={tmp_path / 'raw'}")
    status, lines, _ = doctor(*flags, "--config.data.size=(64,192)")
    assert status == 0
    notes, frames = (
        [line.split(maxsplit=1)[1] for line in lines if line.split()[:1] == [key]] for key in ("note", "frames")
    )
    assert frames[0] == (
        "13 of 18 frames: 1 moved too little or were skipped (dataset.min_motion, dataset.frame_step); 2 are held out "
        "for validation, or lie between those; 2 lack a neighbor that trains"
    )
    assert frames[1:] == ["2 of 18 frames, held out of training"]
    height, width = tree_folder.SHAPE
    (squeezed,) = (note for note in notes if "squeezed" in note)
    assert squeezed.startswith(f"images of {height} x {width} are squeezed to 64 x 192")
    _, lines, _ = doctor(*flags, f"--config.data.size=({2 * height},{2 * width})")
    assert not any("squeezed" in line for line in lines)
    assert "fy / fx of the camera is 1.33: right only if the pixels of the video are not square" in notes


def test_the_next_command_names_the_splits_that_are_there(doctor, tree):
    _, lines, _ = doctor("--dataset=camvid", f"--raw_dir={tree}", "--splits=test,val")
    words = shlex.split(lines[-1])
    assert {"--config.data.train_split=test", "--config.data.video_split=test"} <= {*words}
    assert not any("val_split" in word for word in words)


def test_class_shares_are_those_of_the_files(doctor, tree):
    _, lines, _ = doctor("--dataset=camvid", f"--raw_dir={tree}", "--splits=train")
    labels = np.concatenate([np.array(Image.open(path)) for path in (tree / "trainannot").glob("*.png")], axis=None)
    shares = 100 * np.bincount(labels, minlength=12) / labels.size
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("% of the pixels")) + 1 :][:12]
    assert [line.split()[-1] for line in table] == [f"{share:.2f}" for share in shares]
    assert table[-1].startswith("no label")


def test_problems_are_listed_and_counted(doctor, tree, tmp_path):
    for path in (tree / "trainannot").glob("*.png"):
        path.unlink()
    (tree / IMAGE).write_bytes(b"")
    status, lines, _ = doctor("--dataset=camvid", f"--raw_dir={tree}", f"--report={tmp_path / 'found.json'}")
    assert status == 1
    assert any(line.startswith("train     PROBLEM") for line in lines)
    assert sum(line.startswith("PROBLEM   train: Missing raw files of 'camvid'") for line in lines) == 3
    assert "or do without train (--splits=val,test,video checks the rest)" in lines[-1]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["problems"]) == 4  # and that nothing is left of the split
    assert found["splits"]["val"]["class_shares"]["sky"] > 0
    assert found["splits"]["val"]["problems"] == []


def test_only_the_first_problems_are_printed():
    lines = text.problem_lines([f"file {i}" for i in range(27)])
    assert len(lines) == 21
    assert lines[-1] == "... and 7 more; --all --report=FILE.json lists every one"


def test_all_reads_what_a_sample_misses(doctor, tree):
    (tree / "train/0001TP_000102.png").write_bytes(b"x")  # the middle one of three
    flags = ("--dataset=camvid", f"--raw_dir={tree}", "--splits=train")
    assert doctor(*flags, "--samples=2")[0] == 0
    status, lines, _ = doctor(*flags, "--all")
    assert status == 1
    assert any("cannot read" in line and "0001TP_000102.png" in line for line in lines)


def test_a_configuration_names_data_options_and_splits(doctor, tiny, tree):
    status, lines, _ = doctor(tiny("camvid"), f"--config.data.raw_dir={tree}")
    assert status == 0
    assert [line.split()[0] for line in lines if " ok " in line] == ["train", "val"]
    assert lines[-1].split("next: ")[1].startswith("python -m sde_seg_jax.cli.prepare --config=")
    status, lines, _ = doctor(
        tiny("camvid"), f"--config.data.raw_dir={tree}", "--config.dataset.frame_gap=7", "--splits=video"
    )
    assert status == 1
    assert "set frame_gap to a small multiple" in "\n".join(lines)


def test_prepared_data_are_found_from_either_flag(doctor, tree, tiny, tmp_path):
    prepared = tmp_path / "prepared"
    prepare("camvid", raw_dir=tree, prepared_dir=prepared, size=(24, 32), workers=1)
    status, lines, _ = doctor(f"--prepared_dir={prepared}")
    assert status == 0
    assert "version 1.0.0" in lines[1]
    assert "image_format jpeg" in lines[1]
    assert "next: python -m sde_seg_jax.cli.train" in lines[-1]
    assert doctor(tiny("camvid"), f"--config.data.prepared_dir={prepared}")[0] == 0
    (prepared / "camvid" / "1.0.0").rename(prepared / "camvid" / "1.0.0.incomplete")
    status, lines, _ = doctor(f"--prepared_dir={prepared}")
    assert status == 1
    assert any("run the same prepare command to continue" in line for line in lines)


def test_the_picture_lands_beside_the_data_unless_told_otherwise(command, tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = command("doctor", "--dataset=camvid", f"--raw_dir={tree}", "--workers=1")
    assert status == 0
    assert (tmp_path / "doctor_camvid.png").is_file()
    assert "pictures  doctor_camvid.png" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "cli.doctor needs --config=FILE, or --dataset=NAME and --raw_dir=DIR, or --prepared_dir=DIR"),
        (("--dataset=camvid",), "no files of 'camvid' to check; give --raw_dir=DIR"),
        (("--dataset=camvit", "--raw_dir=."), "unknown data set 'camvit'; did you mean 'camvid'?"),
        (("--dataset=camvid", "--raw_dir=/no/such"), "raw folder '/no/such' of 'camvid' does not exist"),
        (("--dataset=camvid", "--prepared_dir=/no/such"), "prepared folder '/no/such' does not exist"),
        (("--dataset=camvid", "--raw_dir=.", "--prepared_dir=."), "are two things to check"),
        (
            ("--dataset=camvid", "--raw_dir=.", "--splits=trian"),
            "no split 'trian'; it has ['train', 'val', 'test', 'video']; did you mean 'tr",
        ),
        (("--prepared_dir=tests",), "'tests' holds no data set; give --dataset=NAME"),
        (("--dataset=camvid", "--raw_dir=.", "--samples=0"), "samples"),
    ],
)
def test_bad_command_lines_end_with_one_line(refused, tmp_path, flags, message):
    assert message in refused("doctor", f"--output={tmp_path / 'sheet.png'}", *flags)
    assert not (tmp_path / "sheet.png").exists()


def test_the_command_explains_itself(command):
    status, out, _ = command("doctor", "--help")
    assert status == 0
    assert "Exit status: 0 healthy, 1 problems found, 2 bad command line or missing folder" in out
    assert "doctor" in cli.COMMANDS
