"""Pixel-wise classification loss with ignored pixels and optional pixel weights."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sde_seg_jax.geometry.precision import at_least_float32
from sde_seg_jax.imaging.resize import resize_bilinear_corners
from sde_seg_jax.types import IGNORE, View

NEEDS_LABEL = True  # so that it is left out where there is no ground truth


def cross_entropy_map(logits: Float[Array, "B h w C"], label: Int[Array, "B H W"]) -> Float[Array, "B H W"]:
    """-log softmax(logits)[label] in nats per pixel, 0 where label is IGNORE; float32 or longer.

    Logits of another size than the label are resized bilinearly with aligned corners; when EITHER side
    differs (the published code wants both to: Q17 in docs/record/differences.md). The label's logit is picked by
    comparison, not by indexing: the comparison fuses into the sum, and its gradient is no scatter.
    """
    if logits.ndim != 4 or label.ndim != 3 or logits.shape[0] != label.shape[0]:
        raise ValueError(
            f"expected logits [B,h,w,C] and label [B,H,W], got {logits.shape} and {label.shape}; "
            "drop the label's channel axis or match the batches"
        )
    logits = resize_bilinear_corners(at_least_float32(logits), label.shape[1:])
    classes = jnp.arange(logits.shape[-1], dtype=jnp.int32)[None, None, None]
    of_label = classes == label.astype(jnp.int32)[..., None]
    picked = jnp.where(of_label, logits, 0).sum(-1)
    return jnp.where(label == IGNORE, 0, jax.nn.logsumexp(logits, axis=-1) - picked)


def cross_entropy(
    logits: Float[Array, "B h w C"], label: Int[Array, "B H W"], weight: Float[Array, "B H W"] | None = None
) -> Float[Array, ""]:
    """Without weights the mean over valid pixels; with weights the weighted sum over the count of ALL pixels.

    The second is the published rule for pseudo labels: ignored pixels count in the denominator. Weights get
    no gradient; if any is NaN all are taken as 1, as published. A batch without valid pixels gives 0 with
    zero gradient, where the published loss without weights is NaN.
    """
    loss = cross_entropy_map(logits, label)
    if weight is None:
        return _total(loss) / jnp.maximum((label != IGNORE).sum(), 1).astype(loss.dtype)
    weight = jax.lax.stop_gradient(weight).astype(loss.dtype)
    return _total(jnp.where(jnp.isnan(weight).any(), 1, weight) * loss) / loss.size


def _total(x: Float[Array, "B H W"]) -> Float[Array, ""]:
    """The sum, axis by axis: XLA:CPU adds up maps of some sizes pixel after pixel, which costs a digit in float32."""
    for _ in range(x.ndim):
        x = jax.lax.optimization_barrier(x.sum(-1))  # otherwise the sums become one
    return x


def term(view: View, rng: jax.Array) -> Float[Array, ""]:
    """Cross entropy of outputs.logits with label, weighted by weight if there is one. `rng` is not used.

    With outputs.intermediate_logits (multi-task network) the mean of both.
    """
    both = [view.outputs.logits, view.outputs.intermediate_logits]
    found = [cross_entropy(logits, view.label, view.weight) for logits in both if logits is not None]
    return sum(found) / len(found)
