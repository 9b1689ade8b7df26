"""cli.prepare --runner: Apache Beam writes the files that one machine writes; what is refused, and how."""

import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import trees

COUNT = 40  # frames of the split: five files of eight
WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


@pytest.fixture
def camvid(tmp_path):
    folder, rng = trees.write("camvid", tmp_path / "raw"), np.random.default_rng(0)
    pairs = [(f"train/0001TP_{number:06d}.png", f"trainannot/0001TP_{number:06d}.png") for number in range(COUNT)]
    for image, label in pairs:
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).save(folder / image)
        Image.fromarray(rng.integers(0, 12, (24, 32), np.uint8)).save(folder / label)
    (folder / "train.txt").write_text("".join(f"{image} {label}\n" for image, label in pairs))
    return folder


@pytest.fixture
def flags(camvid, tiny, tmp_path):
    """flags("out") -> those of preparing in the folder out."""
    small = ("--splits=train", "--config.data.size=(24,32)", f"--config.data.raw_dir={camvid}")
    return lambda name: (tiny("camvid"), *small, f"--config.data.prepared_dir={tmp_path / name}")


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_two_workers_write_the_bytes_of_one_machine(finish, command, flags, camvid, tmp_path):
    pytest.importorskip("apache_beam", reason="pip install '.[beam]'")
    assert command("prepare", *flags("alone"), "--workers=1")[0] == 0
    bad = camvid / "train" / "0001TP_000021.png"  # in the third file; not among those by which the room is estimated
    whole = bad.read_bytes()
    bad.write_bytes(whole[:100])
    by_beam = (*flags("beam"), "--runner=DirectRunner", "--", *WORKERS)
    status, _, err = finish("prepare", *by_beam)
    assert status == 2, err
    assert err.splitlines()[-1].startswith(f"error: cannot read '{bad}'")
    assert "Traceback" not in err
    bad.write_bytes(whole)
    status, out, err = finish("prepare", *by_beam)
    assert status == 0, err
    assert out.startswith("continuing: 4 of 5 files of ")
    assert out.splitlines()[-1].startswith(f"prepared: {tmp_path / 'beam'}")
    assert "Traceback" not in err
    alone = files_of(tmp_path / "alone")
    assert len([name for name in alone if "array_record" in name]) == 5
    assert files_of(tmp_path / "beam") == alone
    status, out, err = finish("prepare", *by_beam)
    assert (status, out.splitlines()[0][-30:]) == (0, "nothing is left for DirectRunner"[-30:]), err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--runner=Spark",), "--runner=Spark: value should be one of <DirectRunner|SparkRunner|"),
        (("--runner=DirectRunner", "--part=1/2"), "--part, --finish, --runner and --estimate_only exclude each other"),
        (("--runner=DirectRunner", "--workers=2"), "--workers are not Beam's"),
        (("--runer=DirectRunner",), "Unknown command line flag 'runer'. Did you mean: runner ?"),
        (("--", "--direct_num_workers=2"), "'--direct_num_workers=2' after -- is for Apache Beam: give --runner, too"),
    ],
)
def test_flags_that_make_no_sense_are_refused(refused, flags, words, message):
    assert message in refused("prepare", *flags("beam"), *words)


def test_without_the_package_one_line_names_the_extra(refused, flags, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    assert "pip install '.[beam]'" in refused("prepare", *flags("beam"), "--runner=DirectRunner")


def test_other_commands_hand_nothing_on(refused, flags, tiny):
    assert "unexpected argument '--direct_num_workers=2'" in refused("config", tiny("depth"), "--", WORKERS[0])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--direct_num_worker=2", "DirectRunner knows no '--direct_num_worker=2'"),
        ("--direct_num_workers=two", "argument --direct_num_workers: invalid int value: 'two'"),
        ("--runner=FlinkRunner", "'--runner=FlinkRunner' after --: DirectRunner was asked for before"),
    ],
)
def test_flags_that_beam_does_not_take_are_refused(refused, flags, word, message):
    pytest.importorskip("apache_beam", reason="pip install '.[beam]'")
    assert message in refused("prepare", *flags("beam"), "--runner=DirectRunner", "--", word)
