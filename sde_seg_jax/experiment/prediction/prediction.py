"""What a network says of one image, at the image's size, to look at or to compute with."""

from __future__ import annotations

import dataclasses
import functools
import sys

import numpy as np
from jaxtyping import Float, UInt8

from sde_seg_jax.display import pictures
from sde_seg_jax.experiment.prediction import enlarging
from sde_seg_jax.label_spaces import LabelSpace


@dataclasses.dataclass(frozen=True, repr=False)
class Prediction:
    """What a network says of one image; None for what it does not predict.

    Attributes:
      image: uint8 RGB [H,W,3], as it was given.
      space: the classes: `space.classes[id]` is a name, `space.colors[id]` its color.
      stored_classes: ids at the size that the network sees, of a network that tells no probabilities.
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

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        classes = self.stored_classes if self.stored_probabilities is None else self.stored_probabilities
        found = {"classes": classes, "disparity and depth": self.disparity}
        known = [name for name, values in found.items() if values is not None]
        return f"Prediction({' and '.join(known) or 'nothing'} of {width}x{height} pixels)"

    @functools.cached_property
    def classes(self) -> UInt8[np.ndarray, "H W"] | None:
        """Class ids: at every pixel of the image the most probable one."""
        if self.stored_probabilities is None:
            return None if self.stored_classes is None else enlarging.nearest(self.stored_classes, self._size)
        return self._chosen[0]

    @functools.cached_property
    def probabilities(self) -> Float[np.ndarray, "H W C"] | None:
        """Of every class, in [0,1], sum 1: those that the network gave, enlarged bilinearly."""
        if self.stored_probabilities is None:
            return None
        return np.stack(list(enlarging.planes(self.stored_probabilities, self._size)), axis=-1)

    @functools.cached_property
    def confidence(self) -> Float[np.ndarray, "H W"] | None:
        """Probability of the class that was chosen, in [0,1]."""
        return None if self.stored_probabilities is None else self._chosen[1]

    @functools.cached_property
    def entropy(self) -> Float[np.ndarray, "H W"] | None:
        """How unsure the network is: 0 where one class is certain, 1 where all are equally probable."""
        if self.stored_probabilities is None:
            return None
        return enlarging.entropy(self.stored_probabilities, self._size)

    @functools.cached_property
    def _chosen(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.stored_probabilities is not None  # whoever asks has looked
        return enlarging.largest(self.stored_probabilities, self._size)

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self.image.shape[:2]
        return height, width

    def overlay(self) -> UInt8[np.ndarray, "H W 3"]:
        """The image with class colors over it. Raises ValueError for a network without classes."""
        if self.classes is None or self.space is None:
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
        """Shows `picture`: below the cell of a notebook, else in a window. No screen? Save `picture()`."""
        from PIL import Image as pillow

        picture = pillow.fromarray(self.picture())
        if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
            from IPython.display import display

            display(picture)
        else:
            picture.show()
