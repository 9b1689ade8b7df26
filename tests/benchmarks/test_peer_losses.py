"""PyTorch's losses are ours, in float64 up to rounding, and so are the gradients that training follows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from peer import geometry, losses
from peer_arrays import (
    BATCH,
    CLASSES,
    HEIGHT,
    VALUE,
    WIDTH,
    cameras,
    labels,
    probabilities,
    scene,
    to_ours,
    to_peer,
    value_and_gradient,
    view_of,
)

from sde_seg_jax.losses import berhu, cross_entropy, feature_distance, photometric, pseudo_label, smoothness, ssim
from sde_seg_jax.types import IGNORE, Outputs, View

KEY = jax.random.key(0)
# Users write SSIM's variances as mean(x^2) - mean(x)^2, which cancels to 1e-16 / C2 = 1e-13 of SSIM, and a gradient
# adds some hundred of those.
GRADIENT = {"rtol": 1e-10, "atol": 1e-13}

pytestmark = pytest.mark.usefixtures("float64")


def test_ssim_is_equal(rng):
    x, y = rng.uniform(size=(2, BATCH, HEIGHT, WIDTH, 3))
    expected = jax.jit(ssim.ssim_error)(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(to_ours(losses.ssim_error(to_peer(x), to_peer(y))), expected, **VALUE)


def test_photometric_loss_is_equal_with_gradients_to_disparity_and_pose(rng):
    image, sources, disparities, angles, translations = scene(rng)

    def value(disparities, angles, translations):
        view = view_of(image, sources, disparities, angles, translations)
        return photometric.term(view, KEY, tie_break=0.0)

    moving = tuple(map(jnp.asarray, disparities)), jnp.asarray(angles), jnp.asarray(translations)
    expected, gradients = jax.jit(jax.value_and_grad(value, argnums=(0, 1, 2)))(*moving)
    counts = jax.jit(lambda *x: photometric.photometric_maps(view_of(image, sources, *x), KEY)[1].mean())(*moving)
    assert 0.1 < counts < 0.9  # both sides of the auto-mask are taken

    found = [to_peer(d, grad=True) for d in disparities]
    angles, translations = (torch.tensor(x, requires_grad=True) for x in (angles, translations))
    motions = torch.stack([geometry.transform(a, t) for a, t in zip(angles, translations, strict=True)], 1)
    got = losses.photometric(to_peer(image), to_peer(sources), found, *cameras(), motions, tie_break=0.0)
    got.backward()
    np.testing.assert_allclose(got.item(), expected, **VALUE)
    for mine, other in zip(gradients[0], found, strict=True):
        assert np.abs(mine).max() > 1e-6
        np.testing.assert_allclose(to_ours(other.grad), mine, **GRADIENT)
    np.testing.assert_allclose(angles.grad, gradients[1], **GRADIENT)
    np.testing.assert_allclose(translations.grad, gradients[2], **GRADIENT)


def test_tie_break_noise_has_its_amplitude_and_is_drawn_for_each_scale():
    """Standing camera: every error is 0 but for the noise, and the least of 0 and two normal draws has a known mean."""
    image = torch.rand(4, 3, 64, 64, dtype=torch.float64)
    k, k_inverse = (matrix[:1].expand(4, 3, 3) for matrix in cameras())
    motions = torch.eye(4, dtype=torch.float64).expand(4, 2, 4, 4)
    disparities = [torch.full((4, 1, 64 >> s, 64 >> s), 0.5, dtype=torch.float64) for s in range(2)]
    sources = image[:, None].expand(4, 2, 3, 64, 64)

    def loss(found):
        return losses.photometric(image, sources, found, k, k_inverse, motions, tie_break=0.01).item()

    # E min(0, X, Y) = -(2 + sqrt 2) / sqrt(8 pi) = -0.681. A draw's spread is below 0.7, that of the mean of 16384
    # draws below 0.0055: four of these.
    mean = -(2 + 2**0.5) / (8 * np.pi) ** 0.5
    np.testing.assert_allclose(loss(disparities[:1]) / 0.01, mean, atol=0.022)
    values = []
    for found in (disparities[:1], disparities):
        torch.manual_seed(1)
        values.append(loss(found))
    assert abs(values[0] - values[1]) > 1e-9  # one draw for both scales would leave rounding, 1e-16


def test_smoothness_is_equal_with_gradient(rng):
    image, _, disparities, _, _ = scene(rng)
    value = lambda d: smoothness.term(View(image=jnp.asarray(image), outputs=Outputs(disparity=d)), KEY)  # noqa: E731
    expected, gradients = value_and_gradient(value, tuple(map(jnp.asarray, disparities)))
    found = [to_peer(d, grad=True) for d in disparities]
    got = losses.smoothness(found, to_peer(image))
    got.backward()
    np.testing.assert_allclose(got.item(), expected, **VALUE)
    for mine, other in zip(gradients, found, strict=True):
        np.testing.assert_allclose(to_ours(other.grad), mine, **VALUE)


def test_feature_distance_is_equal_with_gradient_and_has_none_at_the_start(rng):
    a, b = rng.normal(size=(2, BATCH, 3, 4, 7))
    expected, gradient = value_and_gradient(feature_distance.feature_distance, jnp.asarray(a), jnp.asarray(b))
    found = to_peer(a, grad=True)
    got = losses.feature_distance(found, to_peer(b))
    got.backward()
    np.testing.assert_allclose(got.item(), expected, **VALUE)
    np.testing.assert_allclose(to_ours(found.grad), gradient, **VALUE)
    found.grad = None
    losses.feature_distance(found, to_peer(a)).backward()
    np.testing.assert_array_equal(found.grad, 0)


def test_imitation_is_equal_with_gradient_and_has_none_where_all_is_equal(rng):
    prediction = rng.uniform(size=(BATCH, HEIGHT // 2, WIDTH // 2, 1))
    reference = jnp.asarray(rng.uniform(size=(BATCH, HEIGHT, WIDTH, 1)))

    def value(disparity):
        return berhu.term(View(image=None, outputs=Outputs(disparity=(disparity,)), reference_disparity=reference), KEY)

    expected, gradient = value_and_gradient(value, jnp.asarray(prediction))
    found = to_peer(prediction, grad=True)
    got = losses.imitation(found, to_peer(reference))
    got.backward()
    np.testing.assert_allclose(got.item(), expected, **VALUE)
    np.testing.assert_allclose(to_ours(found.grad), gradient, **VALUE)
    found = to_peer(reference, grad=True)
    losses.imitation(found, to_peer(reference)).backward()
    np.testing.assert_array_equal(found.grad, 0)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_equal_with_gradient(rng, size, weighted):
    logits = rng.normal(size=(BATCH, *size, CLASSES))
    label = labels(rng)
    weight = rng.uniform(size=label.shape) if weighted else None
    value = lambda x: cross_entropy.cross_entropy(x, label, None if weight is None else jnp.asarray(weight))  # noqa: E731
    expected, gradient = value_and_gradient(value, jnp.asarray(logits))
    found = to_peer(logits, grad=True)
    got = losses.cross_entropy(found, torch.tensor(label), None if weight is None else torch.tensor(weight))
    got.backward()
    np.testing.assert_allclose(got.item(), expected, **VALUE)
    np.testing.assert_allclose(to_ours(found.grad), gradient, **VALUE)


def test_cross_entropy_of_a_batch_without_labels_is_zero():
    nothing = torch.full((1, 4, 4), IGNORE)
    assert losses.IGNORE == IGNORE
    assert losses.cross_entropy(torch.rand(1, 3, 4, 4), nothing).item() == 0


def test_pseudo_label_loss_is_equal_with_gradient(rng):
    probability, logits = probabilities(rng), rng.normal(size=(BATCH, HEIGHT, WIDTH, CLASSES))
    ours_of = lambda x: pseudo_label.pseudo_label_loss(x, jnp.asarray(probability))  # noqa: E731
    expected, gradient = value_and_gradient(ours_of, jnp.asarray(logits))
    found = to_peer(logits, grad=True)
    got = losses.pseudo_label_loss(found, to_peer(probability))
    got.backward()
    assert 0.05 < losses.confident_fraction(to_peer(probability)) < 0.95
    np.testing.assert_allclose(got.item(), expected, **VALUE)
    np.testing.assert_allclose(to_ours(found.grad), gradient, **VALUE)
    label = pseudo_label.pseudo_label(jnp.asarray(probability))
    np.testing.assert_array_equal(losses.pseudo_label(to_peer(probability)), label)
