"""A step with cached disparities is the step with the network that made them, up to the 16 bits they are stored in."""

import jax
import numpy as np
import optax
import pytest
from toy import Toy, fast_jit, state_of, streams, variables

from sde_seg_jax.data.stored.depth_cache import dequantize, quantize
from sde_seg_jax.mixing import rule
from sde_seg_jax.mixing.masks import normalize_disparity
from sde_seg_jax.tasks import multitask, semi_supervised, student_depth
from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.types import Streams, Variables

MARGIN = 0.03
LEVEL = 1 / 65535


def frozen() -> Variables:
    return variables(Toy(), seed=5)


def cached(batch):
    """The batch with what a cache of the frozen network holds, and that network's own disparity [B,H,W]."""
    own = np.asarray(predict(Toy(), frozen(), to_float(batch.image)).disparity[0])[..., 0]
    return batch.replace(disparity=dequantize(quantize(own))), own


def states():
    """(with the frozen network, without)."""
    with_network = {"depth": frozen()}
    return tuple(state_of(Toy(), optax.sgd(0.1), teacher=True, frozen=kept) for kept in (with_network, None))


def mixers(mix):
    options = {"mix": mix, "mix_margin": MARGIN, "teacher": "ema_stats"}
    return (
        semi_supervised.make_mixing(Toy(), **options, depth_network=Toy()),
        semi_supervised.make_mixing(Toy(), **options),
    )


def test_masks_differ_only_where_quantisation_decides():
    batch = streams(4).unlabeled
    stored, own = cached(batch)
    (online, read), (with_network, without) = mixers("depth"), states()
    *_, expected, _ = fast_jit(online)(with_network, Streams(unlabeled=batch), jax.random.key(0))
    (pseudo, _), _, found, _ = fast_jit(read)(without, Streams(unlabeled=stored), jax.random.key(0))
    normalized = np.asarray(normalize_disparity(own[..., None]))
    # Numerator and denominator of (d - min) / (max - min) are off by a level at most each, in image and partner
    span = (own.max(axis=(1, 2)) - own.min(axis=(1, 2))).min()
    tolerance = 2.01 * LEVEL / span
    assert np.abs(np.asarray(pseudo.disparity) - normalized).max() < tolerance
    close = np.abs(normalized - np.roll(normalized, -1, axis=0) + MARGIN) < 2 * tolerance
    np.testing.assert_array_equal(np.asarray(found)[~close], np.asarray(expected)[~close])
    assert close.mean() < 0.01


def test_a_semi_supervised_step_is_that_of_the_online_network():
    data = streams(3, labeled=[True, False, False])
    found = []
    for state, network, unlabeled in zip(
        states(), (Toy(), None), (data.unlabeled, cached(data.unlabeled)[0]), strict=True
    ):
        loss = semi_supervised.make_loss(Toy(), losses={"cross_entropy": 1.0}, depth_network=network)
        both = fast_jit(jax.value_and_grad(loss, has_aux=True))
        found.append(both(state.student.params, state, data.replace(unlabeled=unlabeled), jax.random.key(3)))
    ((loss, aux), gradient), ((other_loss, other), other_gradient) = found
    assert aux.logs["pasted"] == other.logs["pasted"]  # here no pixel is on the edge, so all masks are equal
    np.testing.assert_allclose(other_loss, loss, rtol=1e-6)  # compiled as two programs
    jax.tree.map(lambda a, b: np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6), gradient, other_gradient)


@pytest.mark.parametrize("mix", [name for name in rule.names() if rule.find_rule(name).reads_depth])
def test_every_mix_by_depth_reads_the_cache(mix):
    batch = streams(3).unlabeled
    (online, read), (with_network, without) = mixers(mix), states()
    *_, expected, _ = fast_jit(online)(with_network, Streams(unlabeled=batch), jax.random.key(0))
    *_, found, _ = fast_jit(read)(without, Streams(unlabeled=cached(batch)[0]), jax.random.key(0))
    assert np.mean(np.asarray(found) != np.asarray(expected)) < 0.01


def test_multitask_mixes_by_the_cache_where_there_is_one():
    state, batch = state_of(Toy(), optax.sgd(0.1), teacher=True), streams(2).unlabeled
    stored, _ = cached(batch)
    mixer = multitask.make_mixer(Toy(), mix="depth", mix_margin=MARGIN, teacher="ema_stats")
    read = mixer(state, Streams(unlabeled=stored), jax.random.key(0))["mixing"].kept_disparity
    np.testing.assert_array_equal(read, normalize_disparity(stored.disparity[..., None]))
    own = mixer(state, Streams(unlabeled=batch), jax.random.key(0))["mixing"].kept_disparity
    assert np.abs(np.asarray(own - read)).max() > 0.01


def test_multitask_pastes_labeled_images_by_the_student_s_depth_of_them():
    state, data = state_of(Toy(), optax.sgd(0.1), teacher=True), streams(2)
    mixer = multitask.make_mixer(Toy(), mix="depth", mix_margin=MARGIN, teacher="ema_stats", kept="labeled")
    found = mixer(state, data, jax.random.key(0))["mixing"]
    own = predict(Toy(), state.student, to_float(data.labeled.image)).disparity[0]
    np.testing.assert_allclose(found.kept_disparity, normalize_disparity(own), rtol=1e-6)
    np.testing.assert_array_equal(found.kept, to_float(data.labeled.image))
    np.testing.assert_array_equal(found.under, to_float(data.unlabeled.image))
    losses = {"cross_entropy": 1.0, "photometric": 1.0, "smoothness": 1e-3}
    loss = multitask.make_loss(Toy(), losses=losses, pose_on_mixed=False, kept="labeled")
    assert 0 < fast_jit(loss)(state.student.params, state, data, jax.random.key(3))[1].logs["pasted"] < 1


def test_the_multitask_step_mixes_by_the_cache():
    data = streams(2)
    losses = {"cross_entropy": 1.0, "photometric": 1.0, "smoothness": 1e-3}
    loss = multitask.make_loss(Toy(), losses=losses, pose_on_mixed=False)
    state = state_of(Toy(), optax.sgd(0.1), teacher=True)
    everywhere_far = np.zeros(data.unlabeled.image.shape[:3], np.float32)
    found = {}
    for name, disparity in {"own": None, "flat": everywhere_far}.items():
        read = data.replace(unlabeled=data.unlabeled.replace(disparity=disparity))
        found[name] = fast_jit(loss)(state.student.params, state, read, jax.random.key(3))[1].logs
    assert found["flat"]["pasted"] == 1  # all as near as the partner
    assert found["own"]["pasted"] < 1
    assert found["flat"]["unlabeled/photometric"] == found["own"]["unlabeled/photometric"]


def test_the_depth_student_imitates_the_cache():
    data = streams(2).replace(unlabeled=None)
    batch = data.labeled.replace(label=None)
    found = []
    for state, network, read in zip(states(), (Toy(), None), (batch, cached(batch)[0]), strict=True):
        loss = student_depth.make_loss(Toy(), losses={"berhu": 1.0}, depth_network=network)
        found.append(fast_jit(loss)(state.student.params, state, data.replace(labeled=read), jax.random.key(3))[0])
    np.testing.assert_allclose(*found, atol=2 * LEVEL)  # berHu is an absolute error here: a level changes it by one
