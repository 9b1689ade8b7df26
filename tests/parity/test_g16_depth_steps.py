"""Whole steps of self-supervised depth, with a frozen encoder and with the feature distance, as published."""

import jax.numpy as jnp
import pytest
from golden import recordings
from step_comparison import assert_same_updates, assert_updates

from sde_seg_jax.geometry import camera
from sde_seg_jax.tasks import depth
from sde_seg_jax.types import Streams


@pytest.mark.whole
@pytest.mark.parametrize("rec", recordings("g16_step_sde"))
def test_two_updates(rec, monkeypatch):
    def task(run):
        # The recorded K^-1 is a rounded pseudo-inverse (Q2), which float64 tells from ours, the exact one.
        inverse = jnp.asarray(rec.input("inv_K", run.dtype)[:, :3, :3])
        monkeypatch.setattr(camera, "inverse_matrix", lambda intrinsics: inverse)
        loss = depth.make_loss(run.network, losses=run.losses(), tie_break=0.0, jitter=0.0)
        return loss, lambda number: Streams(unlabeled=run.batch(f"l{number}"))

    assert_updates(rec, task, assert_same_updates)
