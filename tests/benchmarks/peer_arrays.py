"""Random inputs in float64, and the way from ours (NHWC, jax) to PyTorch's (NCHW) and back."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from peer import geometry

from sde_seg_jax.geometry import se3
from sde_seg_jax.types import IGNORE, Intrinsics, Outputs, View

BATCH, HEIGHT, WIDTH, CLASSES = 2, 16, 24, 5
CAMERA = [np.full(BATCH, value) for value in (20.0, 18.0, 11.2, 7.6)]
VALUE = {"rtol": 1e-12, "atol": 1e-12}  # float64 leaves 1e-16 for each of some hundred operations on values near 1


def to_peer(array, grad=False):
    """Channels, if any, before rows: [...,H,W,C] -> [...,C,H,W]."""
    array = np.asarray(array)
    moved = np.moveaxis(array, -1, -3) if array.ndim > 3 else array
    return torch.tensor(np.ascontiguousarray(moved)).requires_grad_(grad)


def to_ours(tensor):
    """Back: [...,C,H,W] -> [...,H,W,C]."""
    array = tensor.detach().numpy()
    return np.moveaxis(array, -3, -1) if array.ndim > 3 else array


def view_of(image, sources, disparities, angles, translations):
    poses = jnp.stack([se3.transform(*pose) for pose in zip(angles, translations, strict=True)], axis=1)
    return View(
        image=jnp.asarray(image),
        outputs=Outputs(disparity=tuple(disparities)),
        sources=jnp.asarray(sources),
        source_from_target=poses,
        intrinsics=Intrinsics(*map(jnp.asarray, CAMERA)),
    )


def cameras():
    return geometry.camera_matrices(*map(torch.tensor, CAMERA))


def value_and_gradient(function, *arguments):
    return jax.jit(jax.value_and_grad(function))(*arguments)


def scene(rng, scales=2):
    """Arrays of a view: target, sources, disparities, axis angles and translations of two sources.

    A pattern that moves by half a pixel from frame to frame, and noise: motions of the drawn size, which move pixels by
    about as much, sometimes explain a source better than standing still, sometimes worse.
    """
    x, y, phase = np.arange(WIDTH)[:, None], np.arange(HEIGHT)[:, None, None], np.arange(3)
    frames = [0.5 + 0.4 * np.sin(0.7 * (x + 0.5 * shift) + 0.5 * y + phase) for shift in (0, -1, 1)]
    frames = np.clip(np.stack([frames] * BATCH) + 0.02 * rng.normal(size=(BATCH, 3, HEIGHT, WIDTH, 3)), 0, 1)
    disparities = [rng.uniform(0.02, 0.1, (BATCH, HEIGHT >> s, WIDTH >> s, 1)) for s in range(scales)]
    return frames[:, 0], frames[:, 1:], disparities, *(0.05 * rng.normal(size=(2, 2, BATCH, 3)))


def labels(rng):
    label = rng.integers(0, CLASSES, (BATCH, HEIGHT, WIDTH))
    label[:, 2:5] = IGNORE
    return label


def probabilities(rng):
    """Softmax maps of which some are confident and some, where nothing is known, all zero."""
    probability = np.array(jax.nn.softmax(4 * jnp.asarray(rng.normal(size=(BATCH, HEIGHT, WIDTH, CLASSES)))))
    probability[:, 2:5] = 0
    return probability
