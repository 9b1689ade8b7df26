"""cli.cache_depth, and training with what it wrote, on tiny street scenes."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from sde_seg_jax.cli.command_line import parse
from sde_seg_jax.data.reading.dataset import open_data
from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.data.stored.depth_cache import DepthCache
from sde_seg_jax.experiment import build, cached_depth
from sde_seg_jax.experiment.config import call as call_with
from sde_seg_jax.experiment.prediction import predictor as predictors
from sde_seg_jax.training.checkpoints import read

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 6  # samples of the split train
LEVEL = 1 / 65535


@pytest.fixture(scope="module")
def depth(runs):
    return runs / "depth"


@pytest.fixture(scope="module")
def folder(runs, shared):
    """The prepared set of the shared runs."""
    return next((shared / "prepared" / "street_scenes").iterdir())


@pytest.fixture
def own(folder, tmp_path):
    """A prepared set of this test's own, without caches: (its folder, the flag that names it)."""
    copy = tmp_path / "prepared" / folder.parent.name / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("disparity"))
    return copy, f"--config.data.prepared_dir={tmp_path / 'prepared'}"


@pytest.fixture(scope="module")
def other_depth(depth, finish, prepared, tiny, tmp_path_factory):
    """A depth run that went on for a step: other weights, the same network."""
    copy = tmp_path_factory.mktemp("other") / "depth2"
    shutil.copytree(depth, copy)
    status, _, err = finish("train", tiny("depth"), prepared, f"--workdir={copy}", "--config.train.steps=5")
    assert status == 0, err
    return copy


def cache_at(folder, name="depth", split="train"):
    return folder / "disparity" / name / split


def steps(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def cached(command, tiny, depth, own):
    """As `own`, with the cache "depth"."""
    status, out, err = command("cache_depth", tiny("semi_supervised"), own[1], f"--checkpoint={depth}")
    assert status == 0, err
    assert out.splitlines()[-1] == "train with --config.data.depth_cache=depth"
    return own


def test_the_cache_holds_the_disparity_of_every_whole_image(cached, depth):
    trained = build.load_trained(str(depth))
    predict = predictors.disparity_predictor(trained.network)
    source = open_source("street_scenes", cached[0].parents[1], "train", "depth")
    assert len(source) == COUNT
    for index in range(COUNT):
        found = source.read(index)
        expected = np.asarray(predict(trained.variables, found["image"][None]))[0]
        # Two devices, other batches: float32 convolutions differ in the last bits, 1e-6 is a tenth of a level
        assert np.abs(found["disparity"] + 0.5 * LEVEL - expected).max() < 0.5 * LEVEL + 1e-6
    facts = json.loads((cache_at(cached[0]) / "cache.json").read_text())
    assert (facts["checkpoint"], facts["step"], facts["size"]) == (str(depth), 4, [64, 64])
    assert facts["coding"] == "uint16 = floor(disparity * 65535)"
    assert facts["model"]["encoder"] == "resnet18"
    assert facts["names"] == source.names


def test_a_second_call_does_nothing_and_another_split_joins(command, cached, tiny, depth):
    path = cache_at(cached[0]) / "shard-00000.array_record"
    before = path.stat().st_mtime_ns
    flags = (tiny("depth"), cached[1], f"--checkpoint={depth / 'checkpoints'}")
    status, out, _ = command("cache_depth", *flags, "--splits=train,val", "--batch_size=3")
    assert status == 0
    assert f"6 disparities are in '{cache_at(cached[0])}'" in out
    assert f"3 disparities written to '{cache_at(cached[0], split='val')}'" in out
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("options", [("--batch_size=4", "--shard_size=2"), ("--batch_size=1", "--shard_size=5")])
def test_batches_shards_and_padding_change_nothing(command, cached, tiny, depth, options):
    name = "--config.data.depth_cache=again"
    assert command("cache_depth", tiny("depth"), cached[1], f"--checkpoint={depth}", name, *options)[0] == 0
    first, second = (DepthCache(cached[0], name, "train") for name in ("depth", "again"))
    for index in range(COUNT):
        difference = np.abs(first.read(index) - second.read(index))
        assert difference.max() < 1.5 * LEVEL  # where another batch size moves the last bit over a level
        assert (difference > 0).mean() < 0.01


def test_disparity_of_crops_is_not_the_crop_of_the_disparity(depth):
    """Padding and the decoder's global pooling see only the crop: a cache is not the online network on crops."""
    trained = build.load_trained(str(depth))
    predict = predictors.disparity_predictor(trained.network)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 128, 3), dtype=np.uint8)
    whole, crop = (np.asarray(predict(trained.variables, x)) for x in (image, image[:, :, :64]))
    assert np.abs(whole[:, :, :64] - crop).max() > 10 * LEVEL


