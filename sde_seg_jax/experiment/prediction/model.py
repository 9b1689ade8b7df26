"""A trained network to hold in one's hands: images of any size in, classes and depth of every pixel out."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import Float

from sde_seg_jax.experiment.build import Trained, load_trained
from sde_seg_jax.experiment.prediction.frames import read_image
from sde_seg_jax.experiment.prediction.prediction import Prediction
from sde_seg_jax.experiment.prediction.predictor import everything, features_at, in_batches
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

    def predict(self, image: Image | Sequence[Image]) -> Prediction | list[Prediction]:
        """What the network says of an image, or of each of a list of them.

        >>> out = model.predict("street.png")
        >>> out.classes.shape == out.confidence.shape == out.image.shape[:2]
        True
        >>> first, second = model.predict([image, image[:50]])

        Args:
          image: uint8 RGB [H,W,3] of any size, the path of an image file, or several of these (a list, or an array
            [B,H,W,3]), which are computed in batches of config.eval.batch_size.

        Raises:
          ValueError: an array of another kind, or a file that is no image; the message says which.
        """
        if isinstance(image, (list, tuple)) or getattr(image, "ndim", 3) == 4:
            return self._predict(list(cast("Sequence[Image]", image)), self.config.eval.batch_size)
        return self._predict([cast("Image", image)], 1)[0]

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
        return in_batches(features_at(self.network, level), self.variables, 1)(self._stored(_as_array(image))[None])[0]

    def _predict(self, images: list[Image], batch_size: int) -> list[Prediction]:
        found = []
        run = in_batches(everything(self.network), self.variables, batch_size)
        for start in range(0, len(images), batch_size):
            group = [_as_array(image) for image in images[start : start + batch_size]]
            maps = run(np.stack([self._stored(image) for image in group]))
            found += [
                self._prediction(image, {key: value[i] for key, value in maps.items()}) for i, image in enumerate(group)
            ]
        return found

    def _prediction(self, image: np.ndarray, maps: dict[str, np.ndarray]) -> Prediction:
        disparity = depth = None
        if "disparity" in maps:
            disparity = cv2.resize(maps["disparity"], image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            depths = pick(DepthRange, self.config.task)
            limits = (depths.min_depth, depths.max_depth)
            depth = np.asarray(disparity_to_depth(disparity, *limits))  # type: ignore[arg-type]
        return Prediction(image, self.space, maps.get("classes"), maps.get("probabilities"), disparity, depth)

    def _stored(self, image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA)


def load(path: str | os.PathLike, weights: str = "student") -> Model:
    """A trained network from its run.

    Args:
      path: the workdir of a run, or its checkpoints folder.
      weights: "student", or "teacher": the exponential moving average, where there is one.

    Raises:
      CheckpointError: there is no checkpoint, it is damaged, or it has no such weights; says what to give instead.
    """
    trained = load_trained(str(pathlib.Path(path).expanduser()), weights)
    return Model(trained, space_of(trained.config))


def _as_array(image: Image) -> np.ndarray:
    if isinstance(image, (str, os.PathLike)):
        return read_image(pathlib.Path(image).expanduser())
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3 or not array.size:
        raise ValueError(f"expected an image uint8 [H,W,3] (RGB, 0 to 255), got {array.dtype} {list(array.shape)}")
    return array
