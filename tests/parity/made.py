"""A second set of recordings, of other sizes, made when it is asked for: `oracles` of random inputs.

No test may hold a size, a batch or a number of classes of the published set. Names, arrays and parameters are those of
its files; what float32 may differ by comes from the same function in float32, as it does there.
"""

import dataclasses
import functools
import pathlib
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import oracles
import torch
from golden import Recording

C, B = 7, 3  # classes and images
MARGIN, LEAST = 10, 2e-6  # of the tolerance, as the recordings' README has it


class Draws:
    """Random inputs by shape, float32."""

    def __init__(self, name: str):
        self._rng = np.random.default_rng(zlib.crc32(name.encode()))

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * self._rng.standard_normal(shape)).astype(np.float32)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        return self._rng.uniform(low, high, shape).astype(np.float32)

    def whole(self, *shape: int, below: int) -> np.ndarray:
        return self._rng.integers(0, below, shape)

    def labels(self, *shape: int, classes: int = C) -> np.ndarray:
        return np.where(self.uniform(*shape) < 0.1, oracles.UNKNOWN, self.whole(*shape, below=classes))

    def softmax(self, *shape: int) -> np.ndarray:
        values = np.exp(self.normal(*shape, scale=4.0).astype(np.float64))
        return (values / values.sum(1, keepdims=True)).astype(np.float32)


def geometry(draw: Draws) -> tuple[dict, dict, dict]:
    given = {"axisangle": draw.normal(5, 1, 3), "translation": draw.normal(5, 1, 3), "w_T": draw.normal(5, 4, 4)}
    given |= {"disp": draw.uniform(B, 1, 9, 4, low=0.01), "w_depth": draw.normal(B, 1, 9, 4)}
    return given, {"depth_ranges": [[0.2, 60.0], [0.01, 90.0], [0.1, 100.0]]}, {"ranges": "depth_ranges"}


def warping(draw: Draws) -> tuple[dict, dict, dict]:
    height, width = 13, 22
    k = np.tile(np.eye(4, dtype=np.float32), (B, 1, 1))
    k[:, 0, 0], k[:, 1, 1], k[:, 0, 2], k[:, 1, 2] = 15.5, 14.0, 10.2, 6.3
    given = {"K": k, "inv_K": np.linalg.inv(k.astype(np.float64)).astype(np.float32)}
    given |= {"depth": draw.uniform(B, 1, height, width, low=0.5, high=6.0), "w": draw.normal(B, 3, height, width)}
    given["image"] = draw.uniform(B, 3, height, width)
    for case, turn, move in (("a", 0.03, 0.1), ("b", 0.2, 1.5), ("c", 0.03, 0.1)):
        given[f"axisangle_{case}"], given[f"translation_{case}"] = (draw.normal(B, 1, 3, scale=s) for s in (turn, move))
    given["translation_b"][:, 0, 2] = -2.0  # towards the camera: some points come to lie behind it
    return given, {"eps": 1e-7}, {"eps": "eps"}


def similarity(draw: Draws) -> tuple[dict, dict, dict]:
    shape = (17, 11)
    given = {name: draw.uniform(B, 3, *shape) for name in ("x", "y")}
    given["y"] = (0.7 * given["x"] + 0.3 * given["y"]).astype(np.float32)
    given |= {"w_ssim": draw.normal(B, 3, *shape), "w_rep": draw.normal(B, 1, *shape)}
    return given | {"disp": draw.uniform(B, 1, *shape)}, {}, {}


def entropies(draw: Draws) -> tuple[dict, dict, dict]:
    height, width = 10, 18
    given = {"logits": draw.normal(B, C, height, width, scale=2.0), "target": draw.labels(B, height, width)}
    given |= {"logits_small": draw.normal(B, C, 5, 9), "logits_odd": draw.normal(B, C, 3, 11)}
    given["target_all_ignored"] = np.full((B, height, width), oracles.UNKNOWN)
    return given | {"pixel_weights": draw.uniform(B, height, width), "class_weight": draw.uniform(C, low=0.5)}, {}, {}


def uncertainties(draw: Draws) -> tuple[dict, dict, dict]:
    given = {"logits": draw.normal(B, C, 5, 12, scale=2.0), "w_ent": draw.normal(B, 5, 12)}
    given |= {name: draw.uniform(B, 1, 21, 8) for name in ("pred", "target")}
    return given | {"mask": (draw.uniform(B, 1, 21, 8) > 0.2).astype(np.float32)}, {}, {}


def pseudo_labels(draw: Draws) -> tuple[dict, dict, dict]:
    given = {"softmax": draw.softmax(B, C, 10, 14), "logits": draw.normal(B, C, 10, 14)}
    given["softmax"][:, :, :2, :3] = 0  # labeled images' pixels without a class
    given |= {"logits_small": draw.normal(B, C, 5, 7), "logits_edge": draw.normal(1, C, 2, 3)}
    edge = np.full((1, C, 2, 3), 0.001, np.float32)
    edge[0, 2] = np.array([[0.968, 0.9679999, 0.9680001], [0.5, 0.968, 0.99]], np.float32)
    return given | {"softmax_edge": edge}, {"consistency_weight": 1.0}, {}