# The command, which stops itself by a signal when it codes its fifth sample.
STOPPED = """
import os, signal, sys
from sde_seg_jax.cli import cache_depth
from sde_seg_jax.cli.command_line import run
from sde_seg_jax.experiment import depth_cache
count, encode = 0, depth_cache.encode
def encode_four(disparity):
    global count
    count += 1
    if count == 5:
        os.kill(os.getpid(), {number})
    return encode(disparity)
depth_cache.encode = encode_four
sys.exit(run(cache_depth.main, ["cache_depth", *sys.argv[1:]], about="", extra=cache_depth.flags))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_is_stopped_continues_with_the_same_command(command, tiny, depth, own, number):
    flags = (tiny("depth"), own[1], f"--checkpoint={depth}", "--batch_size=1", "--shard_size=2")
    code = STOPPED.format(number=int(number))
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir}
    done = subprocess.run(
        [sys.executable, "-c", code, *flags], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if number == signal.SIGKILL:
        assert done.returncode == -signal.SIGKILL
    else:
        assert done.returncode == 130, done.stderr
        assert re.fullmatch(
            r"stopped: [024] of 6 are written; the same command continues", done.stderr.splitlines()[-1]
        )
    there = {path.name for path in cache_at(own[0]).iterdir()}
    assert "begun.json" in there
    assert "cache.json" not in there
    kept = {name: (cache_at(own[0]) / name).read_bytes() for name in there if name.endswith(".array_record")}
    assert 1 <= len(kept) <= 2
    status, out, _ = command("cache_depth", *flags)
    assert status == 0
    assert f"{COUNT - 2 * len(kept)} disparities written to" in out
    assert {name: (cache_at(own[0]) / name).read_bytes() for name in kept} == kept
    assert sorted(path.name for path in cache_at(own[0]).iterdir()) == [
        "cache.json",
        *(f"shard-{shard:05d}.array_record" for shard in range(3)),
    ]
    assert command("cache_depth", *flags, "--config.data.depth_cache=whole")[0] == 0
    cut, whole = (DepthCache(own[0], name, "train") for name in ("depth", "whole"))
    for index in range(COUNT):
        assert np.abs(cut.read(index) - whole.read(index)).max() < 1.5 * LEVEL  # one device there, two here


def test_parts_write_what_one_command_writes(command, refused, cached, tiny, depth):
    flags = (tiny("semi_supervised"), cached[1], f"--checkpoint={depth}", "--batch_size=1", "--shard_size=2")
    parts = (*flags, "--config.data.depth_cache=parts")
    assert command("cache_depth", *flags, "--config.data.depth_cache=whole")[0] == 0
    assert "--replace with --part" in refused("cache_depth", *parts, "--part=1/2", "--replace")
    _, out, _ = command("cache_depth", *parts, "--part=2/2")
    assert "2 disparities written to" in out
    assert "the other parts are missing" in out
    assert out.splitlines()[-1] == "when all parts are written, train with --config.data.depth_cache=parts"
    _, out, _ = command("cache_depth", *parts, "--part=1/2")
    assert "4 disparities written to" in out
    assert "missing" not in out
    found, expected = cache_at(cached[0], "parts"), cache_at(cached[0], "whole")
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {
        path.name: path.read_bytes() for path in expected.iterdir()
    }


def test_a_cache_of_far_data_needs_a_folder_of_its_own(command, refused, tiny, depth, own, tmp_path):
    far = f"--config.data.prepared_dir=local://{own[0].parents[1]}"
    error = refused("cache_depth", tiny("semi_supervised"), far, f"--checkpoint={depth}")
    assert "is far away, and a depth cache lies in a folder: name one, with a slash" in error
    flags = (tiny("semi_supervised"), far, f"--config.data.depth_cache={tmp_path / 'mine'}")
    assert command("cache_depth", *flags, f"--checkpoint={depth}")[0] == 0
    steps = ("--config.train.steps=2", f"--config.model.init={depth}", "--config.task.depth_checkpoint=")
    status, _, err = command("train", *flags, *steps, f"--workdir={tmp_path / 'run'}")
    assert status == 0, err


@pytest.fixture
def train(tiny, depth, cached, tmp_path):
    """The arguments of a semi-supervised run that reads the cache."""
    return (
        *("train", tiny("semi_supervised"), cached[1], f"--workdir={tmp_path / 'run'}"),
        *(f"--config.model.init={depth}", "--config.data.depth_cache=depth", "--config.data.flip=0.0"),
        *("--config.train.steps=2", "--config.task.depth_checkpoint="),
    )


def test_a_run_with_the_cache_is_the_run_with_the_online_network(command, train, depth, tmp_path):
    """Whole images without flips: what the online network sees is what was cached."""
    status, out, err = command(*train)
    assert status == 0, err
    line = (
        rf"depth cache 'depth' of split 'train': made from weights [0-9a-f]{{12}} \({re.escape(str(depth))}, step 4\)"
    )
    assert any(re.fullmatch(line, text) for text in out.splitlines()), out
    assert not read(str(tmp_path / "run"), "frozen").parts["frozen"]
    online = (
        f"--workdir={tmp_path / 'online'}",
        "--config.data.depth_cache=",
        f"--config.task.depth_checkpoint={depth}",
    )
    status, _, err = command(*train, *online)
    assert status == 0, err
    assert read(str(tmp_path / "online"), "frozen").parts["frozen"]["depth"]
    for found, expected in zip(steps(tmp_path / "run"), steps(tmp_path / "online"), strict=True):
        assert abs(found["pasted"] - expected["pasted"]) < 5 / (2 * 64 * 64)  # pixels on the edge of the mask
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-3)


@pytest.fixture
def told(train, tiny):
    """told(row, *flags) -> the lines that such a run would print about its cache."""

    def call(row, *flags):
        about = [text for text in train[2:] if not text.startswith("--workdir")]
        arguments = parse(["", tiny(row), *(text for text in about if "depth_checkpoint" not in text), *flags], "")
        config = arguments.config()
        return list(cached_depth.origins(config, call_with("data", open_data, config.data)))

    return call


@pytest.mark.parametrize("row", ["semi_supervised", "multitask", "student_depth"])
def test_each_task_that_wants_a_disparity_reads_the_cache(told, row):
    (line,) = told(row, *([] if row == "multitask" else ["--config.task.depth_checkpoint="]))
    assert line.startswith("depth cache 'depth' of split 'train': made from weights ")


@pytest.mark.parametrize(("row", "flags"), [("supervised", ()), ("multitask", ("--config.task.mix=class",))])
def test_a_task_without_a_disparity_says_that_it_does_not_read_the_cache(told, row, flags):
    line = "data.depth_cache='x' is not read: this task mixes and learns without it"
    assert told(row, *flags, "--config.data.depth_cache=x") == [line]


def test_the_same_weights_elsewhere_are_accepted(told, depth, tmp_path):
    shutil.copytree(depth, tmp_path / "moved")
    assert len(told("semi_supervised", f"--config.task.depth_checkpoint={tmp_path / 'moved'}")) == 1


STALE = (
    r"depth cache 'depth' of split 'train' was made from weights \w{12} \(.*depth, step 4\), but %s=.*depth2 has \w{12}"
)


def test_a_stale_cache_is_refused(refused, train, other_depth):
    line = refused(*train, f"--config.task.depth_checkpoint={other_depth}")
    assert re.search(STALE % "task.depth_checkpoint", line)
    assert f"run cli.cache_depth --checkpoint={other_depth} --replace, or choose another cache" in line


def test_a_cache_of_other_weights_than_the_starting_depth_run_is_refused(refused, told, train, depth, other_depth):
    init = f"--config.model.init={other_depth}"
    assert re.search(STALE % "model.init", refused(*train, init))
    assert len(told("semi_supervised", init, f"--config.task.depth_checkpoint={depth}")) == 1  # said explicitly


def test_a_cache_of_other_weights_is_written_again_only_when_asked(refused, command, cached, tiny, other_depth):
    flags = ("cache_depth", tiny("depth"), cached[1], f"--checkpoint={other_depth}", "--config.data.depth_cache=depth")
    line = refused(*flags)
    assert re.search(
        r"was made from weights \w{12} \(.*, step 4\), not \w{12} \(.*depth2, step 5\): give --replace", line
    )
    assert command(*flags, "--replace")[0] == 0
    assert DepthCache(cached[0], "depth", "train").facts["step"] == 5


def test_a_missing_cache_is_named_with_those_that_are_there(refused, train):
    line = refused(*train, "--config.data.depth_cache=x")
    assert "there is no depth cache 'x' of split 'train' in" in line
    assert line.endswith("(there: depth): run cli.cache_depth first")


def test_a_cache_of_another_size_or_of_other_samples_is_refused(refused, train, tmp_path):
    elsewhere = f"--config.data.prepared_dir={tmp_path / 'elsewhere'}"
    cache = next((tmp_path / "prepared" / "street_scenes").glob("*/disparity/depth"))
    flags = (*train, elsewhere, f"--config.data.depth_cache={cache}")
    line = refused(*flags, "--config.data.size=(64,96)")
    assert "was made for data prepared with size [64, 64], now it is [64, 96]: run cli.cache_depth --replace" in line
    shutil.rmtree(tmp_path / "elsewhere")
    line = refused(*flags, "--config.dataset.counts.train=4")
    assert re.search(r"was made for data prepared with options .*6.*, now it is .*4.*: run cli.cache_depth --rep", line)


def test_a_damaged_shard_is_named(refused, train, cached):
    path = cache_at(cached[0]) / "shard-00000.array_record"
    path.write_bytes(path.read_bytes()[:100])
    assert f"'{path}' is damaged: delete it and run the same cli.cache_depth again" in refused(*train)


def test_a_checkpoint_without_depth_network(refused, tiny, prepared, runs):
    line = refused("cache_depth", tiny("depth"), prepared, f"--checkpoint={runs / 'semi_supervised'}")
    assert "semi_supervised holds no depth network: give the workdir of a depth run" in line


def test_an_image_that_the_network_cannot_process(refused, tiny, depth, tmp_path):
    flags = (f"--config.data.prepared_dir={tmp_path}", f"--checkpoint={depth}")
    line = refused("cache_depth", tiny("depth"), *flags, "--config.data.size=(60,64)")
    assert "image of 60x64 does not fit the network's output stride 32" in line
    assert not list(tmp_path.iterdir())  # before any work


def test_wrong_flags(refused, tiny, prepared, depth):
    assert "needs --config=FILE (which data) and --checkpoint=DIR" in refused("cache_depth", tiny("depth"))
    flags = ("cache_depth", tiny("depth"), prepared, f"--checkpoint={depth}")
    assert "has no split 'video'; it has ['train', 'val']" in refused(*flags, "--splits=video")
    assert "batch_size" in refused(*flags, "--batch_size=0")
