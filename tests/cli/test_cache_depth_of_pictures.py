"""Labeled pictures are no video: a depth run on other data caches their disparities (cli.cache_depth --source)."""

import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import trees

from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.experiment import build
from sde_seg_jax.experiment.prediction import predictor as predictors

pytestmark = pytest.mark.whole
ROWS = pathlib.Path(__file__).resolve().parents[2] / "configs/paper/ssda.py"
LEVEL = 1 / 65535


@pytest.mark.parametrize(("name", "count"), [("gta5", 5), ("synthia", 4)])
def test_a_depth_run_on_street_scenes_caches_the_disparities_of_pictures(command, runs, tmp_path, name, count):
    prepared = tmp_path / "prepared"
    flags = (
        *(f"--config={ROWS}:cross_intra,source={name}", "--source", f"--checkpoint={runs / 'depth'}"),
        *(f"--config.source_data.raw_dir={trees.write(name, tmp_path / 'raw')}", "--config.source_data.size=(64,64)"),
        f"--config.source_data.prepared_dir={prepared}",
    )
    status, out, err = command("cache_depth", *flags)
    assert status == 0, err
    assert out.splitlines()[-1] == "train with --config.source_data.depth_cache=depth"
    trained = build.load_trained(str(runs / "depth"))
    predict = predictors.disparity_predictor(trained.network)
    source = open_source(name, prepared, "train", "depth")
    assert len(source) == count
    for index in range(count):
        found = source.read(index)
        expected = np.asarray(predict(trained.variables, found["image"][None]))[0]
        # Two devices, other batches: float32 convolutions differ in the last bits, 1e-6 is a tenth of a level
        assert np.abs(found["disparity"] + 0.5 * LEVEL - expected).max() < 0.5 * LEVEL + 1e-6
