"""Where a depth student fails to imitate its teacher, and where a segmentation is undecided.

See METHOD 4 in docs/reference/method.md.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

FLOOR = 0.1  # added to the disparity that relative errors divide by, as recorded
ERRORS = {
    "abs": lambda s, t: jnp.abs(s - t),
    "abs_inv_log": lambda s, t: jnp.abs(jnp.log(1 / s) - jnp.log(1 / t)),
    "abs_inv": lambda s, t: jnp.abs(1 / s - 1 / t),
    "sq": lambda s, t: jnp.square(s - t),
    "abs_rel": lambda s, t: jnp.abs(s - t) / (t + FLOOR),
    "sq_rel": lambda s, t: jnp.square(s - t) / (t + FLOOR),
    "abs_log": lambda s, t: jnp.abs(jnp.log1p(s) - jnp.log1p(t)),
}
KINDS = tuple(ERRORS)


def depth_error(
    student: Float[Array, "B H W"],
    teacher: Float[Array, "B H W"],
    *,
    kind: str = "abs_log",
    far: float = 0.07,
    grow: int = 7,
    bottom: float = 0.13,
) -> Float[Array, "B H W"]:
    """Error of the student's disparity s against the teacher's t, both in (0,1); 0 where masked.

    abs_log: |log(1+s) - log(1+t)|, the published choice. The score of an image is the mean over ALL its pixels.
    Masked: t < `far` (sky and all else that is far away) grown by a square of `grow` pixels (odd), and the rows from
    int((1 - bottom) H) on, where the car's hood is. Raises ValueError for an unknown kind, unequal shapes, or a bottom
    that is no fraction.
    """
    if kind not in ERRORS:
        raise ValueError(f"unknown depth error '{kind}'; use one of {', '.join(KINDS)}")
    if student.shape != teacher.shape or student.ndim != 3:
        raise ValueError(f"expected disparities [B, H, W] of one shape, got {student.shape} and {teacher.shape}")
    if not 0 <= bottom < 1:
        raise ValueError(f"bottom is {bottom}; it is a fraction of the height, at least 0 and below 1")
    keep = ~far_away(teacher, far, grow)
    height = student.shape[1]
    keep &= (jnp.arange(height) < int((1 - bottom) * height))[None, :, None]
    one = jnp.ones((), student.dtype)  # in place of masked disparities, which may be 0
    return jnp.where(keep, ERRORS[kind](jnp.where(keep, student, one), jnp.where(keep, teacher, one)), 0)


def far_away(disparity: Float[Array, "B H W"], below: float, grow: int) -> Bool[Array, "B H W"]:
    """Pixels within a square of `grow` (odd) around one whose disparity is less than `below`."""
    if grow < 1 or grow % 2 == 0:
        raise ValueError(f"grow is {grow} pixels; use an odd number of at least 1")
    return jax.lax.reduce_window(disparity < below, False, jax.lax.bitwise_or, (1, grow, grow), (1, 1, 1), "SAME")


def entropy(logits: Float[Array, "B H W C"]) -> Float[Array, "B H W"]:
    """-sum_c p log p / log C: 0 for a certain class, 1 for equal probabilities."""
    log_probability = jax.nn.log_softmax(logits, axis=-1)
    return -(jnp.exp(log_probability) * log_probability).sum(-1) / math.log(logits.shape[-1])
