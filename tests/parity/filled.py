"""Variables filled by the recordings' rule under PyTorch's names, and features as recorded."""

import jax
import numpy as np
from golden import fill, nhwc, sample, stats

from sde_seg_jax.models import import_weights
from sde_seg_jax.types import Variables


def shapes(module, *inputs, method=None) -> Variables:
    """The variables of a module as shapes, for NumPy inputs of any precision."""
    inputs = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, np.float32), inputs)
    made = jax.eval_shape(lambda *x: module.init(jax.random.key(0), *x, method=method), *inputs)
    return Variables(made["params"], made.get("batch_stats", {}))


def filled(like: Variables, parts, seed: int, dtype) -> dict:
    """Variables for `apply`: every torch name of `parts` filled, then converted as a checkpoint would be."""
    zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), like)
    names = {name: value.shape for name, value in import_weights.to_torch(zeros, parts).items()}
    made = import_weights.convert({name: fill(name, shape, seed) for name, shape in names.items()}, like, parts)
    made = jax.tree.map(lambda leaf: leaf.astype(dtype), made)
    return {"params": made.params, "batch_stats": made.batch_stats}


def recorded_maps(rec, dtype) -> list[np.ndarray]:
    """The five encoder maps a decoder recording starts from, its own or another file's, NHWC."""
    source, group = rec, "in"
    if "features_from" in rec.params:
        source, group = rec.sibling(rec.params["features_from"]), "out"
    return [nhwc(source[f"{group}.f{i}"]).astype(dtype) for i in range(5)]


def assert_summary(rec, key: str, actual, dtype, stride: int | None = None) -> None:
    """`key`_sample, `key`_stats and, where recorded, `key`_shape of an NCHW array."""
    rec.assert_matches(f"{key}_sample", sample(actual, stride or rec.params["sample_stride"]))
    rec.assert_matches(f"{key}_stats", stats(actual).astype(dtype))
    if f"out.{key}_shape" in rec:
        rec.assert_matches(f"{key}_shape", np.array(actual.shape))


def decoder_options(depth_args: dict) -> dict:
    """Our decoder's options for the published `depth_args`."""
    return {
        "channels": tuple(depth_args["num_ch_dec"]),
        "aspp_rates": tuple(depth_args["aspp_rates"]) if depth_args.get("intermediate_aspp") else (),
        "image_pooling": depth_args.get("aspp_pooling", True),
        "skip_features": depth_args.get("n_project_skip_ch"),
        "batch_norm": depth_args.get("batch_norm", False),
    }
