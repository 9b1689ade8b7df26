"""What depth is worth where nobody knows the true one: how well it explains held-out frames of the video."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import config_dict

from sde_seg_jax.data.reading.dataset import Data, open_data
from sde_seg_jax.data.reading.memory import memory_eval_batches
from sde_seg_jax.data.reading.some import Some
from sde_seg_jax.data.spec import find
from sde_seg_jax.data.stored.finished import find_finished, metadata
from sde_seg_jax.evaluation.video import MEASURES, comparison, verdict, video_scores
from sde_seg_jax.experiment.config import call
from sde_seg_jax.experiment.prediction.predictor import fitted, padded
from sde_seg_jax.experiment.prepare import prepare_data
from sde_seg_jax.geometry import camera
from sde_seg_jax.geometry.consistency import depth_inconsistency
from sde_seg_jax.geometry.depth import DepthRange, disparity_to_depth
from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.losses import photometric
from sde_seg_jax.models.network import Network
from sde_seg_jax.options import pick
from sde_seg_jax.processes import together
from sde_seg_jax.reporter import SILENT, Reporter
from sde_seg_jax.tasks.forward import predict
from sde_seg_jax.tasks.motion import known_camera, predicted_poses, triplet
from sde_seg_jax.types import Batch, Outputs, Variables, View

FRAMES = 100  # at most so many are looked at, spread evenly
CONSTANTS = 24  # constant depths that are tried, at equal ratios between the nearest and the farthest
FIELDS = ("neighbors",)


def judge(
    network: Network, variables: Variables, config: config_dict.ConfigDict, data: Data, reporter: Reporter = SILENT
) -> dict[str, float | str]:
    """Scores of held-out frames as `evaluation.video.video_scores`, and "verdict", a sentence, which is told.

    {} where true depth is known, which judges better, where the network knows no depth or no motion, and, with a line
    that says so, where no held-out frames have neighbors.
    """
    if network.depth_decoder is None or network.pose_network is None or data.has("val", "depth"):
        return {}
    try:
        source = held_out(config, data, reporter)
    except (ValueError, OSError) as error:
        reporter.tell(f"no verdict on depth, which held-out frames with neighbors would give: {error}")
        return {}
    picks = np.unique(np.linspace(0, len(source) - 1, FRAMES).astype(int))
    found = video_scores(measure(network, variables, pick(DepthRange, config.task), Some(source, picks), config))
    sentence = verdict(found)
    reporter.tell(f"verdict: {sentence}\n         {comparison(found)}")
    return {**found, "verdict": sentence}


def held_out(config: config_dict.ConfigDict, data: Data, reporter: Reporter):
    """A source of frames with neighbors that did not train. Raises ValueError, OSError if there is none."""
    if data.has("val", "neighbors"):
        return data.source("val", FIELDS)
    split = find(data.dataset).held_out_video
    if not split:
        raise ValueError(f"split {data.splits['val']!r} of '{data.dataset}' has none")
    copy = config.copy_and_resolve_references()
    copy.data.update(train_split=split, video_split=split, unlabeled_split="", val_split=split, in_memory=False)
    prepare_data(copy, reporter=reporter)
    source = call("data", open_data, copy.data).source("val", FIELDS)
    trained = _names(config)  # the split between the two moves when labels are added
    kept = [index for index, name in enumerate(source.names) if name not in trained]
    if not kept:
        raise ValueError(f"all frames of split {split!r} have trained; prepare into another data.prepared_dir")
    return Some(source, kept)


def _names(config: config_dict.ConfigDict) -> set[str]:
    """Of the frames that depth was trained on, as far as the prepared data tell."""
    folder = find_finished(find(config.data.dataset), config.data.prepared_dir)
    splits = {} if folder is None else metadata(folder)["splits"]
    return set(splits.get(config.data.video_split, {}).get("names", ()))


def measure(
    network: Network, variables: Variables, depths: DepthRange, source, config: config_dict.ConfigDict
) -> dict[str, np.ndarray]:
    """Every one of `evaluation.video.MEASURES` for each sample of a source, float32 [N]."""
    size, function, rows = config.eval.batch_size, _measures(network, depths), []
    for batch in together.part(memory_eval_batches(source, size, FIELDS)):
        count, seen = len(batch.image), Batch(batch.image, batch.intrinsics, batch.neighbors)
        found = jax.device_get(function(variables, jax.tree.map(lambda x: padded(x, size), seen)))
        rows.append({name: values[:count] for name, values in found.items()})
    rows = together.in_order(rows)
    found = {name: np.concatenate([row[name] for row in rows]) for name in MEASURES}
    best = found["error_constant"].mean(0).argmin()  # one for all frames: a scale for each is not given to depth either
    return {**found, "error_constant": found["error_constant"][:, best]}


@functools.lru_cache
def _measures(network: Network, depths: DepthRange) -> Callable[[Variables, Batch], dict[str, jax.Array]]:
    """(variables, uint8 batch with neighbors) -> MEASURES of each sample [B]; errors of all constants [B,K]."""

    @jax.jit
    def measures(variables: Variables, batch: Batch) -> dict[str, jax.Array]:
        frames = triplet(batch)
        shape = frames.shape[2:4]
        target, *others = (
            resize_bilinear(predict(network, variables, fitted(network, frames[:, i])).disparity[0], shape)
            for i in range(3)
        )
        view = View(
            image=frames[:, 0],
            outputs=Outputs(disparity=(target,)),
            sources=frames[:, 1:],
            source_from_target=predicted_poses(network, variables, frames),
            intrinsics=known_camera(network, variables.params, batch.intrinsics),
        )
        warped = _warped_error(view, target, depths)
        standing = _least(photometric.photometric_error(view.image[:, None, None], view.sources[:, None]))
        constants = jnp.asarray(_constants(depths), target.dtype)
        return {
            "error": _mean(warped),
            "error_unwarped": _mean(standing),
            "error_constant": jax.lax.map(
                lambda constant: _mean(_warped_error(view, jnp.full_like(target, constant), depths)), constants
            ).T,
            "auto_masked": _mean((warped >= standing).astype(target.dtype)),
            "disparity_spread": jnp.std(target, axis=(1, 2, 3)) / jnp.mean(target, axis=(1, 2, 3)),
            "depth_inconsistency": _inconsistency(view, target, others, depths),
        }

    return measures


def _constants(depths: DepthRange) -> np.ndarray:
    """The disparities of CONSTANTS depths."""
    near, far = 1 / depths.min_depth, 1 / depths.max_depth
    return (np.geomspace(near, far, CONSTANTS) - far) / (near - far)


def _warped_error(view: View, disparity: jax.Array, depths: DepthRange) -> jax.Array:
    """[B,1,H,W,1], of the neighbors warped through a disparity [B,H,W,1]."""
    seen = view.replace(outputs=Outputs(disparity=(disparity,)))
    warped = photometric.warp_sources(seen, depths.min_depth, depths.max_depth)
    return _least(jnp.swapaxes(photometric.photometric_error(view.image[:, None, None], warped), 1, 2))


def _inconsistency(view: View, target: jax.Array, others: list[jax.Array], depths: DepthRange) -> jax.Array:
    """[B]: `geometry.consistency` against both neighbors."""
    k, inverse = camera.matrix(view.intrinsics), camera.inverse_matrix(view.intrinsics)
    depth, *near = (disparity_to_depth(d, depths.min_depth, depths.max_depth) for d in (target, *others))
    pairs = [depth_inconsistency(depth, d, k, inverse, view.source_from_target[:, i]) for i, d in enumerate(near)]
    return sum(pairs) / len(pairs)


_least = photometric.minimum_over_frames


def _mean(maps: jax.Array) -> jax.Array:
    """[B], over all but the samples."""
    return maps.mean(tuple(range(1, maps.ndim)))
