"""The PyTorch networks that our speed is compared with compute what ours compute, from equal weights."""

import dataclasses

import cases
import jax
import numpy as np
import pytest
import torch
from peer import network as peer
from peer import weights

from sde_seg_jax.models.init import initial_variables
from sde_seg_jax.models.network import make_network
from sde_seg_jax.types import Variables

pytestmark = pytest.mark.slow

TINY = dataclasses.replace(cases.SETTINGS["tiny"], dtype=None)  # None: computes in the images' precision
# Of the largest magnitude. Both sides compute in float64 and sum in different orders: errors of 1e-16 a sum, which
# batch norm over few values (pooling: two) multiplies by up to 1/sqrt(1e-5) = 316. Measured: 1e-12 at most. A mistake
# is far above: an epsilon of batch norm that is wrong by 1 % shows as 3e-6, a momentum by 0.1 % as 1e-3.
TOLERANCE = 1e-9


def options_of(task: str) -> dict:
    """The keyword arguments that the network of a task is made with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "make_network", lambda **options: options)
        return cases.network_of(task, TINY)


NARROW = {"num_classes": 5, "width": 4, "decoder_channels": (3, 4, 5, 6, 7), "pose": False, "dtype": None}
VARIANTS = {
    "published, narrow": NARROW | {"encoder": "resnet50", "batch_norm": True},
    "every other option": NARROW
    | {"encoder": "resnet18", "dilate": (False, True, True), "aspp_rates": (), "skip_features": 3}
    | {"head_layers": (2, 6, 9), "head_channels": 4, "head_stride": 2, "head_inter_channels": 6, "head_dropout": 0.5},
    "small exchange": NARROW
    | {"encoder": "resnet18", "aspp_rates": (1,), "image_pooling": False}
    | {"distillation_level": 3, "side_output": False, "head_stride": 4},
}
TASKS = {task: options_of(task) for task in cases.TASKS}
# tasks with equal networks are compared once
DISTINCT = {str(sorted(options.items())): name for name, options in reversed(TASKS.items())}
COMPARED = {name: TASKS[name] for name in DISTINCT.values()} | VARIANTS


def random_variables(options: dict) -> Variables:
    """Weights and running statistics without the zeros and ones that layers start with, in float64."""
    variables = initial_variables(make_network(**options), 3, (64, 64))
    draw = np.random.default_rng(0)

    def disturbed(leaf):
        return leaf * draw.uniform(0.5, 1.5, leaf.shape) + 0.05 * draw.standard_normal(leaf.shape)

    disturb = jax.tree.map(disturbed, variables)
    return disturb.replace(batch_stats=jax.tree.map(np.abs, disturb.batch_stats))


def peer_network(options: dict, variables: Variables, dtype=torch.float64) -> peer.PeerNetwork:
    """The PyTorch network with these weights, in training mode."""
    module = peer.make_network(**options).to(dtype)
    weights.load(module, variables)
    return module.train()


def images(seed: int) -> np.ndarray:
    """[2,64,96,3] in float64; not square, so that swapped sides would show."""
    return np.random.default_rng(seed).uniform(size=(2, 64, 96, 3))


def nchw(image: np.ndarray) -> torch.Tensor:
    """An image batch as PyTorch takes it."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))


def ours(options: dict, variables: Variables) -> dict:
    """Outputs in both modes and the running statistics after training mode."""
    network = make_network(**options)

    def run(variables, earlier, later):
        tree = {"params": variables.params, "batch_stats": variables.batch_stats}
        train = {"train": True, "mutable": ["batch_stats"]}
        found = {"evaluated": network.apply(tree, earlier)}
        found["trained"], moved = network.apply(tree, earlier, dropout=False, **train)
        if network.pose_network is not None:
            found["evaluated pose"] = network.apply(tree, earlier, later, method="pose")
            tree["batch_stats"] = moved["batch_stats"]
            found["trained pose"], moved = network.apply(tree, earlier, later, method="pose", **train)
        return found, moved["batch_stats"]

    with jax.enable_x64(True):
        found, moved = jax.jit(run)(variables, images(1), images(2))
        found = {name: jax.tree.map(np.asarray, value) for name, value in found.items()}
        return flat(found) | weights.named(moved)


