"""Bad input ends with one line that names file or key and the remedy, exit status 2, and damages nothing."""

import pathlib
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.training.checkpoints import read

# Reads of a damaged file that end after the first error find orbax's event loop closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.model.widht=8", "unknown key 'config.model.widht': did you mean 'width'?"),
        ("--config.modle.width=8", "unknown key 'config.modle': did you mean 'model'?"),
        ("--config.train.steps=many", "config.train.steps=many: expected something like 4"),
        ("--config.data.crop=64", r"config.data.crop=64: expected something like \[64, 64\]"),
        ("--config.schedule.name=plo", "unknown schedule.name 'plo'; known: constant, step, poly"),
        ("--config.task.name=supervied", "unknown task 'supervied'; did you mean 'supervised'?"),
        ("--config.model.encoder=resnet19", "encoder 'resnet19' is unknown; did you mean 'resnet18'?"),
        ("--config.model.dtype=half", "compute dtype 'half' is unknown; use one of float32, bfloat16"),
        ("--config.data.dataset=street", "unknown data set 'street'"),
        ("--config.data.crop=(128,64)", r"crop \(128, 64\) exceeds image \(64, 64\).*lower data.crop or raise"),
        ("--config.data.crop=(60,64)", "60x64 does not fit.*next valid: 32 or 64.*Change data.crop or data.size"),
        ("--config.data.scale=(2.0,0.5)", r"data.scale=\(2.0, 0.5\): expected \(least, most\) with 0 < least <= most"),
        ("--config.data.scale=(0.0,2.0)", "data.scale=.0.0, 2.0.: expected a number above 0"),
        ("--config.task.mix=class", "'config.task.mix'.*option of task.name=domain_adaptation, multitask, semi_sup"),
        ("--cofnig=x", "Unknown command line flag 'cofnig'. Did you mean: config"),
        ("config.seed=3", "unexpected argument 'config.seed=3'; flags are written --name=value"),
    ],
)
def test_before_any_work(refused, tiny, tmp_path, flag, message):
    workdir, data = tmp_path / "run", tmp_path / "data"
    line = refused("train", tiny("supervised"), f"--workdir={workdir}", f"--config.data.prepared_dir={data}", flag)
    assert re.search(message, line), line
    assert not workdir.exists()
    assert not data.exists()


@pytest.mark.parametrize(
    ("row", "flag", "message"),
    [
        ("semi_supervised", "--config.task.mix=deph", "unknown task.mix 'deph'; known: depth, class"),
        ("semi_supervised", "--config.task.teacher=mean", "unknown task.teacher 'mean'; known: batch_stats"),
        ("depth", "--config.task.error=l2", "unknown task.error 'l2'; known: ssim_l1, l1"),
        ("depth", "--config.task.frames=all", "unknown task.frames 'all'; known: minimum, average"),
        ("depth", "--config.data.scale=(0.5,2.0)", "losses.photometric cannot leave out.*raise the least scale to 1.0"),
        ("supervise", "--config.seed=1", "no row 'supervise'; did you mean 'supervised'\\? rows: depth, "),
    ],
)
def test_options_of_a_task_and_rows_are_checked_before_any_work(refused, tiny, tmp_path, row, flag, message):
    data = f"--config.data.prepared_dir={tmp_path / 'data'}"
    assert re.search(message, refused("train", tiny(row), f"--workdir={tmp_path / 'run'}", data, flag))
    assert not any(tmp_path.iterdir())


def test_a_missing_configuration_file(refused, tmp_path):
    assert "no such file" in refused("train", "--config=confg.py", f"--workdir={tmp_path}")


def test_misspelt_keys_inside_a_configuration_file(refused, tiny, tmp_path):
    text = pathlib.Path(tiny("").removeprefix("--config=").rstrip(":")).read_text()
    text = text.replace("pathlib.Path(__file__).resolve().parents[2]", f"pathlib.Path({str(pathlib.Path.cwd())!r})")
    for old, new, message in (
        (
            "c.optim.learn",
            "c.optm = ConfigDict()\n    c.optim.learn",
            "unknown key 'config.optm': did you mean 'optim'",
        ),
        (
            "c.train.steps",
            "c.train.stpes = 3\n    c.train.steps",
            "unknown key 'config.train.stpes': did you mean 'steps'",
        ),
        (
            "c.train.steps",
            "c.losses.berhuu = 1.0\n    c.train.steps",
            "unknown loss term 'berhuu'; did you mean 'berhu'",
        ),
        ("c.train.steps", "c.model.transfr = ()\n    c.train.steps", "unknown key 'config.model.transfr'"),
    ):
        changed = (
            text.replace("    " + old, "    " + new, 1)
            if old in text
            else text.replace("    c.train.steps", "    " + new.split("\n")[0] + "\n    c.train.steps", 1)
        )
        path = tmp_path / "typo.py"
        path.write_text(changed)
        data = f"--config.data.prepared_dir={tmp_path / 'data'}"
        assert message in refused("train", f"--config={path}", f"--workdir={tmp_path / 'run'}", data)


