"""Are probabilities right? The expected calibration error, and the temperature that fits best.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017. Counted on the device, row by
row, and summed on the host in float64.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

BINS = 15  # of confidence, equally wide
CENTERS = (np.arange(BINS) + 0.5) / BINS
TEMPERATURES = tuple(2.0 ** (step / 6) for step in range(-24, 25))  # 1/16 to 16, where the likelihood is measured
PIXELS = 65536  # of an image, about so many or less than four times as many tell the temperature
FINE = 2001  # places between two of them, 1e-4 apart
LEAST = 1e-30  # a probability below is taken for this one: float32 knows no smaller logarithm


def tempered(probabilities: Float[Array, "*B C"], temperature: float) -> Float[Array, "*B C"]:
    """Probabilities of the logits divided by a temperature: p^(1/T), normalised. Above 1 they are less sure."""
    return jax.nn.softmax(jnp.log(jnp.maximum(probabilities, LEAST)) / temperature, axis=-1)


@functools.partial(jax.jit, static_argnames="stride")
def _measure(label, classes, probabilities, stride):
    known = (label >= 0) & (label < probabilities.shape[-1])
    label = jnp.where(known, label, jnp.zeros_like(label)).astype(jnp.int32)
    confidence = probabilities.max(axis=-1)
    place = jnp.clip(jnp.ceil(confidence * BINS).astype(jnp.int32) - 1, 0, BINS - 1)
    place = jnp.where(known, place, jnp.full_like(place, BINS))
    correct = (classes.astype(jnp.int32) == label).astype(jnp.int32)
    count = place.shape[0] * place.shape[1]
    rows = jnp.broadcast_to(jnp.arange(count)[:, None], (count, place.shape[2]))

    # Row by row, and less the bin's center: added up pixel by pixel, a million of them would cost float32 its digits.
    def binned(values):
        zeros = jnp.zeros((count, BINS + 1), values.dtype)
        return zeros.at[rows, place.reshape(rows.shape)].add(values.reshape(rows.shape))[:, :BINS]

    centers = jnp.asarray(CENTERS, confidence.dtype)[jnp.minimum(place, BINS - 1)]
    sums = [binned(values) for values in (jnp.ones_like(place), confidence - centers, correct)]
    some = (slice(None), slice(None, None, stride), slice(None, None, stride))
    logits = jnp.log(jnp.maximum(probabilities[some], LEAST))
    counted, label = known[some], label[some]

    def loss(inverse):
        values = jax.nn.log_softmax(logits * inverse, axis=-1)
        chosen = jnp.take_along_axis(values, label[..., None], axis=-1)[..., 0]
        return -jnp.where(counted, chosen, jnp.zeros_like(chosen)).sum(axis=-1)

    losses = jax.lax.map(loss, jnp.asarray([1 / t for t in TEMPERATURES], logits.dtype))
    return *sums, losses, counted.sum()


Sums = tuple[np.ndarray, ...]  # of one batch, float64: counts, confidence, correct [BINS], losses [T], pixels []


def batch_sums(
    label: Int[Array, "B H W"], classes: Int[Array, "B H W"], probabilities: Float[Array, "B H W C"]
) -> Sums:
    """What `Calibration.add` takes of one batch; pixels whose label is outside 0..C-1 do not count."""
    stride = max(1, math.isqrt(label.shape[1] * label.shape[2] // PIXELS))
    found = jax.device_get(_measure(label, classes, probabilities, stride))
    *found, pixels = (np.asarray(value, np.float64) for value in found)
    counts, above_center, correct = (value.sum(axis=0) for value in found[:3])
    return counts, above_center + counts * CENTERS, correct, found[3].sum(axis=(1, 2)), pixels


class Calibration:
    """Adds up batches; `scores` gives the result."""

    def __init__(self) -> None:
        self._counts, self._confidence, self._correct = np.zeros(BINS), np.zeros(BINS), np.zeros(BINS)
        self._losses, self._pixels = np.zeros(len(TEMPERATURES)), 0.0

    def add(self, sums: Sums) -> None:
        """One batch, as `batch_sums`."""
        counts, confidence, correct, losses, pixels = sums
        self._counts, self._confidence = self._counts + counts, self._confidence + confidence
        self._correct, self._losses = self._correct + correct, self._losses + losses
        self._pixels += float(pixels)

    def scores(self) -> dict[str, float]:
        """NaN without a labeled pixel.

        calibration_error: sum over bins of their share of the pixels times |mean confidence - accuracy|, in [0,1].
        nll: mean negative log likelihood of the label in nats. temperature: that of `TEMPERATURES`' range with the
        smallest one, between the measured ones by a polynomial in its logarithm; nll_tempered: with it.
        """
        names = ("calibration_error", "nll", "temperature", "nll_tempered")
        if not self._pixels or not self._counts.sum():
            return dict.fromkeys(names, math.nan)
        error = np.abs(self._confidence - self._correct).sum() / self._counts.sum()
        losses = self._losses / self._pixels
        temperature, least = _minimum(np.log(TEMPERATURES), losses)
        return dict(zip(names, (float(error), float(losses[TEMPERATURES.index(1.0)]), temperature, least), strict=True))


def _minimum(places: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """(temperature, loss) where the polynomial through the smallest loss and two neighbors on each side is least."""
    best = int(np.argmin(losses))
    if not 2 <= best < len(losses) - 2:
        return math.exp(places[best]), float(losses[best])
    near = slice(best - 2, best + 3)
    curve = np.polynomial.Polynomial.fit(places[near], losses[near], 4)
    between = np.linspace(places[best - 1], places[best + 1], FINE)
    found = curve(between)
    least = int(np.argmin(found))
    return math.exp(between[least]), float(found[least])
