"""Maps of depth from other programs: every format, what the values mean, and what cannot be one."""

import cv2
import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.data.raw_files import depth_maps

DEPTH = np.linspace(2, 50, 6 * 8, dtype=np.float32).reshape(6, 8)[::-1]  # near at the bottom


def write(path, values=DEPTH):
    kind = path.suffix
    if kind == ".npy":
        np.save(path, values)
    elif kind == ".npz":
        np.savez(path, values)
    elif kind == ".pfm":
        cv2.imwrite(str(path), values)
    else:
        Image.fromarray((values * 100).astype(np.uint16)).save(path)
    return path


@pytest.mark.parametrize("kind", depth_maps.SUFFIXES)
def test_every_format_gives_the_values_back_the_right_way_up(tmp_path, kind):
    found = depth_maps.read(write(tmp_path / f"a{kind}"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.floor(DEPTH * 100) if kind == ".png" else DEPTH, rtol=1e-6)


def test_an_axis_of_one_channel_is_dropped(tmp_path):
    for values in (DEPTH[..., None], DEPTH[None]):
        np.testing.assert_array_equal(depth_maps.read(write(tmp_path / "a.npy", values)), DEPTH)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.npy", lambda p: np.save(p, np.zeros((4, 5, 3))), r"holds float64 \[4, 5, 3\]; expected one number a pixel"),
        ("a.npy", lambda p: p.write_bytes(b"\x93NUMPY"), "cannot read"),
        ("a.npy", lambda p: np.save(p, np.array([{}]), allow_pickle=True), "cannot read"),
        ("a.npz", lambda p: np.savez(p, a=DEPTH, b=DEPTH), r"holds 2 arrays \(a, b\)"),
        ("a.png", lambda p: Image.fromarray(np.zeros((4, 5), np.uint8)).save(p), "8 bits a channel"),
        ("a.pfm", lambda p: p.write_bytes(b"Pf\n3 3\n"), "no PFM file"),
    ],
)
def test_what_is_no_map_is_refused_by_name(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=message) as error:
        depth_maps.read(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_maps_are_found_by_the_samples_names(tmp_path):
    (tmp_path / "drive").mkdir()
    write(tmp_path / "drive" / "1.npy")
    write(tmp_path / "drive" / "2_depth.png")
    found = depth_maps.find(tmp_path, ["drive/1", "drive/2", "drive/3"])
    assert {name: path.name for name, path in found.items()} == {"drive/1": "1.npy", "drive/2": "2_depth.png"}
    write(tmp_path / "drive" / "1.pfm")
    with pytest.raises(ValueError, match=r"sample 'drive/1' has two maps"):
        depth_maps.find(tmp_path, ["drive/1"])


@pytest.mark.parametrize(
    ("kind", "near", "expected"),
    [
        ("depth", 1.0, [None, 1, 0.5, 0.25, None, None]),
        ("inverse", 0.2, [None, 0.1, 0.4, 0.8, None, None]),
        ("disparity", 9, [0, 0.125, 0.5, 1, None, None]),
    ],
)
def test_what_the_values_mean(kind, near, expected):
    values = np.array([[0, 0.5, 2, 4, np.inf, np.nan]], np.float32)
    found = depth_maps.disparity(depth_maps.nearness(values, kind), kind, near)
    np.testing.assert_allclose(found, [[np.nan if x is None else x for x in expected]], rtol=1e-6)
