"""Depth in somebody else's files becomes the cache that rows mix by, and the table of these rows is asked for."""

import foreign_depth
import numpy as np
import pytest

from sde_seg_jax.data.reading.source import open_source
from sde_seg_jax.experiment.config import load_config


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The command line of the table that the benchmark runs in an empty folder at toy size; nothing is trained."""
    commands, run = [], foreign_depth.run

    def instead(main, argv, **options):
        commands.append(argv)
        return 0 if main is foreign_depth.table.main else run(main, argv, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(foreign_depth, "run", instead)
    monkeypatch.setattr("sys.argv", ["foreign_depth.py", "--workdir=runs", "--size=toy", "--seeds=42"])
    assert foreign_depth.main() == 0
    return commands[-1]


def test_rows_mix_by_the_depth_in_the_files(asked):
    assert "--rows=vit_unimatch,vit_depthmix,vit_depthmix_files" in asked
    assert "--config=streets_modern:size=toy" in asked
    data = load_config("streets_modern", "vit_depthmix_files,size=toy").data
    source = open_source(data.dataset, data.prepared_dir, "train", data.depth_cache)
    for index in (0, len(source) - 1):
        sample = source.read(index, ("depth", "disparity"))
        depth = sample["depth"]
        expected = np.where(depth > 0, np.clip(foreign_depth.NEAR / np.maximum(depth, 1e-6), 0, 1), 0)
        assert (depth > 0).any()
        np.testing.assert_allclose(sample["disparity"], expected, rtol=0, atol=1e-4)  # 16 bits; 1/512 m of depth