# raw data, with the layout of CamVid


@pytest.fixture
def camvid(tmp_path):
    """Two frames of every list; (folder, function that prepares)."""
    raw, rng = tmp_path / "raw", np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for folder in (raw / split, raw / f"{split}annot"):
            folder.mkdir(parents=True)
        lines = []
        for number in (30, 32, 34):
            name = f"0016E5_{number:05d}.png"
            Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(raw / split / name)
            Image.fromarray(rng.integers(0, 12, (48, 64), np.uint8)).save(raw / f"{split}annot" / name)
            lines.append(f"/SegNet/CamVid/{split}/{name} /SegNet/CamVid/{split}annot/{name}")
        (raw / f"{split}.txt").write_text("\n".join(lines))
    return raw


@pytest.fixture
def prepare(refused, camvid, tiny, tmp_path):
    def call(raw_dir=camvid, *flags):
        prepared = tmp_path / "prepared"
        line = refused(
            "prepare",
            tiny("camvid"),
            f"--config.data.raw_dir={raw_dir}",
            f"--config.data.prepared_dir={prepared}",
            *flags,
        )
        assert not list(prepared.glob("camvid/*[0-9]")), "something that looks finished was left"
        return line

    return call


def test_an_image_and_a_label_of_different_size(prepare, camvid):
    path = camvid / "trainannot" / "0016E5_00032.png"
    Image.fromarray(np.zeros((48, 60), np.uint8)).save(path)
    assert re.search(rf"label '{path}' is 48x60 but image '.*' is 48x64 .*make them equal", prepare())


def test_label_ids_outside_the_space(prepare, camvid):
    path = camvid / "valannot" / "0016E5_00034.png"
    Image.fromarray(np.full((48, 64), 77, np.uint8)).save(path)
    line = prepare()
    assert f"'{path}' has ids [77] outside label space 'camvid'" in line
    assert "map them" in line


def test_a_truncated_image(prepare, camvid):
    path = camvid / "train" / "0016E5_00032.png"
    path.write_bytes(path.read_bytes()[:2000])
    line = prepare()
    assert f"cannot read '{path}'" in line
    assert "replace the file" in line


def test_missing_raw_data(prepare, tmp_path):
    line = prepare(tmp_path / "nowhere")
    assert f"raw folder '{tmp_path / 'nowhere'}' of 'camvid' does not exist; expected a folder with" in line
    assert "set raw_dir" in prepare("")


