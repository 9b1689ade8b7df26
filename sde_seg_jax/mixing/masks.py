"""Which pixels of image i are kept when it is mixed with its partner: DepthMix, ClassMix, depth masks.

Every mask is bool [B,H,W,1]; True keeps image i, False shows the partner (`mixing.apply.paste`). Disparities
are [B,H,W,1]; a larger disparity is nearer. All functions are vectorised over the batch, of any size.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

MARGIN = 0.03  # of disparities in [0,1], as published: what is about as near is kept
HISTOGRAM_BINS = 100
CROWDED_DENSITY = 1.5  # a histogram bin of log(1+d) above this density counts as populated
FAR_FRACTION = 0.4  # the threshold is drawn above the farthest 40 % of the pixels


def normalize_disparity(disparity: Float[Array, "B H W 1"]) -> Float[Array, "B H W 1"]:
    """(d - min) / (max - min) per image, in [0,1]; a constant map becomes 0.

    See decision 8 in docs/record/differences.md.
    """
    low = disparity.min(axis=(1, 2, 3), keepdims=True)
    span = disparity.max(axis=(1, 2, 3), keepdims=True) - low
    return (disparity - low) / jnp.where(span > 0, span, jnp.ones_like(span))


def normalize_valid(disparity: Float[Array, "B H W 1"], valid: Bool[Array, "B H W"]) -> Float[Array, "B H W 1"]:
    """`normalize_disparity` of the valid pixels alone; the others become 0, the farthest."""
    where = valid[..., None]
    low = disparity.min(axis=(1, 2, 3), keepdims=True, where=where, initial=jnp.inf)
    span = disparity.max(axis=(1, 2, 3), keepdims=True, where=where, initial=-jnp.inf) - low
    found = (disparity - low) / jnp.where(span > 0, span, jnp.ones_like(span))
    return jnp.where(where, found, jnp.zeros_like(found))


def nearer_than(disparity: Float[Array, "B H W 1"], threshold: float | Float[Array, " B"]) -> Bool[Array, "B H W 1"]:
    """[d_i >= t_i] for one threshold, or one an image."""
    threshold = jnp.asarray(threshold, disparity.dtype)
    return disparity >= jnp.broadcast_to(threshold, disparity.shape[:1])[:, None, None, None]


def draw_thresholds(
    key: jax.Array, disparity: Float[Array, "B H W 1"], between: tuple[float, float]
) -> Float[Array, " B"]:
    """One disparity threshold an image from U(low, high). Raises ValueError unless 0 <= low <= high <= 1."""
    low, high = between
    if not 0 <= low <= high <= 1:
        raise ValueError(f"expected thresholds (low, high) on disparities in [0,1], got {between}")
    return low + (high - low) * jax.random.uniform(key, disparity.shape[:1], disparity.dtype)


def depth_mix_mask(
    disparity: Float[Array, "B H W 1"],
    partner: Float[Array, "B H W 1"],
    margin: float = MARGIN,
    foreground_threshold: float | Float[Array, " B"] = 0.0,
) -> Bool[Array, "B H W 1"]:
    """DepthMix: M_i = [d_i >= d_j - margin] and [d_i >= foreground_threshold].

    What is nearer in image i than in its partner j, or about as near, occludes j. Disparities are normalised
    to [0,1] per image (`normalize_disparity`). Both mixes of a pair keep what is about as near, so they
    overlap (Q21 in docs/record/differences.md). The threshold is one number, or one an image
    (`draw_thresholds` for a range).
    """
    return (disparity >= partner - margin) & nearer_than(disparity, foreground_threshold)


def depth_threshold_mask(
    disparity: Float[Array, "B H W 1"], key: jax.Array, between: tuple[float, float] = (0.1, 0.4)
) -> Bool[Array, "B H W 1"]:
    """Keeps what is nearer than a threshold that is drawn for each image from U(low, high)."""
    return nearer_than(disparity, draw_thresholds(key, disparity, between))


def histogram_threshold(disparity: Float[Array, "B H W 1"], draw: Float[Array, " B"]) -> Float[Array, " B"]:
    """A threshold in log(1+d) between an image's background and its nearest populated depth.

    Histogram of log(1+d) with 100 bins between its own extremes. Upper bound: the right edge of the nearest
    bin (the last one apart) of density above 1.5; lower bound: the left edge of the bin in which the
    cumulative share passes 40 %; the threshold lies at the fraction `draw` in [0,1) between the two. Without
    a populated bin the upper bound is the last edge that is searched (the published code fails there).
    """
    values = jnp.log1p(disparity).reshape(disparity.shape[0], -1)
    low, high = values.min(axis=1), values.max(axis=1)
    span = high - low
    width = span / HISTOGRAM_BINS
    position = (values - low[:, None]) / jnp.where(span > 0, span, jnp.ones_like(span))[:, None]
    bins = jnp.minimum((position * HISTOGRAM_BINS).astype(jnp.int32), HISTOGRAM_BINS - 1)
    counts = jax.vmap(lambda b: jnp.bincount(b, length=HISTOGRAM_BINS))(bins).astype(values.dtype)

    crowded = counts[:, :-1] > (CROWDED_DENSITY * values.shape[1] * width)[:, None]
    from_the_top = jnp.argmax(crowded[:, ::-1], axis=1)  # 0 if there is none
    upper = low + width * (HISTOGRAM_BINS - 1 - from_the_top).astype(values.dtype)
    lower_bin = jnp.argmax(jnp.cumsum(counts, axis=1) > FAR_FRACTION * values.shape[1], axis=1)
    lower = low + width * lower_bin.astype(values.dtype)
    return lower + draw * (upper - lower)


def depth_histogram_mask(disparity: Float[Array, "B H W 1"], key: jax.Array) -> Bool[Array, "B H W 1"]:
    """Keeps what is nearer than a threshold drawn from the image's histogram: [log(1+d_i) >= t_i].

    One scale throughout: the published code compares the raw disparity with the threshold in log(1+d), which is
    `nearer_than(disparity, histogram_threshold(disparity, draw))` (Q22 in docs/record/differences.md).
    """
    draw = jax.random.uniform(key, disparity.shape[:1], disparity.dtype)
    return nearer_than(jnp.log1p(disparity), histogram_threshold(disparity, draw))


def classes_present(label: Int[Array, "B H W"], num_classes: int) -> Bool[Array, "B C"]:
    """Which of the classes 0..C-1 occur in each image; IGNORE and other ids don't count.

    See Q19 and Q20 in docs/record/differences.md.
    """
    ids = jnp.arange(num_classes, dtype=jnp.int32)
    return (label.astype(jnp.int32)[..., None] == ids[None, None, None]).any(axis=(1, 2))


def half_of_classes(present: Bool[Array, "B C"], scores: Float[Array, "B C"]) -> Int[Array, "B C"]:
    """Ids of the floor(n/2) classes of lowest score among each image's n present ones; -1 fills the rest."""
    ranked = jnp.argsort(jnp.where(present, scores, jnp.full_like(scores, jnp.inf)), axis=1).astype(jnp.int32)
    chosen = jnp.arange(present.shape[1], dtype=jnp.int32)[None] < (present.sum(axis=1, dtype=jnp.int32) // 2)[:, None]
    return jnp.where(chosen, ranked, jnp.full_like(ranked, -1))


def class_mask(label: Int[Array, "B H W"], classes: Int[Array, "B K"]) -> Bool[Array, "B H W 1"]:
    """Pixels whose label is among the ids listed for their image; -1 entries are padding."""
    label, classes = label.astype(jnp.int32), classes.astype(jnp.int32)
    return (label[..., None] == classes[:, None, None]).any(axis=-1, keepdims=True)


def class_mix_mask(prediction: Int[Array, "B H W"], key: jax.Array, num_classes: int) -> Bool[Array, "B H W 1"]:
    """ClassMix (Olsson et al. 2021): keeps a random half, rounded down, of the classes in each image.

    Ids outside 0..C-1 are never drawn: give ignored pixels IGNORE, not the arg max of an all-zero softmax,
    which would be class 0 (Q19 in docs/record/differences.md).
    """
    present = classes_present(prediction, num_classes)
    return class_mask(prediction, half_of_classes(present, jax.random.uniform(key, present.shape)))
