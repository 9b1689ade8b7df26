import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.geometry import camera, se3
from sde_seg_jax.geometry.warp import back_project, project, warp
from sde_seg_jax.types import Intrinsics

SIZE = (24, 48)
TRUE = Intrinsics(*(jnp.array([v], jnp.float32) for v in (30.0, 32.0, 23.5, 11.5)))
ROTATION = jnp.array([[0.05, -0.15, 0.08]])  # radians: several pixels, and more at the border than in the middle


def texture(xy):
    """A smooth picture as a function of pixel coordinates [B,H,W,2]."""
    x, y = xy[..., 0], xy[..., 1]
    waves = (jnp.sin(0.3 * x + 0.1 * y), jnp.cos(0.25 * y - 0.08 * x), jnp.sin(0.2 * (x + y)))
    return 0.5 + 0.3 * jnp.stack(waves, axis=-1)


def scene(translation):
    """Source picture, the target's depth (a slanted wall), the motion, and the target picture."""
    height, width = SIZE
    x, y = jnp.meshgrid(jnp.arange(float(width)), jnp.arange(float(height)))
    depth = (5.0 + 0.02 * x + 0.05 * y)[None, ..., None]
    motion = se3.transform(ROTATION, jnp.array([translation]))
    seen_at = project(back_project(depth, camera.inverse_matrix(TRUE)), camera.matrix(TRUE), motion)
    return texture(jnp.stack([x, y], -1)[None]), depth, motion, texture(seen_at), seen_at


@pytest.mark.parametrize("factor", [0.6, 1.6])
@pytest.mark.parametrize("count", [1, 4])
def test_descending_the_photometric_error_under_rotation_finds_the_focal_length(factor, count):
    source, depth, motion, target, seen_at = scene((0.1, 0.0, -0.2))
    x, y = seen_at[..., :1], seen_at[..., 1:]
    inside = (x > 0) & (x < SIZE[1] - 1) & (y > 0) & (y < SIZE[0] - 1)
    nominal = TRUE.replace(fx=TRUE.fx * factor, fy=TRUE.fy * factor)

    @jax.grad
    def slope(change):
        i = camera.refine(nominal, change[None])
        found = warp(source, depth, camera.matrix(i), camera.inverse_matrix(i), motion)
        return jnp.where(inside, (found - target) ** 2, 0).mean()

    def descend(carry, _):
        change, momentum = carry
        momentum = 0.9 * momentum + slope(change)
        return (change - 0.3 * momentum, momentum), None

    start = jnp.zeros(count), jnp.zeros(count)
    (change, _), _ = jax.jit(lambda start: jax.lax.scan(descend, start, length=1500))(start)
    found = camera.refine(nominal, change[None])
    # what is left is the error of bilinear sampling
    np.testing.assert_allclose(found.fx, TRUE.fx, rtol=0.01)
    np.testing.assert_allclose(found.fy, TRUE.fy, rtol=0.01)


def test_a_sideways_translation_says_nothing_about_the_focal_length():
    height, width = SIZE
    depth = jnp.linspace(2.0, 9.0, height * width).reshape(1, height, width, 1)
    for factor in (0.6, 1.6):
        other = TRUE.replace(fx=TRUE.fx * factor, fy=TRUE.fy * factor)
        seen = []
        for i, scale in ((TRUE, 1.0), (other, 1 / factor)):  # another motion explains the same picture
            motion = se3.transform(jnp.zeros((1, 3)), jnp.array([[0.3 * scale, -0.1 * scale, -0.2]]))
            seen.append(project(back_project(depth, camera.inverse_matrix(i)), camera.matrix(i), motion))
        np.testing.assert_allclose(*seen, atol=2e-4)  # pixels: float32 rounding of coordinates up to 50
