"""Expected calibration error and temperature, against oracles in NumPy and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from sde_seg_jax.evaluation import calibration
from sde_seg_jax.evaluation.calibration import BINS, Calibration, batch_sums, tempered
from sde_seg_jax.types import IGNORE

CLASSES = 4


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture(params=[0.5, 1.0, 3.0])
def case(request):
    """Labels drawn from softmax(logits), and the probabilities of logits that are `factor` times too large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 40, 30, CLASSES)) * 2
    label = (softmax(logits).cumsum(-1) < rng.random((4, 40, 30, 1))).sum(-1).astype(np.uint8)
    label[:, :5] = IGNORE
    return label, softmax(request.param * logits).astype(np.float32), request.param


def measured(label, probabilities, batch=2):
    found = Calibration()
    for start in range(0, len(label), batch):
        part = slice(start, start + batch)
        classes = probabilities[part].argmax(-1).astype(np.uint8)
        found.add(batch_sums(label[part], classes, jnp.asarray(probabilities[part])))
    return found.scores()


def test_the_error_is_that_of_guo_et_al(case):
    label, probabilities, _ = case
    known = label != IGNORE
    confidence, right = probabilities.max(-1)[known], (probabilities.argmax(-1) == label)[known]
    expected = 0.0
    for low in np.arange(BINS) / BINS:
        inside = (confidence > low) & (confidence <= low + 1 / BINS)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    # a confidence on the border of two bins, by a rounding of float32, may count in either
    assert measured(label, probabilities)["calibration_error"] == pytest.approx(expected, abs=2 / known.sum())


def test_the_temperature_has_the_smallest_likelihood_loss(case):
    label, probabilities, factor = case
    known = label != IGNORE
    logits, target = np.log(probabilities[known].astype(np.float64)), label[known]

    def loss(log_temperature):
        values = np.log(softmax(logits / np.exp(log_temperature)))
        return -values[np.arange(len(target)), target].mean()

    best = scipy.optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-6})
    found = measured(label, probabilities)
    assert found["temperature"] == pytest.approx(np.exp(best.x), rel=2e-4)  # of a polynomial between steps of 12 %
    assert found["nll"] == pytest.approx(loss(0.0), rel=1e-5)
    assert found["nll_tempered"] == pytest.approx(best.fun, abs=1e-5)
    assert found["temperature"] == pytest.approx(factor, rel=0.05)  # what was done to the logits, found from labels


def test_batches_add_up(case):
    label, probabilities, _ = case
    one, other = measured(label, probabilities, 1), measured(label, probabilities, 4)
    assert one == pytest.approx(other, rel=1e-5)


def test_of_a_large_image_a_grid_of_pixels_tells_the_temperature(case, monkeypatch):
    label, probabilities, factor = case
    monkeypatch.setattr(calibration, "PIXELS", 300)
    found = measured(label, probabilities)
    assert found["temperature"] == pytest.approx(factor, rel=0.25)  # of 260 pixels an image
    monkeypatch.undo()
    assert measured(label, probabilities)["calibration_error"] == found["calibration_error"]


def test_without_labels_nothing_is_known():
    label = np.full((1, 4, 4), IGNORE, np.uint8)
    found = measured(label, np.full((1, 4, 4, 2), 0.5, np.float32))
    assert np.isnan(list(found.values())).all()
    assert set(found) == {"calibration_error", "nll", "temperature", "nll_tempered"}


def test_tempered_probabilities_are_those_of_divided_logits():
    logits = np.array([[0.0, 1.0, -2.0], [3.0, 3.0, 0.0]], np.float32)
    found = tempered(jnp.asarray(softmax(logits)), 2.0)
    np.testing.assert_allclose(found, softmax(logits / 2), atol=1e-6)
    sure = np.asarray(tempered(jnp.asarray([[1.0, 0.0]], jnp.float32), 2.0))
    assert np.isfinite(sure).all()
    assert sure[0, 0] == pytest.approx(1.0)


def test_a_million_equal_pixels_keep_the_digits_of_float32():
    label = (np.random.default_rng(0).random((2, 512, 1024)) > 0.95).astype(np.uint8)
    probabilities = np.broadcast_to(np.asarray([0.95, 0.05], np.float32), (*label.shape, 2))
    found = measured(label, probabilities)
    assert found["calibration_error"] == pytest.approx(abs(0.95 - np.mean(label == 0)), abs=1e-6)
    known = np.where(label[:, ::2, ::2] == 0, 0.95, 0.05)  # every second pixel down and right tells the likelihood
    assert found["nll"] == pytest.approx(-np.log(known).mean(), rel=1e-6)
