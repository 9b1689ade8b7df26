"""PyTorch's files read without it: what torch.load gives, in both layouts."""

import collections
import pickle
import zipfile

import numpy as np
import pytest

from sde_seg_jax.models import torch_files

torch = pytest.importorskip("torch")
LAYOUTS = pytest.mark.parametrize("archive", [True, False], ids=["archive", "row of pickles"])


def contents():
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = collections.OrderedDict(whole=base, turned=base.permute(2, 0, 1), part=base[1, 1:, ::2], one=base[1, 2, 3])
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    kinds = (torch.float64, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
    return {
        "state_dict": state,
        "kinds": {str(kind): torch.tensor([1, 0, 3]).to(kind) for kind in kinds},
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "none": torch.zeros(0, 3),
        "best": np.float64(0.75),
        "epoch": 3,
        "shape": torch.Size([2, 3]),
        "list": [1, "two", None, {"three": torch.ones(1)}],
    }


def same(found, expected):
    if isinstance(expected, torch.Tensor):
        np.testing.assert_array_equal(found, expected.detach().numpy(), strict=True)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, list):
        for mine, other in zip(found, expected, strict=True):
            same(mine, other)
    else:
        assert found == expected
        assert not isinstance(found, np.ndarray)


@LAYOUTS
def test_what_pytorch_wrote_is_read_as_it_was(tmp_path, archive):
    torch.save(contents(), tmp_path / "x.pth", _use_new_zipfile_serialization=archive)
    same(torch_files.load(tmp_path / "x.pth"), contents())


@LAYOUTS
def test_sixteen_bits_of_the_other_kind(tmp_path, archive):
    values = torch.tensor([1.5, -3e38, 1e-30]).bfloat16()
    torch.save({"x": values}, tmp_path / "x.pth", _use_new_zipfile_serialization=archive)
    found = torch_files.load(tmp_path / "x.pth")["x"]
    np.testing.assert_array_equal(found.astype(np.float32), values.float().numpy(), strict=True)


@LAYOUTS
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, archive):
    torch.save({"x": torch.ones(4)}, tmp_path / "x.pth", _use_new_zipfile_serialization=archive)
    content = (tmp_path / "x.pth").read_bytes()
    size = b"K\x04\x85"  # the shape (4,) in a pickle
    assert content.count(size) == 1
    (tmp_path / "x.pth").write_bytes(content.replace(size, b"K\x05\x85"))
    with pytest.raises((pickle.UnpicklingError, zipfile.BadZipFile), match=r"larger than its storage|Bad CRC"):
        torch_files.load(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(2, (2, 2), (3, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2, 2), (1,)), (7, (), ())],
)
def test_strides_are_held_to_the_storage(offset, shape, strides):
    storage = np.arange(6, dtype=np.float32)
    np.testing.assert_array_equal(torch_files._tensor(storage, 1, (2, 2), (3, 1)), [[1, 2], [4, 5]])
    with pytest.raises(pickle.UnpicklingError):
        torch_files._tensor(storage, offset, shape, strides)


def test_an_array_of_objects_is_not_made():
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL numpy\.dtype O"):
        torch_files._Kind("O")
