"""A transformer with DPT, without batch norm, trains, transfers, mixes and exchanges as the published network does."""

import json

import jax
import numpy as np
import pytest

from sde_seg_jax.training.checkpoints import read

pytestmark = pytest.mark.slow

VIT = (
    "--config.model.encoder=dinov2_vits14",
    "--config.model.width=4",
    "--config.model.encoder_options.blocks=4",
    "--config.model.encoder_options.grid=4",
    "--config.model.encoder_options.drop_path=0.2",
    "--config.model.decoder=dpt",
    "--config.model.decoder_options.features=8",
    "--config.model.decoder_options.reassembled=(4,6,8,12)",
    "--config.model.decoder_options.hidden=4",
    "--config.data.size=(56,84)",
    "--config.data.crop=(56,56)",
)


def test_depth_starts_segmentation_and_both_together(command, tiny, tmp_path):
    flags = (*VIT, f"--config.data.prepared_dir={tmp_path / 'prepared'}")

    def train(row, *more):
        status, out, err = command("train", tiny(row), *flags, f"--workdir={tmp_path / row}", *more)
        assert status == 0, err
        return out

    train("depth")
    out = train("semi_supervised")
    assert "segmentation/decoder  depth_decoder from model.init  copied" in out
    workdir = str(tmp_path / "semi_supervised")
    begun = read(workdir, "student").parts["student"]
    assert not begun.get("batch_stats"), "nothing has statistics but the pose network"
    assert read(workdir, "teacher").parts["teacher"]["params"]
    train("semi_supervised", "--config.train.steps=6")
    after = read(workdir, "student")
    assert after.step == 6
    moved = jax.tree.map(
        lambda a, b: bool(np.any(np.asarray(a) != np.asarray(b))),
        begun["params"]["encoder"],
        after.parts["student"]["params"]["encoder"],
    )
    assert all(jax.tree.leaves(moved))
    train("multitask")
    lines = (tmp_path / "multitask" / "metrics.jsonl").read_text().splitlines()
    assert all(np.isfinite(value) for line in lines for value in json.loads(line).values() if isinstance(value, float))
    status, out, err = command("evaluate", f"--checkpoint={tmp_path / 'multitask'}")
    assert status == 0, err
    assert "mIoU" in out