def theirs(module: peer.PeerNetwork) -> dict:
    """The same of the PyTorch network."""
    earlier, later = nchw(images(1)), nchw(images(2))
    found = {}
    with torch.no_grad():
        for mode, training in (("evaluated", False), ("trained", True)):
            module.train(training)
            found[mode] = module(earlier)
            if module.pose is not None:
                found[f"{mode} pose"] = module.pose(earlier, later)
    statistics = {name: value.numpy() for name, value in module.named_buffers() if not name.endswith(weights.COUNTER)}
    return flat(found) | statistics


def flat(found: dict) -> dict:
    """Arrays by name, images NHWC."""
    arrays = {}
    for name, value in found.items():
        if name.endswith("pose"):
            parts = {"axis_angle": value[0], "translation": value[1]}
        else:
            parts = {k: getattr(value, k) for k in ("logits", "intermediate_logits", "bottleneck")}
            parts |= {f"disparity {scale}": x for scale, x in enumerate(value.disparity or ())}
        for part, x in parts.items():
            if isinstance(x, torch.Tensor):
                x = x.permute(0, 2, 3, 1).numpy() if x.ndim == 4 else x.numpy()
            arrays[f"{name} {part}"] = x
    return {name: x for name, x in arrays.items() if x is not None}


def assert_equal(actual: dict, expected: dict) -> None:
    """The same names, and the same values up to rounding in float64."""
    assert actual.keys() == expected.keys()
    for name, wanted in expected.items():
        assert wanted.dtype == actual[name].dtype == np.float64, name
        margin = TOLERANCE * np.abs(wanted).max()
        np.testing.assert_allclose(actual[name], wanted, rtol=0, atol=margin, err_msg=name)


@pytest.mark.parametrize("name", COMPARED)
def test_outputs_and_moved_statistics_equal_ours(name):
    options = COMPARED[name]
    variables = random_variables(options)
    expected = ours(options, variables)
    assert_equal(theirs(peer_network(options, variables)), expected)
    before = weights.named(variables.batch_stats)
    assert all(np.abs(expected[key] - value).max() > 1e-3 for key, value in before.items())  # every one has moved


@pytest.mark.parametrize("task", TASKS)
def test_every_parameter_of_a_task_has_its_counterpart(task):
    variables = random_variables(TASKS[task])
    module = peer_network(TASKS[task], variables)
    gradients = weights.named(variables.params)  # trees of gradients have these names and shapes, too
    assert {k: v.shape for k, v in gradients.items()} == {k: tuple(v.shape) for k, v in module.named_parameters()}


def test_weights_of_another_network_are_refused():
    module = peer.make_network(**TASKS["student_depth"])
    with pytest.raises(RuntimeError, match=r"(?s)Missing .*depth_decoder.*Unexpected .*segmentation"):
        weights.load(module, random_variables(TASKS["supervised"]))


def test_an_encoder_alone_takes_the_frozen_encoder_of_a_case():
    variables = random_variables(TASKS["supervised"])
    whole = peer_network(TASKS["supervised"], variables).eval()
    parts = dict.fromkeys(("depth", "segmentation", "pose"), False)
    alone = peer_network(TASKS["supervised"] | parts, cases.encoder_of(variables)).eval()
    image = nchw(images(1)).float()
    with torch.no_grad():
        found, wanted = alone.float().bottleneck(image), whole.float()(image).bottleneck
    assert torch.equal(found, wanted)


def test_dropout_follows_its_argument_and_not_the_mode():
    options = VARIANTS["published, narrow"]
    image = nchw(images(1))
    module = peer_network(options, random_variables(options))
    for training in (True, False):
        module.train(training)
        with torch.no_grad():
            same = [module(image, False).logits for _ in range(2)]
            differ = [module(image, True).logits for _ in range(2)]
        assert torch.equal(*same)
        assert not torch.equal(*differ)


def test_what_losses_read_is_float32_under_bfloat16_and_stays_close():
    options = TASKS["multitask"]
    variables = random_variables(options)
    module = peer_network(options, variables, torch.float32).eval()
    image = nchw(images(1)).float()
    with torch.no_grad():
        exact = module(image)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = module.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))
            pose = module.pose(image, image)
    tensors = [*rounded.disparity, rounded.logits, rounded.intermediate_logits, rounded.bottleneck, *pose]
    assert {x.dtype for x in tensors} == {torch.float32}
    # bfloat16 keeps 8 bits: 0.4 % a layer, of errors that mostly cancel, over some thirty layers
    error = (rounded.logits - exact.logits).abs().max() / exact.logits.abs().max()
    assert 1e-4 < error < 0.1  # not zero, either: autocast was on