def distances(draw: Draws) -> tuple[dict, dict, dict]:
    return {"features": draw.normal(7, 5, 3, 6), "bias": draw.uniform(7, high=30.0)}, {}, {}


def mixing(draw: Draws) -> tuple[dict, dict, dict]:
    shape = (9, 23)
    given = {"mask": draw.whole(B, *shape, below=2), "mask_half": draw.whole(B, *shape, below=2)}
    given |= {"img": draw.uniform(B, 3, *shape), "img4": draw.uniform(2 * B, 3, *shape)}
    return given | {"softmax": draw.softmax(B, C, *shape), "lbl": draw.labels(B, *shape)}, {}, {}


def scores(draw: Draws) -> tuple[dict, dict, dict]:
    given = {"gt": draw.labels(4, 11, 15, classes=C - 1), "pred": draw.whole(4, 11, 15, below=C - 2)}
    return (
        given,
        {"n_classes": C, "batches": [[0, 3], [3, 4]], "capped": 2},
        {"classes": "n_classes", "capped": "capped"},
    )


MAKERS: dict[str, tuple[Callable[[Draws], tuple[dict, dict, dict]], Callable[..., Any]]] = {
    "g01_geometry": (geometry, oracles.geometry),
    "g02_warp": (warping, oracles.warping),
    "g03_ssim_smooth": (similarity, oracles.similarity),
    "g09_cross_entropy2d": (entropies, oracles.entropies),
    "g09_entropy_berhu": (uncertainties, oracles.uncertainties),
    "g10_mix": (mixing, oracles.mixing),
    "g10_pseudo_label_loss": (pseudo_labels, oracles.pseudo_labels),
    "g12_running_score": (scores, oracles.scores),
    "g13_feature_distance": (distances, oracles.distances),
}
# What the published functions give where ours is defined: README of the recordings, quirks 16 and 27.
NOT_FINITE = {
    "g09_cross_entropy2d": {"out.allign": np.float32(np.nan)},
    "g09_entropy_berhu": {"out.grad_berhu_equal_isnan": np.bool_(True)},
}


@dataclasses.dataclass(frozen=True)
class Made(Recording):
    """A recording that nobody recorded: `made("g02_warp")`."""

    @functools.cached_property
    def _made(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        make, oracle = MAKERS[self.name]
        given, params, options = make(Draws(self.name))
        named = {option: params[key] for option, key in options.items()}
        wide, narrow = (_asked(oracle, given, dtype, named) for dtype in (torch.float64, torch.float32))
        arrays = {f"in.{key}": value for key, value in given.items()} | NOT_FINITE.get(self.name, {})
        arrays |= {f"out64.{key}": value for key, value in wide.items()}
        if self.name == "g10_pseudo_label_loss":
            edge = {
                "softmax": given["softmax_edge"],
                "logits": given["logits_edge"],
                "logits_small": given["logits_edge"],
            }
            arrays["out.loss_edge_float32"] = _asked(oracle, edge, torch.float32, {})["loss_logits"]
        noise = {f"out64.{key}": _noise(wide[key], narrow[key]) for key in wide}
        noise |= {key: _noise(arrays[key], arrays[key]) for key in arrays if key.startswith("out.")}
        return arrays, {"params": params, "arrays": noise}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return self._made[0]

    @property
    def entry(self) -> dict[str, Any]:
        return self._made[1]


def made(name: str) -> Made:
    """Of a name of `MAKERS`."""
    return Made(name, pathlib.Path("made"))


def _asked(oracle, given: dict[str, np.ndarray], dtype: torch.dtype, options: dict) -> dict[str, np.ndarray]:
    tensors = {key: torch.tensor(value) for key, value in given.items()}
    tensors = {k: t.to(dtype).requires_grad_() if t.is_floating_point() else t for k, t in tensors.items()}
    return {key: np.asarray(torch.as_tensor(value).detach()) for key, value in oracle(tensors, **options).items()}


def _noise(wide: np.ndarray, narrow: np.ndarray) -> dict[str, float]:
    wide, narrow = (np.asarray(values, np.float64) for values in (wide, narrow))
    known = np.isfinite(wide)
    off, most = np.abs(wide[known] - narrow[known]), float(np.abs(wide[known]).max(initial=0))
    return {
        "maxabs": most,
        "f32_vs_f64_p99": float(np.percentile(off, 99)) if off.size else 0.0,
        "suggested_atol_for_a_float32_implementation": max(MARGIN * float(off.max(initial=0)), LEAST * most),
    }
