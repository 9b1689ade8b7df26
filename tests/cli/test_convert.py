"""Published weights in and out: written as PyTorch writes them, converted, predicted with, written back."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from ml_collections import config_dict
from PIL import Image
from safetensors.numpy import load_file, save_file

from sde_seg_jax.data.reading.dataset import open_data
from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.config import call, load_config
from sde_seg_jax.experiment.weights import sources
from sde_seg_jax.models.import_weights import network_parts, to_torch
from sde_seg_jax.models.weight_files import read_state
from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.training.checkpoints import read

pytestmark = pytest.mark.slow

ROWS = ("depth", "supervised", "multitask")
FILES = {
    "encoder": "models.encoder.",
    "depth": "models.depth.",
    "pose_encoder": "models.pose_encoder.",
    "pose": "models.pose.",
}


def published(path, row):
    """Random weights of a row's network under the published names."""
    config = load_config(path, row)
    like = build.abstract_variables(build.build_network(config), config.data.crop)
    rng = np.random.default_rng(3)
    drawn = jax.tree.map(lambda leaf: rng.uniform(0.1, 0.3, leaf.shape).astype(np.float32), like)
    return to_torch(drawn, network_parts(drawn))


@pytest.fixture(scope="module")
def states(tiny_path):
    return {row: published(tiny_path, row) for row in ROWS}


@pytest.fixture(scope="module")
def tiny_path(tiny):
    return tiny("depth").removeprefix("--config=").partition(":")[0]


@pytest.fixture
def folder(states, tmp_path):
    """The depth network as four files."""
    path = tmp_path / "published"
    path.mkdir()
    for file, start in FILES.items():
        part = {k.removeprefix(start): v for k, v in states["depth"].items() if k.startswith(start)}
        save_file({k: np.array(v, order="C") for k, v in part.items()}, str(path / f"{file}.safetensors"))
    return path


@pytest.fixture
def joint(states, tmp_path):
    """joint("supervised") -> best_model.pkl of a row's network, as training saves it."""
    torch = pytest.importorskip("torch")

    def save(row, **more):
        state = {k: torch.from_numpy(np.array(v)) for k, v in {**states[row], **more}.items()}
        path = tmp_path / "best_model.pkl"
        content = {"epoch": 40, "model_state": state, "optimizer_state": {}, "best_iou": np.float64(0.4)}
        torch.save(content | {"scheduler_state": {"last_epoch": 40}}, path)
        return path

    return save


def convert(command, tiny, row, source, workdir, *flags):
    status, out, err = command("convert", tiny(row), f"--input={source}", f"--workdir={workdir}", *flags)
    assert status == 0, err
    return out


def test_a_folder_becomes_a_checkpoint_that_predicts_as_the_weights_do(command, tiny, folder, states, tmp_path):
    workdir = tmp_path / "run"
    out = convert(command, tiny, "depth", folder, workdir)
    assert re.search(r"  encoder        encoder from published        copied +[\d,]+  fresh +0\n", out)
    trained = build.load_trained(str(workdir))
    state = to_torch(trained.variables, network_parts(trained.variables))
    assert state.keys() == states["depth"].keys()
    for name, value in states["depth"].items():
        np.testing.assert_array_equal(state[name], value, err_msg=name, strict=True)

    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    arguments = (f"--checkpoint={workdir}", f"--input={tmp_path / 'a.png'}", f"--output={tmp_path / 'out'}")
    assert command("predict", *arguments)[0] == 0
    disparity = np.asarray(predict(trained.network, trained.variables, to_float(image[None])).disparity[0])[0, :, :, 0]
    depth = 1 / (1 / 100 + (1 / 0.1 - 1 / 100) * disparity)
    written = np.asarray(Image.open(tmp_path / "out" / "a_depth.png"))
    np.testing.assert_allclose(written, np.clip(depth * 256 + 0.5, 1, 65535).astype(np.uint16), atol=1)


@pytest.mark.parametrize("row", ["supervised", "multitask"])
def test_a_joint_checkpoint_is_evaluated(command, tiny, prepared, joint, row, tmp_path):
    workdir = tmp_path / "run"
    convert(command, tiny, row, joint(row), workdir, prepared)
    status, out, err = command("evaluate", f"--checkpoint={workdir}")
    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["step"] == 40


