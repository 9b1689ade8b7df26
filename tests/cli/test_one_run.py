"""What writes into a workdir does so alone."""

import pytest

from sde_seg_jax.experiment.configuration.configure import configure
from sde_seg_jax.experiment.selection.select import select
from sde_seg_jax.experiment.train import train
from sde_seg_jax.training.workdir_lock import Busy, alone


@pytest.mark.parametrize(("work", "row"), [(train, "supervised"), (select, "selection")])
def test_a_second_one_ends_before_it_touches_anything(tmp_path, work, row):
    changes = {"select.criterion": "random"} if row == "selection" else {}
    config = configure(f"tests/tiny/config.py:{row}", {"data.prepared_dir": tmp_path / "prepared", **changes})
    left = tmp_path / "run" / "checkpoints" / "2.orbax-checkpoint-tmp"  # what the first one is writing
    left.mkdir(parents=True)
    with alone(tmp_path / "run"), pytest.raises(Busy, match="is in use by process"):
        work(config, str(tmp_path / "run"))
    assert left.is_dir()
    assert not (tmp_path / "prepared").exists()
