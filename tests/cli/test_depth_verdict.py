"""Held-out frames tell whether depth was learnt: true depth explains them, a constant map does not."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from sde_seg_jax.experiment import depth_verdict
from sde_seg_jax.experiment.config import load_config
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.reporter import Collected
from sde_seg_jax.types import Outputs, Variables

SIZE, FOCAL, STEP, RANGE = (32, 64), 40.0, 0.4, DepthRange()
CENTRE = (SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2
ROWS, COLUMNS = np.mgrid[: SIZE[0], : SIZE[1]]
DEPTH = 4 / (1 + 0.08 * (ROWS - CENTRE[1]) / 2)  # a slope: so it looks from every camera that moves sideways


def frame(x):
    """The slope, painted in stripes and rings, from a camera at x."""
    along = (COLUMNS - CENTRE[0]) / FOCAL * DEPTH + x
    paint = 0.5 + 0.25 * np.sin(4 * along) + 0.2 * np.cos(7 * along + DEPTH)
    return np.repeat((255 * paint[..., None]).astype(np.uint8), 3, axis=-1)


class Slope:
    """Frames with neighbors of a camera that goes sideways, as a source."""

    name, fields, names, labeled, size = "slope", ("neighbors",), ["a", "b", "c"], np.zeros(3, bool), SIZE

    def __len__(self):
        return 3

    def read(self, index, fields=None, window=None):
        here = 1.0 + index
        return {
            "image": frame(here),
            "neighbors": np.stack([frame(here - STEP), frame(here + STEP)]),
            "intrinsics": np.array([FOCAL, FOCAL, *CENTRE], np.float32),
            "labeled": np.array(False),
            "name": self.names[index],
        }


class Network:
    """Knows the motion, and says the same depth of every image."""

    depth_decoder = pose_network = True
    intrinsics = None

    def __init__(self, depth):
        near, far = 1 / RANGE.min_depth, 1 / RANGE.max_depth
        self._disparity = jnp.asarray((1 / depth - far) / (near - far), jnp.float32)[None, ..., None]

    def fitting_size(self, height, width):
        return height, width

    def apply(self, variables, image, *others, method="", train=False):
        if method == "pose":  # a later camera further right sees points further left
            still = jnp.zeros((len(image), 3))
            return still, still.at[:, 0].set(-STEP)
        return Outputs(disparity=(jnp.repeat(self._disparity, len(image), axis=0),))


@pytest.fixture
def judged():
    """judged(network, source) -> (scores, lines) of the verdict."""

    def call(network, source=None, **has):
        config = load_config("folder", "quick_depth")
        known = {"neighbors": True, "depth": False, **has}
        data = types.SimpleNamespace(
            has=lambda use, field: known[field],
            source=lambda use, fields: source or Slope(),
            dataset="gta5",
            splits={"val": "val"},
        )
        told = Collected()
        with config.unlocked():
            config.eval.batch_size = 2
            return depth_verdict.judge(network, Variables({}, {}), config, data, told), told.lines

    return call


def test_true_depth_explains_the_frames(judged):
    found, (line,) = judged(Network(DEPTH))
    assert found["video/frames"] == 3
    assert found["video/explained"] == 1
    assert found["video/error"] < 0.5 * found["video/error_constant"] < 0.5 * found["video/error_unwarped"]
    assert found["video/depth_inconsistency"] < 1e-3
    inverse = 1 / DEPTH - 1 / RANGE.max_depth
    assert found["video/disparity_spread"] == pytest.approx(np.std(inverse) / np.mean(inverse), rel=1e-4)
    assert line.startswith("verdict: depth explains the video better than no depth on 100% of 3 held-out frames")
    assert found["verdict"] in line


@pytest.mark.parametrize("depth", [np.full(SIZE, 4.0), DEPTH[::-1]], ids=["constant", "upside down"])
def test_wrong_depth_does_not(judged, depth):
    found, _ = judged(Network(depth))
    assert found["video/explained"] == 0
    assert found["verdict"].startswith("not yet: depth explains only 0%")


def test_a_frame_has_the_same_scores_whatever_is_beside_it(judged):
    one = Slope()
    one.names, one.labeled = ["a"], np.zeros(1, bool)
    all_three = depth_verdict.measure(Network(DEPTH), Variables({}, {}), RANGE, Slope(), _eval(2))
    alone = depth_verdict.measure(Network(DEPTH), Variables({}, {}), RANGE, Slope(), _eval(1))
    for name, values in all_three.items():
        np.testing.assert_allclose(values, alone[name], atol=1e-5)


def _eval(size):
    return types.SimpleNamespace(eval=types.SimpleNamespace(batch_size=size))


def test_true_depth_judges_better_and_a_network_without_depth_has_no_verdict(judged):
    network = Network(DEPTH)
    assert judged(network, depth=True) == ({}, [])
    network.depth_decoder = None
    assert judged(network) == ({}, [])


def test_data_without_held_out_neighbors_say_so(judged):
    found, (line,) = judged(Network(DEPTH), neighbors=False)
    assert found == {}
    assert line == (
        "no verdict on depth, which held-out frames with neighbors would give: split 'val' of 'gta5' has none"
    )