def test_training_starts_from_a_converted_checkpoint_but_does_not_continue_it(
    command, refused, tiny, prepared, folder, tmp_path
):
    convert(command, tiny, "depth", folder, tmp_path / "sde", prepared)
    line = refused("train", tiny("depth"), f"--workdir={tmp_path / 'sde'}", prepared)
    assert f"{tmp_path / 'sde'} holds converted weights, not a run to continue: choose another --workdir" in line
    rules = "--config.model.transfer=('encoder', 'segmentation/decoder <- depth_decoder')"
    flags = (f"--config.model.init={tmp_path / 'sde'}", rules, "--config.train.steps=1")
    status, out, err = command("train", tiny("supervised"), f"--workdir={tmp_path / 'run'}", prepared, *flags)
    assert status == 0, err
    assert re.search(r"segmentation/decoder +depth_decoder from model.init +copied +[\d,]+  fresh +0\n", out)
    assert re.search(r"segmentation/head +random +copied +0  fresh +[\d,]+\n", out)

    shutil.rmtree(tmp_path / "sde")  # a run that has begun does not need it any more
    flags = (*flags[:2], "--config.train.steps=2")
    status, out, err = command("train", tiny("supervised"), f"--workdir={tmp_path / 'run'}", prepared, *flags)
    assert status == 0, err
    assert "continuing at step 1\n" in out
    assert "copied" not in out


def test_sources_of_several_files_and_the_reference_encoder_are_named_in_the_table(
    command, tiny, prepared, states, folder, tmp_path
):
    # as torchvision names them, for one image
    resnet = {k.removeprefix("encoder."): v for k, v in load_file(folder / "encoder.safetensors").items()}
    save_file(resnet | {"fc.weight": np.zeros((2, 2), np.float32)}, str(tmp_path / "resnet.safetensors"))
    save_file(resnet, str(tmp_path / "resnet_pose.safetensors"))
    config = load_config(tiny("depth").removeprefix("--config=").partition(":")[0], "depth")
    config.losses = config_dict.ConfigDict({"photometric": 1.0, "feature_distance": 0.01})
    config.sources.imagenet = str(tmp_path / "resnet.safetensors")
    config.sources.imagenet_pose = str(tmp_path / "resnet_pose.safetensors")
    config.model.transfer = ("encoder from imagenet", "pose/encoder <- encoder from imagenet_pose")
    config.task.reference_encoder = "imagenet"
    config.data.prepared_dir = prepared.partition("=")[2]
    training, rows = build.build_training(config, call("data", open_data, config.data))
    assert [(row["module"], row["source"], row["fresh"] > 0) for row in rows] == [
        ("encoder", "encoder from imagenet", False),
        ("pose/encoder", "encoder from imagenet_pose", False),
        ("depth_decoder", "random", True),
        ("pose/decoder", "random", True),
        ("reference encoder", "encoder from imagenet", False),
    ]
    kernel = np.asarray(training.state.student.params["pose"]["encoder"]["conv1"]["kernel"])
    np.testing.assert_array_equal(kernel[:, :, :3] * 2, resnet["conv1.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(kernel[:, :, :3], kernel[:, :, 3:])
    frozen = training.state.frozen["imagenet"]
    jax.tree.map(np.testing.assert_array_equal, frozen.params["encoder"], training.state.student.params["encoder"])


def test_some_parts_make_a_checkpoint_for_those(command, refused, tiny, folder, tmp_path):
    (folder / "encoder.safetensors").unlink()  # as published for a frozen encoder
    line = refused("convert", tiny("depth"), f"--input={folder}", f"--workdir={tmp_path / 'a'}")
    assert "published, module 'encoder': it holds no 'encoder'; it holds depth_decoder, pose/encoder, pose/dec" in line
    assert not (tmp_path / "a").exists()
    out = convert(command, tiny, "depth", folder, tmp_path / "b", "--parts=depth_decoder")
    assert "encoder from" not in out
    assert sorted(read(str(tmp_path / "b"), "student").parts["student"]["params"]) == ["depth_decoder"]
    assert "encoder/conv1/kernel: missing in the checkpoint" in refused("evaluate", f"--checkpoint={tmp_path / 'b'}")


# out


def run_of(row, runs, joint, command, tiny, tmp_path):
    if row in ("depth", "semi_supervised"):
        return runs / row
    convert(command, tiny, row, joint(row), tmp_path / "converted")
    return tmp_path / "converted"


@pytest.mark.parametrize("row", ["depth", "semi_supervised", "multitask"])
def test_out_and_in_again_is_bit_identical(command, tiny, runs, joint, tmp_path, row):
    run = run_of(row, runs, joint, command, tiny, tmp_path)
    status, out, err = command("convert", f"--checkpoint={run}", f"--output={tmp_path / 'out.safetensors'}")
    assert status == 0, err
    assert out.splitlines() == [f"wrote {tmp_path / 'out.safetensors'}"]
    convert(command, tiny, row, tmp_path / "out.safetensors", tmp_path / "back")
    before, after = build.load_trained(str(run)), build.load_trained(str(tmp_path / "back"))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b, strict=True), after.variables, before.variables)
    assert after.step == before.step


