"""Gradient checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost")."""

from typing import Any

from flax import linen as nn


def run(module: nn.Module, *arrays: Any, remat: bool, **options: Any) -> Any:
    """`module(*arrays, **options)`; with `remat` the backward pass computes what lies inside once more.

    Then only the arguments are kept between the passes. Values, gradients, names of parameters, dropout masks and
    running statistics are the same (they advance once). `arrays` are arrays or None, `options` plain values.
    """
    if not remat:
        return module(*arrays, **options)
    return nn.remat(lambda module, *arrays: module(*arrays, **options))(module, *arrays)
