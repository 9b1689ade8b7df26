"""What `kernels.py` times, as values: sizes, inputs, and one kernel with our forms of it and its PyTorch peer."""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

EPSILON = 2.0**-23  # of float32
OURS = "package"  # our form in the package, with which the others are compared


@dataclasses.dataclass(frozen=True)
class Size:
    """How large kernels are; channels are those of ResNet-101 times `width`/64."""

    batch: int
    image: tuple[int, int]  # height, width [px]
    map: tuple[int, int]  # of the encoder's last features: 1/16 of a published image
    width: int

    def channels(self, published: int) -> int:
        """Channels where the published network has so many."""
        return max(1, published * self.width // 64)


SIZES = {
    "gpu": Size(8, (512, 512), (32, 32), 64),
    "cpu": Size(4, (64, 128), (32, 32), 8),
    "tiny": Size(3, (16, 32), (8, 8), 4),  # to see that all works
}


def text(*shape: int) -> str:
    """ "8x32x32x512"."""
    return "x".join(str(n) for n in shape)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal."""
    return rng.standard_normal(shape, np.float32)


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """In [0,1)."""
    return rng.random(shape, np.float32)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Features as they leave a ReLU: means are far from zero, compared with how they vary from image to image."""
    return np.maximum(normal(rng, shape), 0)


def weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Kernels HWIO of variance 1/fan-in; vectors around 1, as the factors of batch norm."""
    if len(shape) == 4:
        return normal(rng, shape) / np.float32(math.sqrt(math.prod(shape[:3])))
    return 1 + normal(rng, shape) / 10


@dataclasses.dataclass(frozen=True)
class Input:
    """An array of a kernel. Layout: "image" [...,H,W,C], "kernel" HWIO, or "plain", the same in PyTorch."""

    shape: tuple[int, ...]
    layout: str = "image"
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] = normal
    narrow: bool = True  # in the compute dtype; else float32


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One part of a training step; `mode`, `wrt` and `aux` are those of `kernel_forms.start`."""

    name: str
    what: str  # shapes
    inputs: tuple[Input, ...]  # the last is the cotangent where gradients are taken
    layouts: tuple[str, ...]  # of the results that are compared
    ours: Mapping[str, Callable]  # our forms by name, "package" among them
    peer: Callable[[ModuleType], Any]  # kernel_peers -> a maker
    mode: str = "forward"
    wrt: tuple[int, ...] = ()
    aux: bool = False
    others: tuple[str, ...] = ()  # forms that compute something else, for comparison
    checked: tuple[Callable, Callable[[ModuleType], Any]] | None = None  # both without their randomness, to compare
    terms: float = 1  # products that are added up in a result
    kinked: bool = False  # gradients jump where a ReLU's input crosses zero
    flops: float | None = None
    narrows: bool = False  # in bfloat16, too
    compiles: bool = True  # torch.compile makes sense of the peer

    def arrays(self) -> list[np.ndarray]:
        """The inputs, float32, the same in every run."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [given.draw(rng, given.shape) for given in self.inputs]

    def tolerances(self) -> list[float]:
        """The largest relative difference |a - b| / |b| (L2) that float32 explains, one a compared result.

        Each of n added products is rounded, and roundings add up as a random walk does: eps (8 + sqrt(n)), with 8 for
        what else is computed. A ReLU whose input is within that of zero may let the gradient pass on one side only: a
        share p of such inputs changes a gradient by sqrt(p).
        """
        smooth = EPSILON * (8 + math.sqrt(self.terms))
        kinked = math.sqrt(smooth) if self.kinked else smooth
        return [smooth if i == 0 else kinked for i in range(len(self.layouts))]


def differentiable(
    name: str,
    what: str,
    ours: Mapping[str, Callable] | Callable,
    peer: Callable[[ModuleType], Any],
    inputs: Sequence[Input],
    *,
    mode: str = "both",
    wrt: tuple[int, ...] = (),
    output: str = "image",
    aux: bool = False,
    narrows: bool = False,
    **more: Any,
) -> Kernel:
    """A kernel of one output, with a random cotangent of its shape where gradients are taken."""
    ours = ours if isinstance(ours, Mapping) else {OURS: ours}
    layouts = [] if mode == "gradient" else [output]
    if mode != "forward":
        layouts += [inputs[i].layout for i in wrt]
        found = jax.eval_shape(ours[OURS], *(jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in inputs))
        inputs = [*inputs, Input((found[0] if aux else found).shape, output, narrow=narrows)]
    settings = {"mode": mode, "wrt": wrt, "aux": aux, "narrows": narrows}
    return Kernel(name, what, tuple(inputs), tuple(layouts), ours, peer, **settings, **more)