def test_a_folder_has_the_names_of_its_files(command, refused, runs, tmp_path):
    status, _, _ = command("convert", f"--checkpoint={runs / 'depth'}", f"--output={tmp_path / 'set'}")
    assert status == 0
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == [
        *("depth.safetensors", "encoder.safetensors", "pose.safetensors", "pose_encoder.safetensors")
    ]
    assert "encoder.conv1.weight" in load_file(tmp_path / "set" / "pose_encoder.safetensors")
    assert "decoder.14.conv.bias" in load_file(tmp_path / "set" / "depth.safetensors")
    command("convert", f"--checkpoint={runs / 'depth'}", f"--output={tmp_path / 'one.safetensors'}")
    folder, file = read_state(tmp_path / "set"), read_state(tmp_path / "one.safetensors")
    jax.tree.map(np.testing.assert_array_equal, folder, file)
    line = refused("convert", f"--checkpoint={runs / 'semi_supervised'}", f"--output={tmp_path / 'x'}")
    assert "belongs to none of encoder, depth, pose_encoder, pose.safetensors; write one file instead" in line


def test_the_teacher_can_be_written(command, refused, runs, tmp_path):
    flags = (f"--output={tmp_path / 'teacher.safetensors'}", "--weights=teacher")
    assert command("convert", f"--checkpoint={runs / 'semi_supervised'}", *flags)[0] == 0
    teacher = build.load_trained(str(runs / "semi_supervised"), "teacher").variables
    expected = to_torch(teacher, network_parts(teacher))
    jax.tree.map(np.testing.assert_array_equal, load_file(tmp_path / "teacher.safetensors"), expected)
    assert "has no teacher; use --weights=student" in refused("convert", f"--checkpoint={runs / 'depth'}", *flags)


def test_pytorch_loads_what_is_written_strictly(runs, command, states, tmp_path):
    torch = pytest.importorskip("torch")
    command("convert", f"--checkpoint={runs / 'depth'}", f"--output={tmp_path / 'set'}")
    loaded = {k: torch.from_numpy(v) for k, v in load_file(tmp_path / "set" / "pose.safetensors").items()}

    class Pose(torch.nn.Module):  # the published layout: net.0 squeeze, net.1, net.2, net.3
        def __init__(self):
            super().__init__()
            shapes = [loaded[f"net.{i}.weight"].shape for i in range(4)]
            self.net = torch.nn.ModuleList(torch.nn.Conv2d(s[1], s[0], s[2]) for s in shapes)

    pose = Pose()
    pose.load_state_dict(loaded, strict=True)
    kernel = build.load_trained(str(runs / "depth")).variables.params["pose"]["decoder"]["conv_0"]["kernel"]
    np.testing.assert_array_equal(pose.net[1].weight.detach().numpy(), kernel.transpose(3, 2, 0, 1))


# bad input


def test_weights_of_another_network_are_refused(refused, tiny, joint, folder, tmp_path):
    workdir = f"--workdir={tmp_path / 'x'}"
    line = refused("convert", tiny("depth"), f"--input={folder}", workdir, "--config.model.encoder=resnet50")
    assert re.search(r"published, module 'depth_decoder': the state does not fit the network \(\d+ problems\): ", line)
    line = refused("convert", tiny("depth"), f"--input={folder}", workdir, "--config.model.aspp_rates=(1,)")
    assert re.search(r"module 'depth_decoder': the state does not fit .*missing: models.depth.decoder.0.convs", line)
    line = refused("convert", tiny("depth"), f"--input={joint('supervised')}", workdir)
    assert re.search(r"best_model.pkl: the network has no place for models.segmentation.unet_dec", line)
    assert not (tmp_path / "x").exists()


def test_a_renamed_key_is_named(refused, command, tiny, joint, states, tmp_path):
    name = "models.segmentation.head.2.weight"
    path = joint("supervised", **{"models.segmentation.head.7.weight": states["supervised"][name]})
    flags = (tiny("supervised"), f"--input={path}", f"--workdir={tmp_path / 'x'}")
    assert "left over: models.segmentation.head.7.weight" in refused("convert", *flags)
    path = joint("supervised", **{"models.extra.weight": np.ones(2, np.float32)})
    assert "the network has no place for models.extra.weight; use the config" in refused("convert", *flags)
    assert command("convert", *flags, r"--ignore=^models\.extra\.")[0] == 0


