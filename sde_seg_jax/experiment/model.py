"""A trained network to hold in one's hands: images of any size in, classes and depth of every pixel out."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sde_seg_jax.experiment.build import Trained, load_trained
from sde_seg_jax.experiment.frames import read_image
from sde_seg_jax.experiment.predictor import everything, features_at, in_batches
from sde_seg_jax.experiment.spaces import space_of
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.models.network import Network
from sde_seg_jax.options import pick
from sde_seg_jax.report import pictures
from sde_seg_jax.types import Variables

Image = np.ndarray | str | os.PathLike


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a network says of one image; None for what it does not predict.

    Attributes:
      image: uint8 RGB [H,W,3], as it was given.
      space: the classes: `space.classes[id]` is a name, `space.colors[id]` its color.
      stored_probabilities: float32 [h,w,C] at the size that the network sees, in [0,1].
      disparity: float32 [H,W] in (0,1); near is large.
      depth: float32 [H,W], up to one unknown scale if depth was learnt from video alone.
    """

    image: UInt8[np.ndarray, "H W 3"]
    space: LabelSpace | None = None
    stored_classes: UInt8[np.ndarray, "h w"] | None = None
    stored_probabilities: Float[np.ndarray, "h w C"] | None = None
    disparity: Float[np.ndarray, "H W"] | None = None
    depth: Float[np.ndarray, "H W"] | None = None

    @functools.cached_property
    def classes(self) -> UInt8[np.ndarray, "H W"] | None:
        """Class ids, those of the nearest pixel that the network saw."""
        return self._nearest(self.stored_classes)

    @functools.cached_property
    def probabilities(self) -> Float[np.ndarray, "H W C"] | None:
        """Of every class, in [0,1], sum 1; those of the nearest pixel that the network saw."""
        return self._nearest(self.stored_probabilities)

    @functools.cached_property
    def confidence(self) -> Float[np.ndarray, "H W"] | None:
        """Probability of the class that was chosen, in [0,1]."""
        return None if self.stored_probabilities is None else self._nearest(self.stored_probabilities.max(axis=-1))

    def overlay(self) -> UInt8[np.ndarray, "H W 3"]:
        """The image with class colors over it. Raises ValueError for a network without classes."""
        if self.classes is None:
            raise ValueError("this network predicts no classes: load a segmentation run, or look at .disparity")
        return pictures.overlay(self.image, self.classes, self.space)

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """The image beside everything that was predicted, with captions."""
        found = {"image": self.image}
        if self.classes is not None:
            found["classes"] = self.overlay()
        if self.disparity is not None:
            found["disparity (near is bright)"] = pictures.disparity_picture(self.disparity)
        return pictures.grid([list(found.values())], captions=list(found))

    def show(self) -> None:
        """Shows `picture`: below the cell of a notebook, else in a window."""
        from PIL import Image as pillow

        picture = pillow.fromarray(self.picture())
        try:
            get_ipython  # noqa: B018 (there in notebooks)
        except NameError:
            picture.show()
        else:
            from IPython.display import display

            display(picture)

    def _nearest(self, values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        height, width = self.image.shape[:2]
        rows, columns = (_nearest_indices(*sides) for sides in ((values.shape[0], height), (values.shape[1], width)))
        return values[rows[:, None], columns]


@dataclasses.dataclass(frozen=True)
class Model:
    """A network read back from a run; `load` makes one.

    Attributes:
      trained: network, variables, configuration and step.
      space: its classes; none for a network that predicts depth alone.
    """

    trained: Trained
    space: LabelSpace | None

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

        Args:
          image: uint8 RGB [H,W,3] of any size, the path of an image file, or a list of these, which is computed in
            batches of config.eval.batch_size.

        Raises:
          ValueError: an array of another kind, or a file that is no image; the message says which.
        """
        if isinstance(image, (str, os.PathLike)) or (isinstance(image, np.ndarray) and image.ndim == 3):
            return self._predict([image], 1)[0]
        return self._predict(list(image), self.config.eval.batch_size)

    def features(self, image: Image, level: int = 3) -> Float[np.ndarray, "h w F"]:
        """The encoder's feature map of an image: level 0 has a half, 1 a quarter, ... of the resolution it sees.

        The last, 4, has 1/32, or less downsampling where the encoder is dilated. Raises ValueError for other levels.
        """
        if not 0 <= level <= 4:
            raise ValueError(f"level={level}: the encoder has the maps 0 (fine) to 4 (coarse)")
        return np.asarray(features_at(self.network, level)(self.variables, self._stored(_as_array(image))[None]))[0]

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
            depth = np.asarray(disparity_to_depth(disparity, depths.min_depth, depths.max_depth))
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
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3:
        raise ValueError(f"expected an image uint8 [H,W,3] (RGB, 0 to 255), got {array.dtype} {list(array.shape)}")
    return array


@functools.lru_cache(64)
def _nearest_indices(stored: int, wanted: int) -> np.ndarray:
    """For each of `wanted` places the nearest of `stored`, as cv2.INTER_NEAREST chooses it."""
    row = np.arange(stored, dtype=np.float32)[None]
    return cv2.resize(row, (wanted, 1), interpolation=cv2.INTER_NEAREST)[0].astype(np.int64)
