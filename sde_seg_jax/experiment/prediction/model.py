"""A trained network to hold in one's hands: images of any size in, classes and depth of every pixel out."""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import cv2
import jax
import numpy as np
from jaxtyping import Float

from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.prediction.asking import DISPARITY, PROBABILITIES, Predictor
from sde_seg_jax.experiment.prediction.enlarging import resized
from sde_seg_jax.experiment.prediction.frames import read_image
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.experiment.prediction.predictor import features_at, in_batches, padded
from sde_seg_jax.experiment.prediction.request import Request, predictors_of
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.models.network import Network
from sde_seg_jax.options import pick
from sde_seg_jax.types import Variables

Image = np.ndarray | str | os.PathLike


@dataclasses.dataclass(frozen=True, repr=False)
class Model:
    """A network read back from a run; `load` makes one.

    Attributes:
      trained: network, variables, configuration and step.
      space: its classes; none for a network that predicts depth alone.
    """

    trained: Trained
    space: LabelSpace | None

    def __repr__(self) -> str:
        height, width = self.size
        task = f"task {self.config.task.name!r}, {self.config.model.encoder}, {len(self.classes)} classes"
        return f"Model({task}, step {self.step}, for {width}x{height} pixels)"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by class id."""
        return self.space.classes if self.space and self.network.segmentation is not None else ()

    @property
    def network(self) -> Network:
        """The flax module: `network.apply({"params": ..., "batch_stats": ...}, image)`."""
        return self.trained.network

    @property
    def variables(self) -> Variables:
        """Parameters and running statistics."""
        return self.trained.variables

    @property
    def config(self) -> Any:
        """The configuration that it was trained with."""
        return self.trained.config

    @property
    def step(self) -> int:
        """Number of updates that it has seen."""
        return self.trained.step

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels to which images are brought before the network sees them."""
        return tuple(self.config.data.size)

    def predict(self, image: Image | Sequence[Image], request: Request = Request()) -> Prediction | list[Prediction]:
        """What the network says of an image, or of each of a list of them.

        >>> out = model.predict("street.png")
        >>> out.classes.shape == out.confidence.shape == out.image.shape[:2]
        True
        >>> first, second = model.predict([image, image[:50]])

        Args:
          image: uint8 RGB [H,W,3] of any size, the path of an image file, or several of these (a list, or an array
            [B,H,W,3]), which are computed in batches of config.eval.batch_size.
          request: protocol, resolution, temperature; the default is the whole image in its own shape, with about as
            many pixels as in training.

        Raises:
          ValueError: an array of another kind, a file that is no image, or a protocol that does not fit; says which.
        """
        if isinstance(image, (list, tuple)) or getattr(image, "ndim", 3) == 4:
            return self._predict(list(cast("Sequence[Image]", image)), self.config.eval.batch_size, request)
        return self._predict([cast("Image", image)], 1, request)[0]

    def features(self, image: Image, level: int = 3) -> Float[np.ndarray, "h w F"]:
        """The encoder's feature map of an image: level 0 has a half, 1 a quarter, ... of the resolution it sees.

        >>> model.features(image, level=3).shape
        (4, 4, 32)

        The last, 4, has 1/32, or less downsampling where the encoder is dilated. Other encoders have other maps
        (`network.maps`): a transformer's are those of several blocks, shallow to deep. Raises ValueError for a level
        that there is not.
        """
        last = len(self.network.maps.channels) - 1
        if not 0 <= level <= last:
            raise ValueError(f"level={level}: the encoder has the maps 0 (fine) to {last} (coarse)")
        image = brought_to(_as_array(image), self.size)
        return in_batches(features_at(self.network, level), self.variables, 1)(image[None])[0]

    def predictors(self, request: Request = Request(), gives: tuple[str, ...] = ()) -> list[Predictor]:
        """What `files` and other programs ask: uint8 images in, probabilities and disparity out (`asking.Predictor`).

        Raises ValueError for a protocol that the network does not allow.
        """
        if (request, gives) not in self._made:  # the weights go to the device once
            self._made[request, gives] = predictors_of(self.trained, self.space, request, gives)
        return self._made[request, gives]

    @functools.cached_property
    def _made(self) -> dict[tuple, list[Predictor]]:
        return {}

    def _predict(self, images: list[Image], batch_size: int, request: Request) -> list[Prediction]:
        arrays = [_as_array(image) for image in images]
        found: list[dict[str, np.ndarray]] = [{} for _ in images]
        for one in self.predictors(request):
            groups = collections.defaultdict(list)
            for number, image in enumerate(arrays):
                groups[one.size_of(image.shape[:2])].append(number)
            for size, numbers in groups.items():
                for start in range(0, len(numbers), batch_size):
                    chosen = numbers[start : start + batch_size]
                    batch = padded(np.stack([brought_to(arrays[number], size) for number in chosen]), batch_size)
                    maps = jax.device_get(one.call(batch))
                    for place, number in enumerate(chosen):
                        found[number] |= {key: values[place] for key, values in maps.items()}
        depths = pick(DepthRange, self.config.task)
        return [prediction_of(*pair, self.space, depths) for pair in zip(arrays, found, strict=True)]


def prediction_of(
    image: np.ndarray, maps: Mapping[str, np.ndarray], space: LabelSpace | None, depths: DepthRange
) -> Prediction:
    """Maps of one image, at any size, as a prediction of it."""
    disparity = depth = None
    if DISPARITY in maps:
        disparity = resized(maps[DISPARITY], image.shape[:2])
        limits = (depths.min_depth, depths.max_depth)
        depth = np.asarray(disparity_to_depth(disparity, *limits))  # type: ignore[arg-type]
    return Prediction(image, space, None, maps.get(PROBABILITIES), disparity, depth)


def brought_to(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image at the size at which a network is to see it; made smaller, each pixel is the mean of its area."""
    return image if image.shape[:2] == tuple(size) else cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def load(path: str | os.PathLike, weights: str = "student") -> Model:
    """A trained network from its run, from what cli.push wrote, or from cli.export's file (`exported.ExportedModel`).

    Args:
      path: the workdir of a run, or its checkpoints folder; hf://org/name or a folder of cli.push; FILE.onnx,
        .stablehlo, .tflite or the folder of a SavedModel.
      weights: "student", or "teacher": the exponential moving average, where there is one.

    Raises:
      CheckpointError: there is no checkpoint, it is damaged, or it has no such weights; says what to give instead.
    """
    from sde_seg_jax.experiment.prediction.exported import is_exported, load_exported
    from sde_seg_jax.experiment.weights.sharing import read_trained

    if is_exported(path):
        return load_exported(path, weights)
    trained = read_trained(os.fspath(path), weights)
    return Model(trained, space_of(trained.config))


def _as_array(image: Image) -> np.ndarray:
    if isinstance(image, (str, os.PathLike)):
        return read_image(pathlib.Path(image).expanduser())
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3 or not array.size:
        remedy = "; of numbers in [0,1]: (255 * image).round().astype('uint8')" if array.dtype.kind == "f" else ""
        got = f"{array.dtype} {list(array.shape)}"
        raise ValueError(f"expected an image uint8 [H,W,3] (RGB, 0 to 255), got {got}{remedy}")
    return array