def test_unreadable_raw_data(prepare, camvid, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    assert f"raw folder '{camvid}' of 'camvid' is not readable; change its permissions" in prepare()


def test_a_prepared_folder_that_cannot_be_written(refused, tiny, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    line = refused("prepare", tiny("supervised"), f"--config.data.prepared_dir={blocked}")
    assert str(blocked) in line
    assert blocked.read_text() == "not a folder"


def test_prepared_data_of_another_version(refused, tiny, prepared, tmp_path):
    source = pathlib.Path(prepared.partition("=")[2])
    shutil.copytree(source / "street_scenes" / "1.0.0", tmp_path / "street_scenes" / "0.9.0")
    line = refused(
        "train", tiny("supervised"), f"--config.data.prepared_dir={tmp_path}", f"--workdir={tmp_path / 'run'}"
    )
    assert re.search("holds 'street_scenes' version 0.9.0, wanted 1.0.0; delete that folder or choose another", line)


def test_prepared_data_of_another_size(refused, tiny, prepared, tmp_path):
    line = refused("train", tiny("supervised"), prepared, f"--workdir={tmp_path}", "--config.data.size=(64,128)")
    assert re.search(r"prepared with size \[64, 64\], wanted \[64, 128\]; delete that folder or choose", line)


def test_more_labels_than_there_are(refused, tiny, prepared, tmp_path):
    line = refused("train", tiny("supervised"), prepared, f"--workdir={tmp_path / 'x'}", "--config.data.labels=30")
    assert "30 labels wanted, but 'street_scenes' has 6" in line


# checkpoints


@pytest.fixture
def semi(runs, tmp_path):
    """A copy of a run that may be spoilt."""
    shutil.copytree(runs / "semi_supervised", tmp_path / "semi")
    return tmp_path / "semi"


def test_a_missing_checkpoint(refused, tiny, prepared, tmp_path):
    assert f"no checkpoint in {tmp_path}" in refused("evaluate", f"--checkpoint={tmp_path}")
    line = refused(
        "train", tiny("supervised"), prepared, f"--workdir={tmp_path / 'x'}", f"--config.model.init={tmp_path}"
    )
    assert f"no checkpoint in {tmp_path}: a folder that training has written to is expected" in line


def test_a_checkpoint_without_its_configuration(refused, semi):
    path = semi / "checkpoints" / "4" / "_CHECKPOINT_METADATA"
    path.write_bytes(path.read_bytes()[:100])
    assert f"checkpoint {path.parent} is damaged or incomplete" in refused("evaluate", f"--checkpoint={semi}")


@pytest.mark.parametrize("victim", ["state/d/*", "state/_METADATA", "state/manifest.ocdbt"])
def test_a_truncated_checkpoint(refused, semi, tiny, prepared, runs, victim):
    for path in (semi / "checkpoints" / "4").glob(victim):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    line = refused("evaluate", f"--checkpoint={semi}")
    assert f"checkpoint {semi / 'checkpoints' / '4'} is damaged or incomplete" in line
    assert "delete it, the one before is used then" in line
    depth = (f"--config.model.init={runs / 'depth'}", f"--config.task.depth_checkpoint={runs / 'depth'}")
    more = refused("train", tiny("semi_supervised"), prepared, f"--workdir={semi}", *depth, "--config.train.steps=6")
    assert "is damaged or incomplete" in more
    assert sorted(p.name for p in (semi / "checkpoints").iterdir()) == ["2", "4"]


def test_deleting_a_damaged_checkpoint_brings_the_one_before_back(command, semi):
    shutil.rmtree(semi / "checkpoints" / "4")
    status, out, _ = command("evaluate", f"--checkpoint={semi}")
    assert status == 0
    assert '"step": 2' in out


def test_a_checkpoint_of_another_architecture_lists_the_first_differences(refused, semi, tiny, prepared, runs):
    (semi / "config.json").unlink()  # it would refuse first
    depth = (f"--config.model.init={runs / 'depth'}", f"--config.task.depth_checkpoint={runs / 'depth'}")
    wider = ("--config.train.steps=6", "--config.model.aspp_rates=(1,)", "--config.model.transfer=('encoder',)")
    line = refused("train", tiny("semi_supervised"), prepared, f"--workdir={semi}", *depth, *wider)
    assert f"checkpoint {semi / 'checkpoints' / '4'} is of another architecture: student/params/segmentation" in line
    assert len(re.findall(r"(missing|only) in the checkpoint|expected", line)) == 5
    assert "Use the config it was trained with" in line
    assert read(str(semi)).config["model"]["aspp_rates"] == [1, 2]


def test_transfer_from_another_architecture(refused, tiny, prepared, runs, tmp_path):
    flags = (prepared, f"--workdir={tmp_path}", f"--config.model.init={runs / 'depth'}", "--config.model.width=4")
    line = refused("train", tiny("supervised"), *flags, "--config.model.transfer=('encoder',)")
    assert (
        "module 'encoder') is of another architecture: encoder/bn1/bias: (8,) in the checkpoint, (4,) expected" in line
    )


def test_mixing_by_depth_needs_a_depth_network(refused, tiny, prepared, runs, tmp_path):
    flags = (
        "train",
        tiny("semi_supervised"),
        prepared,
        f"--workdir={tmp_path}",
        f"--config.model.init={runs / 'depth'}",
    )
    line = refused(*flags, f"--config.task.depth_checkpoint={runs / 'semi_supervised'}")
    assert "holds no depth network" in line
    assert "set task.depth_checkpoint" in refused(*flags, "--config.task.depth_checkpoint=")


def test_a_teacher_where_there_is_none(refused, runs, tmp_path):
    line = refused("predict", f"--checkpoint={runs / 'depth'}", f"--input={tmp_path}", "--weights=teacher")
    assert "has no teacher; use --weights=student" in line


def test_an_image_that_cannot_be_read(refused, runs, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"no image")
    flags = (f"--checkpoint={runs / 'semi_supervised'}", f"--output={tmp_path / 'out'}")
    assert f"{path} is not a readable image" in refused("predict", *flags, f"--input={path}")
    assert "no such file" in refused("predict", *flags, f"--input={tmp_path / 'none.png'}")


# As a full disk, for whoever runs the tests: no file may grow beyond 400 x 512 bytes, less than a checkpoint.
SMALL_FILES = ("sh", "-c", 'ulimit -f 400; exec "$@"', "sh")


def test_no_space_left_while_saving_keeps_the_last_good_checkpoint(finish, semi, tiny, prepared, runs):
    before = read(str(semi), "student").parts
    depth = (f"--config.model.init={runs / 'depth'}", f"--config.task.depth_checkpoint={runs / 'depth'}")
    flags = ("train", tiny("semi_supervised"), prepared, f"--workdir={semi}", *depth, "--config.train.steps=40")
    no_cache_writes = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9"}  # they would be cut off, too
    status, _, err = finish(*flags, env=no_cache_writes, before=SMALL_FILES)
    assert status == 2, err
    line = err.splitlines()[-1]
    assert err.count("error: ") == 1, err
    assert "Traceback" not in err
    assert f"error: saving to {semi / 'checkpoints'} failed" in line
    assert "free disk space and start again; the last good checkpoint (step 4) is untouched" in line
    np.testing.assert_equal(read(str(semi), "student").parts, before)
