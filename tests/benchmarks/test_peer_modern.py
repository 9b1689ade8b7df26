"""The PyTorch peer of the modern network: its step is ours, and what is timed is what configs/modern.py trains."""

from types import SimpleNamespace

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch_peer
from peer import losses
from peer.modes import MODES
from peer.network import make_network
from peer.tasks import pytorch_optimizer

from sde_seg_jax.experiment.build import build_network
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.losses.ohem import hard_pixels
from sde_seg_jax.training.optimizers import make_optimizer
from sde_seg_jax.types import IGNORE

TASK = "modern_supervised"
TINY = cases.MODERN_SETTINGS["tiny"]


def test_loss_and_gradients_are_ours():
    found = torch_peer.differences(TASK, TINY, "float64")
    assert found.worst() <= 1e-12, found
    layers = {name.split(".")[2] for name in found.gradients if name.startswith("encoder.block_3.")}
    assert layers == {"norm1", "qkv", "proj", "ls1", "norm2", "fc1", "fc2", "ls2"}


@pytest.mark.parametrize("min_kept", [1, 40, 10_000])
def test_the_pixels_that_count_are_ours(min_kept):
    draw = np.random.default_rng(0)
    logits, label = 4 * draw.standard_normal((2, 6, 8, 5)), draw.integers(0, 5, (2, 6, 8))
    label[draw.random(label.shape) < 0.2] = IGNORE
    hard = np.asarray(hard_pixels(jnp.asarray(logits, jnp.float32), jnp.asarray(label), 0.2, min_kept))
    found = losses.hard(torch.tensor(logits).permute(0, 3, 1, 2), torch.tensor(label), 0.2, min_kept)
    np.testing.assert_array_equal(found.numpy(), np.where(hard, label, IGNORE))
    assert hard.sum() < (label != IGNORE).sum() or min_kept == 10_000


def test_updates_are_ours():
    """AdamW with decoupled decay and a rate of the encoder's own."""
    options = {name: value for name, value in cases.KINDS[TASK].optimizer.items() if name != "clip"}
    student = torch.nn.ModuleDict({"encoder": torch.nn.Linear(2, 3), "head": torch.nn.Linear(2, 3)})
    theirs = pytorch_optimizer(SimpleNamespace(student=student, mode=MODES["float64"]), momentum=0.0, **options)
    named = dict(student.named_parameters())
    tree = {
        part: {leaf: jnp.asarray(named[f"{part}.{leaf}"].detach()) for leaf in ("weight", "bias")} for part in student
    }
    ours = make_optimizer(tree, **options, clip=None).transform
    state = ours.init(tree)
    for factor in (1.0, -3.0):
        gradient = jax.tree.map(lambda leaf, by=factor: by * jnp.sin(100 * leaf), tree)
        changes, state = ours.update(gradient, state, tree)
        for name, parameter in named.items():
            part, leaf = name.split(".")
            parameter.grad = torch.tensor(np.asarray(gradient[part][leaf]))
        theirs.step()
        tree = jax.tree.map(jnp.add, tree, changes)
    for name, parameter in named.items():
        part, leaf = name.split(".")
        np.testing.assert_allclose(parameter.detach(), tree[part][leaf], rtol=0, atol=2e-7, err_msg=name)


def test_what_is_timed_is_the_row_of_the_configuration():
    config, kind = load_config("modern", "supervised"), cases.KINDS[TASK]
    config.model.dtype, config.model.encoder_options.implementation = "float32", None
    assert cases.network_of(TASK, cases.MODERN_SETTINGS["published"]) == build_network(config, cases.CLASSES)
    assert config.losses.to_dict() == dict(kind.losses)
    optimizer = config.optim.to_dict()
    assert {key: optimizer[key] for key in kind.optimizer} == dict(kind.optimizer)
    setting = cases.MODERN_SETTINGS["published"]
    assert setting.crop == tuple(config.data.crop)
    assert setting.batch * config.train.micro_batches == config.data.batch_size


def test_another_decoder_on_a_transformer_is_refused():
    with pytest.raises(ValueError, match=r"the peers know a transformer with .*got \{'decoder': 'deeplab'\}"):
        make_network(**{**TINY.model, "decoder": "deeplab"}, num_classes=5, depth=False, segmentation=True, pose=False)
