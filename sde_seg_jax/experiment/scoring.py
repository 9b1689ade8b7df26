"""How classes are scored: under which protocol, at which resolution, and how well calibrated they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.evaluation.evaluate import calibrated_scores
from sde_seg_jax.evaluation.protocols.protocol import WHOLE, Protocol
from sde_seg_jax.evaluation.protocols.views import Segmentation
from sde_seg_jax.experiment import monitor
from sde_seg_jax.experiment.build import Trained
from sde_seg_jax.experiment.config import UsageError, value_of
from sde_seg_jax.experiment.prediction import enlarging
from sde_seg_jax.experiment.prediction.asking import PROBABILITIES
from sde_seg_jax.experiment.prediction.model import brought_to
from sde_seg_jax.experiment.prediction.predictor import padded, segmenter, size_rule
from sde_seg_jax.experiment.prediction.request import FULL, KEEP, TRAINED, Request, predictors_of
from sde_seg_jax.experiment.prepare import original_size
from sde_seg_jax.lookup import suggest
from sde_seg_jax.models.network import Network
from sde_seg_jax.types import Variables

PREPARED = "prepared"
RESOLUTIONS = (PREPARED, TRAINED, FULL)


@dataclasses.dataclass(frozen=True)
class Asked:
    """How a network is scored. The default is the published protocol on the prepared images.

    Attributes:
      protocol: whole, in windows, at several scales, mirrored.
      resolution: "prepared": images and labels as they are prepared; "trained": labels at their original size, to which
        probabilities are enlarged, as cli.predict does; "full": the network, too, sees images at their original size.
      aspect: of the resolution "trained", in which shape the network sees an image, as `Request` has it.
    """

    protocol: Protocol = WHOLE
    resolution: str = PREPARED
    aspect: str = KEEP

    def __post_init__(self):
        if self.resolution not in RESOLUTIONS:
            raise ValueError(f"unknown resolution; {suggest(self.resolution, RESOLUTIONS)}")
        if self.aspect != KEEP and self.resolution != TRAINED:
            raise ValueError(f"aspect={self.aspect} is of resolution=trained alone; leave it out, or give both")

    def request(self) -> Request:
        """How images of resolution "trained" are asked about, just as cli.predict does it."""
        return Request(self.protocol, TRAINED, self.aspect)


PUBLISHED = Asked()


def at_resolution(config: config_dict.ConfigDict, asked: Asked) -> config_dict.ConfigDict:
    """The configuration of data at which labels are scored; those at another size have a folder of their own.

    Raises ValueError if the raw files, which tell the original size, are not there.
    """
    if asked.resolution == PREPARED:
        return config
    size, trained = original_size(config, config.data.val_split), tuple(config.data.size)
    copy = config.copy_and_resolve_references()
    if size != trained:
        with copy.unlocked(), copy.ignore_type():
            copy.data.size = size
            copy.data.prepared_dir = f"{config.data.prepared_dir.rstrip('/')}_{size[0]}x{size[1]}"
            copy.data.in_memory = False  # at that size they may not fit
    return copy


def scorer_of(asked: Asked, trained: Trained, config: config_dict.ConfigDict, data: Data) -> tuple[monitor.Scorer, str]:
    """What scores a network on validation data of a configuration, and the protocol's name.

    Raises ValueError for a protocol that does not fit network and images, or without classes to score.
    """
    scored = tuple(config.data.size)
    seen = scored
    if asked.resolution == TRAINED:
        seen = asked.request().size_of(scored, tuple(trained.config.data.size), size_rule(trained.network))
    name = asked.protocol.name(seen, scored)

    def of_classes(
        network: Network,
        variables: Variables,
        config: config_dict.ConfigDict,
        data: Data,
        keep: monitor.Keep | None = None,
    ) -> dict[str, float]:
        size = config.eval.batch_size
        one = dataclasses.replace(trained, network=network, variables=variables)
        predict = _enlarged(one, asked, size) if asked.resolution == TRAINED else _as_given(one, asked, size)
        subset = value_of(config, "eval.classes")
        return calibrated_scores(
            predict, data.validation(("label",), size), data.space, quiet=True, classes=subset, keep=keep
        )

    def published(
        network: Network,
        variables: Variables,
        config: config_dict.ConfigDict,
        data: Data,
        keep: monitor.Keep | None = None,
    ) -> dict[str, float]:
        return monitor.score(network, variables, config, data, of_classes, keep)

    if asked == PUBLISHED:
        return published, name
    if trained.network.segmentation is None or not data.has("val", "label"):
        lacks = "the split has no labels" if trained.network.segmentation else "the checkpoint predicts no classes"
        raise UsageError(f"protocol '{name}': {lacks}; depth is scored as published alone: leave those flags out")
    asked.protocol.check(seen, size_rule(trained.network))
    return of_classes, name


def lines(found: Mapping[str, Any]) -> list[str]:
    """Scores of classes for people, of the student and the teacher, each with its protocol."""
    told = []
    for prefix, who in (("", ""), ("teacher/", "teacher: ")):
        values = {
            key: found.get(prefix + key) for key in ("miou", "pixel_accuracy", "calibration_error", "temperature")
        }
        if None not in values.values():
            told.append(
                f"{who}mIoU {100 * values['miou']:.2f}%, pixel accuracy {100 * values['pixel_accuracy']:.2f}%, "
                f"calibration error {100 * values['calibration_error']:.2f}%, best temperature "
                f"{values['temperature']:.3f} ({found['protocol']})"
            )
    return told


def _as_given(trained: Trained, asked: Asked, batch_size: int) -> Callable[[np.ndarray], Segmentation]:
    """At the size of the images; the results stay on the device."""
    function, variables = segmenter(trained.network, asked.protocol), jax.device_put(trained.variables)

    def predict(images: np.ndarray) -> Segmentation:
        found = function(variables, padded(images, batch_size))
        return jax.tree.map(lambda values: values[: len(images)], found)

    return predict


def _enlarged(trained: Trained, asked: Asked, batch_size: int) -> Callable[[np.ndarray], Segmentation]:
    """Seen at the trained size, enlarged to that of the images, as cli.predict does."""
    (one,) = predictors_of(trained, None, asked.request(), (PROBABILITIES,))

    def predict(images: np.ndarray) -> Segmentation:
        size = images.shape[1:3]
        seen = np.stack([brought_to(image, one.size_of(size)) for image in images])
        found = np.asarray(one.call(padded(seen, batch_size))[PROBABILITIES])[: len(images)]
        classes = np.stack([enlarging.largest(values, size)[0] for values in found])
        enlarged = np.stack([np.stack(list(enlarging.planes(values, size)), axis=-1) for values in found])
        return Segmentation(classes, enlarged)

    return predict
