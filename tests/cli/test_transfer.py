"""Copying modules of one network into another, by rules."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.cli.build import transfer
from sde_seg_jax.cli.config import UsageError
from sde_seg_jax.training.checkpoints import CheckpointError
from sde_seg_jax.types import Variables


def ours():
    params = {
        "encoder": {"conv": {"kernel": jnp.zeros((3, 4))}},
        "segmentation": {"decoder": {"level": jnp.zeros(5), "bn": jnp.zeros(2)}, "head": jnp.zeros(7)},
    }
    stats = {"encoder": {"conv": {"mean": jnp.zeros(4)}}, "segmentation": {"decoder": {"bn": {"mean": jnp.zeros(2)}}}}
    return Variables(params, stats)


def theirs():
    params = {
        "encoder": {"conv": {"kernel": np.full((3, 4), 1.0, np.float32)}},
        "depth_decoder": {
            "level": np.full(5, 2.0, np.float32),
            "bn": np.full(2, 3.0, np.float32),
            "disparity": np.full(9, 4.0, np.float32),  # stays behind
        },
        "pose": np.ones(3, np.float32),
    }
    stats = {
        "encoder": {"conv": {"mean": np.full(4, 5.0, np.float32)}},
        "depth_decoder": {"bn": {"mean": np.full(2, 6.0, np.float32)}},
    }
    return Variables(params, stats)


def test_modules_are_copied_with_their_statistics_the_rest_stays_fresh():
    found, table = transfer(ours(), theirs(), ("encoder", "segmentation/decoder <- depth_decoder"))
    np.testing.assert_array_equal(found.params["encoder"]["conv"]["kernel"], 1)
    np.testing.assert_array_equal(found.params["segmentation"]["decoder"]["level"], 2)
    np.testing.assert_array_equal(found.params["segmentation"]["decoder"]["bn"], 3)
    np.testing.assert_array_equal(found.params["segmentation"]["head"], 0)
    np.testing.assert_array_equal(found.batch_stats["encoder"]["conv"]["mean"], 5)
    np.testing.assert_array_equal(found.batch_stats["segmentation"]["decoder"]["bn"]["mean"], 6)
    assert table == [
        {"module": "encoder", "source": "encoder", "copied": 12, "fresh": 0},
        {"module": "segmentation/decoder", "source": "depth_decoder", "copied": 7, "fresh": 0},
        {"module": "segmentation", "source": "random", "copied": 0, "fresh": 7},
    ]


def test_the_table_counts_every_parameter_once():
    _, table = transfer(ours(), theirs(), ("encoder",))
    assert sum(row["copied"] + row["fresh"] for row in table) == 12 + 5 + 2 + 7


def test_a_module_that_the_network_lacks_is_an_error():
    with pytest.raises(UsageError, match=r"'enc': the network has no 'enc'; parts: encoder, encoder/conv, segm"):
        transfer(ours(), theirs(), ("enc",))


def test_a_module_that_the_checkpoint_lacks_is_an_error():
    with pytest.raises(CheckpointError, match=r"segmentation/decoder/bn: missing in the checkpoint"):
        transfer(ours(), theirs(), ("segmentation/decoder",))


def test_another_shape_is_an_error():
    source = theirs()
    source.params["encoder"]["conv"]["kernel"] = np.zeros((3, 8), np.float32)
    with pytest.raises(CheckpointError, match=r"encoder/conv/kernel: \(3, 8\) in the checkpoint, \(3, 4\) expected"):
        transfer(ours(), source, ("encoder",))