def test_the_depth_decoder_of_monodepth2_is_refused_by_name(refused, command, tiny, folder, tmp_path):
    depth = {
        "decoder.0.conv.conv.weight": np.ones((8, 64, 3, 3), np.float32),
        "decoder.0.conv.conv.bias": np.ones(8, np.float32),
    }
    save_file(depth, str(folder / "depth.safetensors"))
    line = refused("convert", tiny("depth"), f"--input={folder}", f"--workdir={tmp_path / 'x'}")
    assert "module 'depth_decoder': the state does not fit" in line
    assert (
        command("convert", tiny("depth"), f"--input={folder}", f"--workdir={tmp_path / 'x'}", "--parts=encoder,pose")[0]
        == 0
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--input={folder}",), "cli.convert --input needs --config=FILE and --workdir=DIR"),
        (("--output=x.safetensors",), "cli.convert --output needs --checkpoint=DIR"),
        ((), "needs --config, --input and --workdir, or --checkpoint and --output"),
        (("--checkpoint={folder}", "--output=x.pth"), "--output=x.pth: expected a file ending in .safetensors"),
        (("{tiny}", "--input=nowhere.pth", "--workdir=x"), "nowhere.pth: no such file; correct --input"),
        (("{tiny}", "--input=nowhere", "--workdir=x"), "no checkpoint in .*/nowhere"),
        (("{tiny}", "--input=hf://timm/model.pth", "--workdir=x"), "expected hf://org/name/file with one of"),
        (
            ("{tiny}", "--input={folder}", "--workdir=x", "--parts=encodr"),
            "the network has no 'encodr'; depth_decoder, encoder, pose",
        ),
        (("{tiny}", "--input={folder}", "--workdir=x", "--ignore=("), "--ignore=\\( is no regular expression"),
    ],
)
def test_bad_flags(refused, tiny, folder, flags, message):
    flags = [flag.format(folder=folder, tiny=tiny("depth")) for flag in flags]
    assert re.search(message, refused("convert", *flags))
    assert not pathlib.Path("x").exists()


def test_a_workdir_is_not_overwritten(refused, tiny, folder, runs):
    before = sorted(p.name for p in (runs / "depth" / "checkpoints").iterdir())
    line = refused("convert", tiny("depth"), f"--input={folder}", f"--workdir={runs / 'depth'}")
    assert "holds a checkpoint already; choose another, or delete that folder" in line
    assert sorted(p.name for p in (runs / "depth" / "checkpoints").iterdir()) == before
    line = refused("convert", tiny("depth"), f"--input={runs / 'depth'}", f"--workdir={runs / 'depth'}")
    assert "is a checkpoint of ours already; give it as --config.model.init" in line


# sources, before any work


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("transfer=('encoder from imagnet',)",), "'imagnet' is no key of config.sources; did you mean 'imagenet'"),
        (("transfer=('encoder',)",), "'encoder' has no source: set model.init or write 'from SOURCE'"),
        (("transfer=('pose from imagenet',)",), "the network has no 'pose'; parts: encoder, segmentation"),
        (("transfer=('encoder of imagenet',)",), "expected 'TARGET \\[<- MODULE\\] \\[from SOURCE\\]'"),
        (("init=nowhere.pth",), "nowhere.pth: no such file; correct --config.model.init"),
        (("init=hf://timm",), "--config.model.init=hf://timm: expected hf://org/name/file"),
        (("init=hf://a/b/c.pth", "transfer=('encoder', 'encoder from imagenet')"), "both start 'encoder'"),
    ],
)
def test_rules_are_checked_before_any_work(refused, tiny, tmp_path, flags, message):
    data = f"--config.data.prepared_dir={tmp_path / 'data'}"
    flags = [f"--config.model.{flag}" for flag in flags]
    assert re.search(message, refused("train", tiny("supervised"), f"--workdir={tmp_path / 'run'}", data, *flags))
    assert not any(tmp_path.iterdir())


def test_an_unreachable_hub_names_the_manual_way(tiny, tmp_path):
    # a process of its own: the library loads its parts lazily, and nothing must rely on another test's imports
    flags = [tiny("depth"), "--input=hf://timm/resnet18/model.safetensors", f"--workdir={tmp_path / 'out'}"]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "sde_seg_jax.cli.convert", *flags]
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: hf://timm/resnet18/model.safetensors cannot be fetched (")
    assert "open https://huggingface.co/timm/resnet18/resolve/main/model.safetensors in a browser" in line
    assert line.endswith("save the file, and give --input=FILE")
    assert "Traceback" not in done.stderr


def test_a_file_of_the_hub_is_read_as_any_other(monkeypatch, folder):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repository, file: str(folder / file))
    found = sources.open_source("hf://org/name/encoder.safetensors", "--input")
    assert {name.split(".")[1] for name in found.weights.state} == {"encoder"}
