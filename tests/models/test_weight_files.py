"""Reading files of published weights: every container under the same names, every bad file refused in one line."""

import collections
import os
import pickle
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from sde_seg_jax.models.weight_files import WeightsError, read_state, read_weights, write_state


def weights(*names):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(2, 3, 1, 1)).astype(np.float32) for name in names}


RESNET = weights("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")
DEPTH = weights("decoder.0.block.0.conv.weight")
POSE = weights("net.0.weight")
JOINT = weights("models.encoder.encoder.conv1.weight", "models.imnet_encoder.encoder.conv1.weight")


@pytest.fixture
def save(tmp_path):
    """save("x.pth", content) writes content as that kind of file and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".safetensors":
            save_file(content, str(path))
        elif path.suffix == ".npz":
            np.savez(path, **content)
        else:
            torch = pytest.importorskip("torch")
            torch.save(tensors(content, torch), path)
        return path

    return write


def tensors(content, torch):
    if isinstance(content, dict):
        return {k: tensors(v, torch) for k, v in content.items()}
    return torch.from_numpy(content) if isinstance(content, np.ndarray) else content


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


KINDS = (".safetensors", ".npz", ".pth", ".pt", ".pkl")


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_read_alike_without_the_classifier(save, kind):
    expected = {f"models.encoder.encoder.{name}": RESNET[name] for name in ("conv1.weight", "layer1.0.conv1.weight")}
    assert_same(read_state(save(f"resnet18{kind}", RESNET)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_joint_model_keeps_its_names_but_for_the_frozen_encoder(save, kind):
    name = "models.encoder.encoder.conv1.weight"
    assert_same(read_state(save(f"joint{kind}", JOINT)), {name: JOINT[name]})


def test_pytorch_is_not_needed_for_safetensors_and_npz(save, monkeypatch):
    files = [save("a.safetensors", DEPTH), save("a.npz", DEPTH)]
    pickled = files[0].with_suffix(".pth")
    pickled.write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, "torch", None)
    for file in files:
        assert_same(read_state(file), {"models.depth.decoder.0.block.0.conv.weight": DEPTH[next(iter(DEPTH))]})
    with pytest.raises(WeightsError, match=r"a.pth: PyTorch is needed .* pip install torch, or convert"):
        read_state(pickled)


def test_checkpoints_of_training_give_the_model_and_the_step(save):
    more = {
        "epoch": 40000,
        "model_state": JOINT,
        "optimizer_state": {"state": {0: {"momentum_buffer": np.zeros(3, np.float32)}}, "param_groups": [{"lr": 0.1}]},
        "scheduler_state": {"milestones": collections.Counter([30000])},
        "best_iou": np.float64(0.5),
    }
    name = "models.encoder.encoder.conv1.weight"
    found = read_weights(save("best_model.pkl", more))
    assert_same(found.state, {name: JOINT[name]})
    assert found.step == 40000
    assert_same(read_state(save("other.pth", {"state_dict": JOINT, "lr": 0.1})), {name: JOINT[name]})


def test_the_prefix_of_parallel_training_is_taken_off(save):
    found = read_state(save("x.npz", {f"module.{name}": value for name, value in JOINT.items()}))
    assert list(found) == ["models.encoder.encoder.conv1.weight"]


def test_sizes_beside_the_tensors_of_an_encoder_are_no_weights(save):
    content = {"encoder.conv1.weight": RESNET["conv1.weight"], "height": 192, "width": 640, "use_stereo": False}
    assert list(read_state(save("encoder.pth", content))) == ["models.encoder.encoder.conv1.weight"]


def test_half_and_double_precision_become_single(save):
    for dtype in (np.float16, np.float64):
        found = read_state(save("x.npz", {name: value.astype(dtype) for name, value in DEPTH.items()}))
        assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}


def test_bfloat16_becomes_single(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"net.0.weight": torch.full((2,), 1.5, dtype=torch.bfloat16)}, tmp_path / "pose.pth")
    found = read_state(tmp_path / "pose.pth")
    np.testing.assert_array_equal(found["models.pose.net.0.weight"], np.full(2, 1.5, np.float32), strict=True)


def test_written_weights_are_read_back_bit_for_bit(tmp_path):
    state = {
        "models.pose.net.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "models.x.num": np.zeros((), np.int64),
    }
    write_state(tmp_path / "folder" / "out.safetensors", state, step=7)
    found = read_weights(tmp_path / "folder" / "out.safetensors")
    assert_same(found.state, state)
    assert found.step == 7


# folders


@pytest.mark.parametrize("kind", [".safetensors", ".pth"])
def test_a_folder_of_parts(save, tmp_path, kind):
    encoder = {f"encoder.{name}": value for name, value in RESNET.items()}
    for name, content in (("encoder", encoder), ("depth", DEPTH), ("pose_encoder", encoder), ("pose", POSE)):
        save(f"set/{name}{kind}", content)
    save("set/adam.pth", {"state": {}})  # not read
    assert sorted(read_state(tmp_path / "set")) == [
        "models.depth.decoder.0.block.0.conv.weight",
        "models.encoder.encoder.conv1.weight",
        "models.encoder.encoder.layer1.0.conv1.weight",
        "models.pose.net.0.weight",
        "models.pose_encoder.encoder.conv1.weight",
        "models.pose_encoder.encoder.layer1.0.conv1.weight",
    ]


@pytest.mark.parametrize("name", ["best_model.pkl", "best_model_without_opt.pkl"])
def test_a_folder_with_a_joint_model(save, tmp_path, name):
    save("folder/depth.npz", DEPTH)
    save(f"folder/{name}", {"epoch": 3, "model_state": JOINT})
    found = read_weights(tmp_path / "folder")
    assert list(found.state) == ["models.encoder.encoder.conv1.weight"]
    assert found.step == 3


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(WeightsError, match=r"holds neither a checkpoint nor any of best_model.pkl, .*encoder.pth"):
        read_state(tmp_path)


# bad files


class Executes:
    def __reduce__(self):
        return os.system, ("echo it ran code >&2",)


HTML = b"\n<!DOCTYPE html><html><body>Not found</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HTML, r"is a web page, not weights \(a dead or guarded link\); get the file again"),
        (POINTER, "is a git-lfs pointer, not the weights; run 'git lfs pull'"),
        (b"", "is empty; get the file again"),
        (b"\x00garbage" * 100, "is damaged or not what its name says .*; get the file again"),
    ],
)
def test_what_is_no_weights_file(tmp_path, kind, content, message):
    if kind in (".pth", ".pt", ".pkl"):
        pytest.importorskip("torch")
    path = tmp_path / f"resnet18{kind}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as error:
        read_state(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file(save, kind):
    path = save(f"x{kind}", RESNET)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsError, match=r"is cut short; get the file again|is damaged .*; get the file again"):
        read_state(path)


@pytest.mark.parametrize("kind", [".pth", ".pkl"])
def test_code_in_a_pickle_is_not_run(save, kind, capfd):
    path = save(f"x{kind}", {"conv1.weight": Executes()})
    with pytest.raises(WeightsError, match=r"would run code when read \(posix.system\) and is refused"):
        read_state(path)
    assert "it ran code" not in capfd.readouterr().err


def test_files_of_old_pytorch_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(tensors(POSE, torch), tmp_path / "pose.pth", _use_new_zipfile_serialization=False)
    assert_same(read_state(tmp_path / "pose.pth"), {"models.pose.net.0.weight": POSE["net.0.weight"]})


def test_code_in_a_plain_pickle_is_not_run(tmp_path, capfd):
    pytest.importorskip("torch")
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"conv1.weight": Executes()}))
    with pytest.raises(WeightsError, match="is a plain pickle, which can run code when read, and is refused: save"):
        read_state(path)
    assert "it ran code" not in capfd.readouterr().err


def test_pickled_arrays_in_npz_are_not_read(tmp_path, capfd):
    np.savez(tmp_path / "x.npz", a=np.array([Executes()], dtype=object))
    with pytest.raises(WeightsError, match="is damaged or not what its name says"):
        read_state(tmp_path / "x.npz")
    assert "it ran code" not in capfd.readouterr().err


def test_a_file_without_any_tensor(save):
    with pytest.raises(WeightsError, match="holds no tensor; save a network's state_dict"):
        read_state(save("x.pth", {"height": 3, "epoch": 1}))
    with pytest.raises(WeightsError, match="holds a list, no tensors by name"):
        read_state(save("x.pt", [1, 2]))
    with pytest.raises(WeightsError, match=r"'args' is no tensor but str; save a state_dict\(\) alone"):
        read_state(save("y.pth", {"args": "--lr"}))


def test_a_missing_file_and_an_unknown_kind(tmp_path):
    with pytest.raises(WeightsError, match=r"x.pth: no such file or folder; check the path"):
        read_state(tmp_path / "x.pth")
    (tmp_path / "x.onnx").write_bytes(b"1")
    with pytest.raises(WeightsError, match=r"unknown kind of weights file '.onnx'; known: .safetensors, .npz, .pth"):
        read_state(tmp_path / "x.onnx")
