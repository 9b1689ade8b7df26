"""Rigid motions as 4x4 matrices. Transforms cancel: x_source = source_from_target @ x_target."""

import jax.numpy as jnp
from jaxtyping import Array, Float

AXIS_EPSILON = 1e-7  # added to the angle before dividing by it, as published: no NaN for the zero rotation


def rotation_from_axis_angle(axis_angle: Float[Array, "B 3"]) -> Float[Array, "B 3 3"]:
    """Rotation about the direction of `axis_angle` by its length in radians (Rodrigues).

    R = cos(t) I + (1 - cos(t)) a a' + sin(t) [a]x,  t = |v|,  a = v / (t + 1e-7).
    The gradient is finite everywhere. At exactly zero it is zero, the subgradient the published system uses,
    because |v| has none there (Q8 in docs/record/differences.md); a pose decoder never outputs exact zeros, so
    nothing gets stuck.
    """
    squared = jnp.sum(axis_angle**2, axis=-1, keepdims=True)
    moving = squared > 0
    # The root of a safe value: the unused branch of `where` would otherwise put NaN into the gradient.
    angle = jnp.where(moving, jnp.sqrt(jnp.where(moving, squared, 1)), 0)
    axis = axis_angle / (angle + AXIS_EPSILON)
    cos, sin = jnp.cos(angle)[..., None], jnp.sin(angle)[..., None]
    outer = axis[..., :, None] * axis[..., None, :]
    identity = jnp.eye(3, dtype=axis_angle.dtype)[None]
    return cos * identity + (1 - cos) * outer + sin * _cross_matrix(axis)


def transform(axis_angle: Float[Array, "B 3"], translation: Float[Array, "B 3"]) -> Float[Array, "B 4 4"]:
    """The motion x -> R x + t."""
    return _assemble(rotation_from_axis_angle(axis_angle), translation)


def inverse_transform(axis_angle: Float[Array, "B 3"], translation: Float[Array, "B 3"]) -> Float[Array, "B 4 4"]:
    """The inverse motion x -> R' (x - t) of `transform(axis_angle, translation)`."""
    return _undo(rotation_from_axis_angle(axis_angle), translation)


def _undo(rotation, translation):
    back = jnp.swapaxes(rotation, -1, -2)
    return _assemble(back, -jnp.sum(back * translation[..., None, :], axis=-1))


def _assemble(rotation, translation):
    upper = jnp.concatenate([rotation, translation[..., None]], axis=-1)
    last = jnp.broadcast_to(jnp.eye(4, dtype=rotation.dtype)[3], (*upper.shape[:-2], 1, 4))
    return jnp.concatenate([upper, last], axis=-2)


def _cross_matrix(a):
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    o = jnp.zeros_like(x)
    rows = [jnp.stack(row, axis=-1) for row in ((o, -z, y), (z, o, -x), (-y, x, o))]
    return jnp.stack(rows, axis=-2)
