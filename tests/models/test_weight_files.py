"""Reading files of published weights: every container under the same names, every bad file refused in one line."""

import collections
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from sde_seg_jax.models import torch_files, weight_readers
from sde_seg_jax.models.weight_files import WeightsError, holds_weights, read_state, read_weights, write_state


def weights(*names):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(2, 3, 1, 1)).astype(np.float32) for name in names}


RESNET = weights("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")
DEPTH = weights("decoder.0.block.0.conv.weight")
POSE = weights("net.0.weight")
NEEDED = r"x.pth holds a (tensor of|\w+Storage).* which PyTorch is needed for: pip install torch"
JOINT = weights("models.encoder.encoder.conv1.weight", "models.imnet_encoder.encoder.conv1.weight")


@pytest.fixture(autouse=True, params=["PyTorch", "no PyTorch"])
def reader(request, monkeypatch):
    """Every test once by PyTorch's own reader and once without PyTorch."""
    if request.param == "no PyTorch":
        monkeypatch.setattr(weight_readers, "_load", lambda path: (torch_files.load(path), np.ndarray))
    return request.param


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


@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_is_not_needed(save, kind, monkeypatch):
    path = save(f"depth{kind}", DEPTH)
    monkeypatch.undo()  # with the reader that the package chooses
    monkeypatch.setitem(sys.modules, "torch", None)
    assert_same(read_state(path), {"models.depth.decoder.0.block.0.conv.weight": DEPTH[next(iter(DEPTH))]})


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


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.module.", "model."])
@pytest.mark.parametrize("names", [RESNET, JOINT], ids=["resnet", "joint"])
def test_prefixes_of_wrappers_are_taken_off_in_any_order(save, prefix, names):
    expected = read_state(save("plain.npz", names))
    assert_same(read_state(save("wrapped.npz", {prefix + name: value for name, value in names.items()})), expected)


def test_wrappers_of_inner_modules_are_taken_off_and_a_shared_first_part_if_names_are_known_then(save):
    inner = weights("models.encoder._orig_mod.encoder.module.conv1.weight")
    assert list(read_state(save("x.npz", inner))) == ["models.encoder.encoder.conv1.weight"]
    shared = weights("student.backbone.conv1.weight", "student.backbone.layer1.0.conv1.weight")
    assert next(iter(read_state(save("x.npz", shared)))) == "models.encoder.encoder.conv1.weight"
    unknown = weights("head.0.weight", "head.1.weight")
    assert list(read_state(save("x.npz", unknown))) == list(unknown)


def test_one_parameter_under_two_names_is_refused(save):
    names = weights("conv1.weight", "module.conv1.weight")
    with pytest.raises(WeightsError, match=r"holds 'models.encoder.encoder.conv1.weight' twice, under other prefixes"):
        read_state(save("x.npz", names))


CONTAINED = [
    *({key: JOINT} for key in ("model", "state_dict", "model_state_dict", "model_state", "module", "network")),
    {"model": {"state_dict": JOINT}, "epoch": 3, "optimizer": {"lr": 0.1}},
    {"state_dict": {f"module.{name}": value for name, value in JOINT.items()}, "arch": "resnet18"},
]


@pytest.mark.parametrize("kind", [".pth.tar", ".bin", ".ckpt", ".pth"])
@pytest.mark.parametrize("content", CONTAINED, ids=str)
def test_containers_under_any_key_in_files_of_any_name(save, kind, content):
    name = "models.encoder.encoder.conv1.weight"
    assert_same(read_state(save(f"x{kind}", content)), {name: JOINT[name]})


def test_the_name_of_a_part_counts_without_all_of_its_suffix(save):
    assert next(iter(read_state(save("pose_encoder.pth.tar", RESNET)))) == "models.pose_encoder.encoder.conv1.weight"


@pytest.mark.parametrize("epoch", ["3", None, float("nan"), -1, 10**30, [1], 1.5])
def test_an_epoch_that_is_no_count_is_none(save, epoch):
    assert read_weights(save("x.pth", {"epoch": epoch, "model": JOINT})).step == (1 if epoch == 1.5 else 0)


# files in parts


def in_parts(folder, state, kind=".safetensors"):
    folder.mkdir(exist_ok=True)
    names = list(state)
    files = {name: f"model-0000{1 + (i > 0)}-of-00002{kind}" for i, name in enumerate(names)}
    for file in set(files.values()):
        part = {name: value for name, value in state.items() if files[name] == file}
        if kind == ".safetensors":
            save_file(part, str(folder / file))
        else:
            torch = pytest.importorskip("torch")
            torch.save(tensors(part, torch), folder / file)
    index = folder / ("model.safetensors.index.json" if kind == ".safetensors" else "pytorch_model.bin.index.json")
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": files}))
    return index


@pytest.mark.parametrize("kind", [".safetensors", ".bin"])
def test_a_state_in_several_files_is_read_by_its_index_or_folder(save, tmp_path, kind):
    index, whole = in_parts(tmp_path / "hub", RESNET, kind), read_state(save("x.npz", RESNET))
    assert_same(read_state(index), whole)
    assert_same(read_state(tmp_path / "hub"), whole)
    assert holds_weights(tmp_path / "hub")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: (index.parent / "model-00002-of-00002.safetensors").unlink(), "lacks its part 'model-00002-of"),
        (lambda index: index.write_text("[]"), "is no index of weights"),
        (lambda index: index.write_text("[" * 10**5), "is no index of weights"),
        (lambda index: index.write_text('{"weight_map": {"a": 3}}'), "is no index of weights"),
        (lambda index: index.write_text('{"weight_map": {"a": "../x.safetensors"}}'), "is no name of a file beside it"),
        (lambda index: index.write_text('{"weight_map": {"a": "x.exe"}}'), "names 'x.exe', no file of weights"),
        (
            lambda index: index.write_text(json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})),
            "model-00001-of-00002.safetensors lacks 'a', which model.safetensors.index.json says it holds",
        ),
    ],
)
def test_an_index_that_does_not_fit_its_parts_is_told(tmp_path, change, message):
    index = in_parts(tmp_path / "hub", RESNET)
    change(index)
    with pytest.raises(WeightsError, match=message) as error:
        read_state(index)
    assert str(tmp_path) in str(error.value)


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


