"""What a selection looks at, image by image: pooled features, error of a student, entropy of classes.

Every function is compiled once for a network: (variables, {"image": uint8 [B,H,W,3], ...}) -> one row an image.
"""

from __future__ import annotations

import jax

from sde_seg_jax.experiment.selection.plan import CORESET, Plan
from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.models.network import Network
from sde_seg_jax.selection.features import adaptive_pool
from sde_seg_jax.selection.uncertainty import depth_error, entropy
from sde_seg_jax.tasks.forward import predict, to_float
from sde_seg_jax.types import Variables

Columns = dict[str, jax.Array]


def feature_function(network: Network, plan: Plan):
    """-> pooled features [B, *plan.pool, C] of the depth decoder, for `coreset` of the encoder."""
    what = ("bottleneck",) if plan.criterion == CORESET else ("decoder_level", plan.level)

    @jax.jit
    def features(variables: Variables, columns: Columns) -> jax.Array:
        stored = {"params": variables.params, "batch_stats": variables.batch_stats}
        method, *level = what
        found = network.apply(stored, to_float(columns["image"]), *level, method=method)
        return adaptive_pool(found, plan.pool, plan.pool_kind)

    return features


def error_maps(teacher: Network, student: Network, plan: Plan, scale: float):
    """-> (teacher's disparity, student's, error map), each [B,H,W]; variables are (teacher's, student's).

    Both disparities are multiplied by `scale` before they are compared.
    A cached disparity among the columns takes the place of the teacher's.
    """
    disparity = teacher_disparity(teacher)

    @jax.jit
    def maps(variables: tuple[Variables, Variables], columns: Columns) -> tuple[jax.Array, jax.Array, jax.Array]:
        image = to_float(columns["image"])
        known = disparity(variables[0], columns)
        found = _disparity(student, variables[1], image)
        return known, found, depth_error(scale * found, scale * known, **plan.error)

    return maps


def error_function(teacher: Network, student: Network, plan: Plan, scale: float):
    """-> mean error of the student's disparity over all pixels [B]; variables as for `error_maps`.

    Masked pixels count, too, as published: Q37 in docs/record/differences.md.
    """
    maps = error_maps(teacher, student, plan, scale)
    return jax.jit(lambda variables, columns: maps(variables, columns)[2].mean(axis=(1, 2)))


def entropy_map(network: Network):
    """-> entropy of the predicted classes [B,h,w] at the logits' resolution."""

    @jax.jit
    def maps(variables: Variables, columns: Columns) -> jax.Array:
        return entropy(predict(network, variables, to_float(columns["image"])).logits)

    return maps


def entropy_function(network: Network):
    """-> mean entropy over all pixels [B]."""
    maps = entropy_map(network)
    return jax.jit(lambda variables, columns: maps(variables, columns).mean(axis=(1, 2)))


def teacher_disparity(network: Network):
    """-> disparity [B,H,W]; a cached one among the columns is taken as it is."""

    @jax.jit
    def disparity(variables: Variables, columns: Columns) -> jax.Array:
        if "disparity" in columns:
            return columns["disparity"]
        return _disparity(network, variables, to_float(columns["image"]))

    return disparity


def _disparity(network: Network, variables: Variables, image: jax.Array) -> jax.Array:
    finest = predict(network, variables, image).disparity[0]
    return resize_bilinear(finest, image.shape[1:3])[..., 0]
