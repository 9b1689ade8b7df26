"""PyTorch's mixing and augmentation compute what ours do, in float64 up to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from peer import augment, mixing
from peer_arrays import BATCH, CLASSES, HEIGHT, VALUE, WIDTH, labels, to_ours, to_peer

from sde_seg_jax.imaging import blur, colour
from sde_seg_jax.losses.pseudo_label import confident_fraction
from sde_seg_jax.mixing import apply, cross_domain, masks
from sde_seg_jax.tasks import domain_mixing, teacher
from sde_seg_jax.types import Batch

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("known", [False, True])
def test_teacher_probability_and_confident_share_are_equal(rng, known):
    logits = rng.normal(size=(BATCH, HEIGHT // 2, WIDTH // 2, CLASSES)) * 4
    label, labeled = (labels(rng), np.array([True, False])) if known else (None, None)
    batch = Batch(image=np.zeros((BATCH, HEIGHT, WIDTH, 3), np.uint8), intrinsics=None)
    if known:
        batch = batch.replace(label=jnp.asarray(label, jnp.uint8), labeled=jnp.asarray(labeled))
    expected = teacher._probability(jnp.asarray(logits), batch)
    given = (torch.tensor(label), torch.tensor(labeled)) if known else (None, None)
    got = mixing.teacher_probability(to_peer(logits), *given, height=HEIGHT, width=WIDTH)
    np.testing.assert_allclose(to_ours(got), expected, **VALUE)
    share = confident_fraction(domain_mixing.as_known(expected, batch), 0.968)
    np.testing.assert_allclose(mixing.confident_share(got, given[1]), share, **VALUE)


def test_mixes_are_equal(rng):
    disparity = rng.uniform(size=(BATCH, HEIGHT // 2, WIDTH // 2, 1))
    disparity[1] = 0.3  # a constant map
    image, label = rng.uniform(size=(BATCH, HEIGHT, WIDTH, 3)), labels(rng)
    known = teacher.comparable(jnp.asarray(disparity), (HEIGHT, WIDTH))
    mask = masks.depth_mix_mask(known, apply.next_in_batch(known))
    tree = (jnp.asarray(image), jnp.asarray(label))
    expected = apply.paste(tree, apply.next_in_batch(tree), mask)

    found = mixing.comparable(to_peer(disparity), HEIGHT, WIDTH)
    np.testing.assert_allclose(to_ours(found), known, **VALUE)
    kept = mixing.depth_mix_mask(found, mixing.next_in_batch(found))
    assert 0.05 < kept.double().mean() < 0.95
    np.testing.assert_array_equal(to_ours(kept), mask)
    for mine, x in zip(expected, (to_peer(image), torch.tensor(label)), strict=True):
        np.testing.assert_array_equal(to_ours(mixing.paste(x, mixing.next_in_batch(x), kept)), mine)


def test_the_partner_is_the_next_one():
    assert mixing.next_in_batch(torch.arange(3)).tolist() == [1, 2, 0]


def test_cross_domain_masks_and_weights_are_equal(rng):
    source, target = rng.uniform(size=(2, BATCH, HEIGHT, WIDTH, 1))
    margins = np.array([0.03, -0.03])
    mask = masks.depth_mix_mask(*map(jnp.asarray, (source, target, margins[:, None, None, None])))
    got = mixing.cross_depth_mask(to_peer(source), to_peer(target), torch.tensor(margins))
    np.testing.assert_array_equal(to_ours(got), mask)
    weights = mixing.pixel_weights(got, torch.tensor(0.25, dtype=torch.float64))
    assert weights.dtype == torch.float64
    np.testing.assert_array_equal(weights, cross_domain.pixel_weights(mask, jnp.asarray(0.25)))


def test_margins_are_signed_by_chance_or_not_at_all():
    disparity = torch.zeros(400, 1, 2, 2)
    drawn = mixing.random_margins(disparity, 0.25)
    assert set(drawn.tolist()) == {0.25, -0.25}
    assert abs(drawn.mean().item()) < 4 * 0.25 / 400**0.5  # four standard deviations of the mean
    assert mixing.fixed_margins(disparity, 0.25).tolist() == [0.25] * 400


ORDERS = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])
FACTORS = np.array([[1.2, 0.8], [0.9, 1.15], [1.2, 0.85], [0.1, -0.2]])
RELATIVE = (colour.scale_brightness, colour.contrast_about_mean, colour.blend_with_grey, colour.shift_hue)


def test_jitters_of_given_factors_are_equal(rng):
    frames = rng.uniform(size=(BATCH, 3, HEIGHT, WIDTH, 3))
    frames[:, :, :2] = 0.5  # greys have no hue
    drawn = torch.tensor(FACTORS), torch.tensor(ORDERS)
    expected = []
    for frame, order, factors in zip(jnp.asarray(frames), ORDERS, FACTORS.T, strict=True):
        sample = frame[None]
        for number in order:
            sample = RELATIVE[number](sample, jnp.asarray(factors[number : number + 1]))
        expected.append(sample[0])
    np.testing.assert_allclose(
        to_ours(augment.jitter_torchvision(to_peer(frames), *drawn)), np.stack(expected), **VALUE
    )
    expected = jax.jit(colour.jitter_additive)(jnp.asarray(frames), *map(jnp.asarray, FACTORS), jnp.asarray(ORDERS))
    np.testing.assert_allclose(to_ours(augment.jitter_additive(to_peer(frames), *drawn)), expected, **VALUE)


def test_a_sample_that_is_not_chosen_stays():
    images = torch.rand(2, 3, HEIGHT, WIDTH)
    applied = torch.tensor([False, True])
    got = augment.jitter_torchvision(images, torch.tensor(FACTORS), torch.tensor(ORDERS), applied)
    assert torch.equal(got[0], images[0])
    assert not torch.equal(got[1], images[1])


def test_blur_is_equal(rng):
    images, sigma, sizes = rng.uniform(size=(BATCH, HEIGHT, WIDTH, 3)), np.array([0.3, 1.1]), (5, 9)
    expected = jax.jit(blur.gaussian_blur, static_argnums=2)(jnp.asarray(images), jnp.asarray(sigma), sizes)
    np.testing.assert_allclose(
        to_ours(augment.gaussian_blur(to_peer(images), torch.tensor(sigma), sizes)), expected, **VALUE
    )
    assert [augment.blur_kernel_size(n) for n in (16, 64, 512)] == [blur.blur_kernel_size(n) for n in (16, 64, 512)]


def test_color_jitter_draws_once_for_a_sample_within_its_bounds():
    images = 0.5 * torch.rand(8, 2, 3, HEIGHT, WIDTH)
    assert torch.equal(augment.color_jitter(images, probability=0.0), images)
    got = augment.color_jitter(images, brightness=0.2, contrast=0.0, saturation=0.0, hue=0.0, probability=1.0)
    ratio = (got.mean((2, 3, 4)) / images.mean((2, 3, 4))).numpy()
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], rtol=1e-5)  # float32, the mean of 1152 values
    assert ((ratio > 0.799) & (ratio < 1.201)).all()
    assert ratio[:, 0].std() > 0.02


def test_strong_augmentation_acts_with_its_probabilities_and_leaves_its_argument():
    images = torch.rand(64, 3, 32, 32)
    before = images.clone()
    assert torch.equal(augment.strong_augment(images, jitter_probability=0.0, blur_probability=0.0), images)
    blurred = augment.strong_augment(images, jitter_probability=0.0, blur_probability=0.5)
    changed = (blurred != images).flatten(1).any(1).double().mean()
    assert 0.25 < changed < 0.75  # four standard deviations of a share of 64
    assert (blurred.var() < images.var()).item()
    jittered = augment.strong_augment(images, jitter_probability=1.0, blur_probability=0.0)
    assert (jittered != images).flatten(1).any(1).all()
    assert ((jittered >= 0) & (jittered <= 1)).all()
    assert torch.equal(images, before)