def npz(path, **entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def array_bytes(header):
    header = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\x00" * 24


@pytest.mark.parametrize(
    "content",
    [
        b"no array",
        array_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 99999)}"),  # MemoryError
        array_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (3, }"),  # SyntaxError
        array_bytes("{'descr': '<f4, 'fortran_order': \\\"\"\" (3,)}"),  # TokenError
        array_bytes("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}"),
        array_bytes("{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}"),
        array_bytes("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3,)}"),
    ],
)
@pytest.mark.parametrize("name", ["conv1.weight.npy", "conv1.weight", "readme.txt"])
def test_entries_of_npz_that_are_no_usable_arrays(tmp_path, content, name):
    path = npz(tmp_path / "x.npz", **{name: content})
    with pytest.raises(WeightsError) as error:
        read_state(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_npz_packed_in_an_unknown_way(save):
    path = save("x.npz", DEPTH)
    content = path.read_bytes()
    for start in (content.index(b"PK\x03\x04") + 8, content.index(b"PK\x01\x02") + 10):
        content = content[:start] + (97).to_bytes(2, "little") + content[start + 2 :]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"x.npz is damaged or not what its name says \(That compression method"):
        read_state(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: t.ones(3).to_sparse(), "is stored as sparse_coo, which cannot be used; save tensor.to_dense"),
        (lambda t: t.ones(3, 3).to_sparse_csr(), "is stored as sparse_csr, which cannot be used; save tensor.to_dense"),
        (lambda t: t.ones(3).to(t.float8_e4m3fn), "is of kind float8_e4m3fn, which cannot be used; save it as float32"),
        (lambda t: t.ones(3).to(t.float8_e5m2), "is of kind float8_e5m2, which cannot be used; save it as float32"),
        (lambda t: t.ones(3, dtype=t.complex64), "is of kind complex64, which cannot be used; save it as float32"),
        (lambda t: t.ones(3, device="meta"), "is without values, which cannot be used; save the network after"),
        (lambda t: t.quantize_per_tensor(t.ones(3), 0.1, 0, t.qint8), r"is quantised, .*; save tensor.dequantize\(\)"),
    ],
)
@pytest.mark.parametrize("container", [None, "state_dict"])
@pytest.mark.filterwarnings("ignore")  # making them is deprecated
def test_tensors_that_are_no_plain_numbers(tmp_path, make, message, container, reader):
    torch = pytest.importorskip("torch")
    content = {"net.0.weight": make(torch)}
    torch.save({container: content} if container else content, tmp_path / "x.pth")
    expected = f"x.pth: 'net.0.weight' {message}" if reader == "PyTorch" else NEEDED
    with pytest.raises(WeightsError, match=expected):
        read_state(tmp_path / "x.pth")


def test_safetensors_of_eight_bits(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_tensors

    save_tensors({"net.0.weight": torch.ones(3).to(torch.float8_e4m3fn)}, str(tmp_path / "x.safetensors"))
    with pytest.raises(WeightsError, match=r"x.safetensors: 'net.0.weight' is of kind F8_E4M3, which cannot be used"):
        read_state(tmp_path / "x.safetensors")


MUTATIONS = 240


def mutated(content, draw):
    """A file with a few bytes turned, a piece cut out, doubled or zeroed, or its end lost."""
    content = bytearray(content)
    begin, end = sorted(int(n) for n in draw.integers(len(content) + 1, size=2))
    match draw.integers(5):
        case 0:
            for place in draw.integers(len(content), size=draw.integers(1, 9)):
                content[place] ^= 1 << draw.integers(8)
        case 1:
            del content[begin : min(end, begin + 40)]
        case 2:
            content[begin:begin] = content[begin : begin + 40]
        case 3:
            content[begin : begin + 30] = bytes(len(content[begin : begin + 30]))
        case _:
            del content[begin:]
    return bytes(content)


def test_whatever_happened_to_a_file_there_are_weights_or_one_line(save, tmp_path, capfd):
    torch = pytest.importorskip("torch")
    small = {"net.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "net.1.bias": np.ones(2, np.float16)}
    files = [save("a.safetensors", small), save("b.npz", small), save("c.pth", {"model": small, "epoch": 2})]
    np.savez_compressed(tmp_path / "d.npz", **small)
    torch.save(tensors(small, torch), tmp_path / "e.pth.tar", _use_new_zipfile_serialization=False)
    files += [tmp_path / "d.npz", tmp_path / "e.pth.tar", in_parts(tmp_path / "hub", small)]
    whole, draw, lines = {path: path.read_bytes() for path in files}, np.random.default_rng(18), []
    for number in range(MUTATIONS):
        path = files[number % len(files)]
        path.write_bytes(mutated(whole[path], draw))
        try:
            found = read_weights(path)
        except WeightsError as error:
            lines.append(str(error))
        else:
            assert all(value.dtype.kind in "fiub" for value in found.state.values())
        path.write_bytes(whole[path])
    assert MUTATIONS / 2 < len(lines) < MUTATIONS
    assert all(str(tmp_path) in line and line.isprintable() for line in lines)
    assert "Traceback" not in "".join(capfd.readouterr())


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
