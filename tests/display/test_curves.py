import io
import json

import numpy as np
import pytest
from PIL import Image

from sde_seg_jax.display.curves import curves, read_series, smooth


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_series_are_sorted_and_a_repeated_step_keeps_its_last_value(tmp_path):
    records = [
        {"step": 2, "loss": 9, "task": "x"},
        {"step": 1, "loss": 2.5},
        {"step": 2, "loss": 1.5},
    ]
    series = read_series(write(tmp_path / "m.jsonl", records))
    assert list(series) == ["loss"]
    np.testing.assert_array_equal(series["loss"], ([1, 2], [2.5, 1.5]))


def test_a_cut_off_last_line_is_dropped_but_a_broken_one_inside_is_an_error(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo')
    assert read_series(path)["loss"][0].tolist() == [1]
    path.write_text('{"step": 1, "lo\n{"step": 2, "loss": 2}\n')
    with pytest.raises(ValueError, match="line 1 of"):
        read_series(path)


def test_missing_and_empty_files_have_no_series(tmp_path):
    assert read_series(tmp_path / "none.jsonl") == {}
    assert read_series(write(tmp_path / "m.jsonl", [])) == {}


def test_null_is_a_value_that_was_not_finite(tmp_path):
    series = read_series(write(tmp_path / "m.jsonl", [{"step": 1, "loss": None}, {"step": 2, "loss": 1}]))
    np.testing.assert_array_equal(series["loss"][1], [np.nan, 1.0])


def test_smoothing_starts_unbiased_and_skips_what_is_not_finite():
    values = smooth(np.array([4.0, np.nan, 4.0, np.inf, 4.0]), window=10)
    np.testing.assert_allclose(values[[0, 2, 4]], 4.0, rtol=1e-15)
    assert np.isnan(values[[1, 3]]).all()


def test_window_one_is_no_smoothing():
    np.testing.assert_array_equal(smooth(np.array([1.0, 5.0]), window=1), [1.0, 5.0])


def test_curves_survive_nan_empty_and_missing_keys(tmp_path):
    losses = [{"step": i, "loss": float("nan") if i == 7 else 100 / (i + 1)} for i in range(60)]
    validation = [{"step": 50, "val/abs_rel": 0.3, "val/constant_abs_rel": 0.4, "val/miou": float("nan")}]
    files = {
        "a $x": write(tmp_path / "a.jsonl", losses + validation),
        "b": [write(tmp_path / "b.jsonl", []), tmp_path / "none.jsonl"],
    }
    assert len(np.unique(pixels(curves(files, dpi=40)).reshape(-1, 3), axis=0)) > 20


def test_a_placeholder_stands_for_nothing_recorded(tmp_path):
    picture = pixels(curves({"run": tmp_path / "none.jsonl"}, dpi=60))
    assert picture.min() < 160  # it carries text


def test_every_recorded_key_has_a_panel(tmp_path):
    files = {"a": write(tmp_path / "a.jsonl", [{"step": 1, "loss": 1.0, "x": 2.0, "y": 3.0}])}
    one, three = (pixels(curves(files, keys, dpi=40)).shape for keys in (["loss"], ["loss", "x", "y"]))
    assert three[0] == 2 * one[0]
    assert three[1] > 1.8 * one[1]
