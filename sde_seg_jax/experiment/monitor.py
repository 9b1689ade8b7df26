"""What a run shows while it trains: validation scores and pictures."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import Data
from sde_seg_jax.display import pictures
from sde_seg_jax.display.sheets import grid, rgb
from sde_seg_jax.evaluation.depth import CROPS
from sde_seg_jax.evaluation.evaluate import depth_scores, segmentation_scores
from sde_seg_jax.experiment.config import value_of
from sde_seg_jax.experiment.matched_pairs import Pairs, pairs_picture
from sde_seg_jax.experiment.prediction import predictor as predictors
from sde_seg_jax.geometry.depth import DepthRange
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.lookup import choose
from sde_seg_jax.losses import photometric
from sde_seg_jax.models.network import Network
from sde_seg_jax.options import pick
from sde_seg_jax.tasks import depth as depth_task
from sde_seg_jax.tasks.pictures import Mix
from sde_seg_jax.training import sharding
from sde_seg_jax.types import IGNORE, Batch, Streams, TrainState, Variables

SHOWN = 4  # samples in a picture


Keep = Callable[[np.ndarray], None]  # is given the confusion matrices [B,C,C] of the images of each batch
Scorer = Callable[[Network, Variables, config_dict.ConfigDict, Data, Keep | None], dict[str, float]]


def segmentation(
    network: Network, variables: Variables, config: config_dict.ConfigDict, data: Data, keep: Keep | None = None
) -> dict[str, float]:
    """Scores of the classes of whole images, as published."""
    size, subset = config.eval.batch_size, value_of(config, "eval.classes")
    classes = predictors.in_batches(predictors.class_predictor(network), variables, size)
    batches = data.validation(("label",), size)
    return segmentation_scores(classes, batches, data.space, quiet=True, classes=subset, keep=keep)


def score(
    network: Network,
    variables: Variables,
    config: config_dict.ConfigDict,
    data: Data,
    of_classes: Scorer = segmentation,
    keep: Keep | None = None,
) -> dict[str, float]:
    """Validation scores of whatever the network predicts and the data set knows; `of_classes` scores classes.

    A network with both heads may be scored on depth alone; one without true depth to fall back on needs labels.
    """
    size, found = config.eval.batch_size, {}
    depth_is_known = network.depth_decoder is not None and data.has("val", "depth")
    if network.segmentation is not None and (data.has("val", "label") or not depth_is_known):
        found |= of_classes(network, variables, config, data, keep)
    if depth_is_known:
        disparity = predictors.in_batches(predictors.disparity_predictor(network), variables, size)
        to_depth = predictors.depth_of(disparity, pick(DepthRange, config.task))
        crop = choose(CROPS, value_of(config, "eval.depth_crop"), "eval.depth_crop")
        found |= depth_scores(to_depth, data.validation(("depth",), size), quiet=True, crop=crop)
    return found


def make_evaluate(config: config_dict.ConfigDict, data: Data, network: Network) -> Callable[[TrainState], dict]:
    """Scores of the student (and of the teacher under `teacher/...`) for the training loop."""

    def evaluate(state: TrainState) -> dict[str, float]:
        student, teacher = sharding.here((state.student, state.teacher))
        found = score(network, student, config, data)
        if teacher is not None:
            found |= {f"teacher/{k}": v for k, v in score(network, teacher, config, data).items()}
        return found

    return evaluate


def make_pictures(
    config: config_dict.ConfigDict,
    data: Data,
    network: Network,
    mixer: Callable | None = None,
    pairs: Pairs | None = None,
) -> Callable[[TrainState, Streams], dict[str, np.ndarray]]:
    """Pictures of the current batch for the training loop, by what the network and the task have."""
    classes = predictors.class_predictor(network) if network.segmentation is not None else None
    view = jax.jit(lambda variables, batch: _depth_pieces(network, variables, batch)) if network.pose_network else None

    mix = jax.jit(mixer) if mixer is not None else None
    matched = {} if pairs is None else {"matching": pairs_picture(pairs)}  # the same all through a run

    def draw(state: TrainState, streams: Streams) -> dict[str, np.ndarray]:
        found = dict(matched)
        if mix is not None:
            mixes = sharding.fetched(mix(state, streams, jax.random.fold_in(state.key, state.step)))
            found |= {name: mixing_picture(pieces, data.space) for name, pieces in mixes.items()}
        if view is not None:
            batch = next(b for b in (streams.unlabeled, streams.labeled) if b is not None and b.neighbors is not None)
            found["depth"] = depth_picture(*sharding.fetched(view(state.student, batch)))
        if classes is not None:
            batch = streams.source if streams.labeled is None else streams.labeled
            batch, ids = sharding.fetched((batch, classes(state.student, batch.image)))
            found["prediction"] = label_rows(batch, ids, data.space)
        return found

    return draw


def _depth_pieces(network: Network, variables: Variables, batch: Batch):
    view = depth_task.as_view(network, variables, batch)
    warped, counts = photometric.photometric_details(view, jax.random.key(0))
    return batch.image, view.outputs.disparity[0][..., 0], warped, counts[..., 0]


def depth_picture(image, disparity, warped, counts) -> np.ndarray:
    """Rows of samples: image, disparity, both warped neighbors, where the warp counts."""
    rows = [
        [
            image[i],
            pictures.disparity_picture(disparity[i]),
            rgb(warped[i, 0]),
            rgb(warped[i, 1]),
            pictures.mask_picture(counts[i]),
        ]
        for i in range(min(SHOWN, len(image)))
    ]
    return grid(rows, captions=["image", "disparity", "previous, warped", "next, warped", "auto-mask"])


def mixing_picture(mix: Mix, space: LabelSpace) -> np.ndarray:
    """Rows of samples: the image pasted, the one below, their disparities (where known), mask, mix, its label.

    A pixel without a class, IGNORE, is shown as one.
    """
    named = {"disparity": mix.kept_disparity, "of the other": mix.under_disparity}
    known = {title: disparity for title, disparity in named.items() if disparity is not None}
    rows = []
    for i in range(min(SHOWN, len(mix.mask))):
        near = [pictures.disparity_picture(disparity[i]) for disparity in known.values()]
        label = np.where(mix.label[i] == IGNORE, space.ignore, mix.label[i])
        images = [rgb(mix.kept[i]), rgb(mix.under[i])]
        mask, label = pictures.mask_picture(mix.mask[i]), pictures.label_picture(label, space)
        rows.append([*images, *near, mask, rgb(mix.image[i]), label])
    return grid(rows, captions=["image", "pasted on", *known, "mask", "mixed image", "mixed label"])


def label_rows(batch: Batch, predicted: np.ndarray, space) -> np.ndarray:
    """Rows of samples: image, ground truth, prediction."""
    image, label = np.asarray(batch.image), np.asarray(batch.label)
    rows = [
        [image[i], pictures.label_picture(label[i], space), pictures.label_picture(predicted[i], space)]
        for i in range(min(SHOWN, len(image)))
    ]
    return grid(rows, captions=["image", "ground truth", "prediction"])
