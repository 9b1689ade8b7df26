"""How a trained network is asked about images: protocol, resolution, shape, temperature."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from sde_seg_jax.evaluation.protocols.protocol import WHOLE, Protocol
from sde_seg_jax.evaluation.protocols.sizes import Size, SizeRule, seen_size
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.predictor import maps_predictor, size_rule
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.lookup import suggest
from sde_seg_jax.models.network import Network
from sde_seg_jax.options import pick
from sde_seg_jax.training import sharding
from sde_seg_jax.types import Variables

TRAINED, FULL = "trained", "full"
RESOLUTIONS = (TRAINED, FULL)
KEEP = "keep"
ASPECTS = (KEEP, TRAINED)


@dataclasses.dataclass(frozen=True)
class Request:
    """How images are asked about.

    Attributes:
      protocol: whole, in windows, at several scales, mirrored.
      resolution: "trained": the network sees as many pixels as in training; "full": all that the image has.
      aspect: "keep": in the image's own shape; "trained": squeezed into that of training, which is right where images
        were squeezed for training, too. Of the resolution "full" always the image's own.
      temperature: logits are divided by it.

    Raises:
      ValueError: an unknown word, or no temperature above 0.
    """

    protocol: Protocol = WHOLE
    resolution: str = TRAINED
    aspect: str = KEEP
    temperature: float = 1.0

    def __post_init__(self):
        for name, value, known in (("resolution", self.resolution, RESOLUTIONS), ("aspect", self.aspect, ASPECTS)):
            if value not in known:
                raise ValueError(f"unknown {name}; {suggest(value, known)}")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature {self.temperature:g}: expected a number above 0; 1 changes nothing")

    def name(self, trained: Size) -> str:
        """The protocol's, of images of any size, by a network that was trained at one."""
        return self.protocol.name("full size" if self.resolution == FULL else trained)

    def size_of(self, image: Size, trained: Size, rule: SizeRule) -> Size:
        """The size to which an image is brought. Raises ValueError if it cannot be asked about like this."""
        if self.resolution == FULL:
            size = image
        elif self.aspect == TRAINED:
            size = trained
        else:
            size = seen_size(image, trained, rule)
        self.protocol.check(size, rule)
        return size


def predictors_of(trained: Trained, space: LabelSpace | None, request: Request, gives: tuple[str, ...] = ()) -> list:
    """The predictors of a trained network: one, or two if depth is to see images otherwise than classes do.

    `gives`: the maps that are wanted; (): all that the network has. Depth always sees the whole image at the trained
    resolution: it learnt what is near at that one.
    """
    wanted = [part for part in parts_of(trained.network) if not gives or part in gives]
    own = dataclasses.replace(request, protocol=WHOLE, resolution=TRAINED)
    if request.resolution == TRAINED or len(wanted) < 2:
        alone = own if wanted == [DISPARITY] else request
        return [_predictor(trained, space, alone, tuple(wanted))] if wanted else []
    return [_predictor(trained, space, request, (PROBABILITIES,)), _predictor(trained, space, own, (DISPARITY,))]


def parts_of(network: Network) -> tuple[str, ...]:
    """The maps that a network predicts."""
    has = {PROBABILITIES: network.segmentation, DISPARITY: network.depth_decoder}
    return tuple(name for name, part in has.items() if part is not None)


def _predictor(trained: Trained, space: LabelSpace | None, request: Request, gives: tuple[str, ...]) -> Predictor:
    network, size, rule = trained.network, tuple(trained.config.data.size), size_rule(trained.network)
    request.protocol.check(size if request.resolution == TRAINED else (2**15, 2**15), rule)
    function = maps_predictor(network, gives, request.protocol, request.temperature)

    @functools.lru_cache(256)
    def size_of(image: Size) -> Size:
        return request.size_of(image, size, rule)

    return Predictor(
        call=on_all_devices(function, trained.variables),
        size_of=size_of,
        gives=gives,
        space=space if PROBABILITIES in gives else None,
        depths=pick(DepthRange, trained.config.task),
    )


def on_all_devices(function: Callable, variables: Variables) -> Callable[[np.ndarray], Any]:
    """(variables, images) -> maps becomes images -> maps, each batch split over as many devices as divide it."""

    @functools.cache
    def held(devices: int) -> tuple[Any, Variables]:
        if devices == 1:
            return jax.local_devices()[0], jax.device_put(variables, jax.local_devices()[0])
        mesh = sharding.own_mesh([devices])
        return NamedSharding(mesh, PartitionSpec(sharding.AXIS)), sharding.replicate(variables, mesh)

    def call(images: np.ndarray) -> Any:
        where, own = held(sharding.own_mesh([len(images)]).size)
        return function(own, jax.device_put(images, where))

    return call
