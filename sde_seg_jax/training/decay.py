"""What transformers are trained with: weights that do not decay, and early layers that learn slower."""

from __future__ import annotations

import re
from collections.abc import Callable

import jax

from sde_seg_jax.types import Params

KERNELS = ("kernel", "transposed")  # of matrices and convolutions; not norms, biases, tokens and position embeddings
DECAYS = {"all": lambda name: True, "kernels": lambda name: name.split("/")[-1] in KERNELS}  # leaf's path -> decays?
BLOCK = re.compile(r"encoder/block_(\d+)/")
ENCODER, LAST = "encoder/", "encoder/norm/"


def decay_mask(params: Params, which: str) -> Params:
    """True for every leaf that decays: "all", or "kernels" alone."""
    return jax.tree_util.tree_map_with_path(lambda path, _: DECAYS[which](_name(path)), params)


def layer_factors(params: Params, decay: float) -> Callable[[str], float]:
    """Path of a leaf -> factor of its learning rate (Clark et al. 2020; Bao et al. 2022).

    Of n blocks, number i learns at decay^(n-i), what comes before them at decay^(n+1), all else at 1. Raises ValueError
    for an encoder without numbered blocks.
    """
    if decay == 1:
        return lambda name: 1.0
    names = [_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    numbers = {int(found[1]) for name in names if (found := BLOCK.match(name))}
    if not numbers:
        raise ValueError(
            f"layer_decay={decay} needs an encoder of numbered blocks, such as dinov2_vits14; set it to 1.0"
        )
    count = max(numbers) + 1

    def factor(name: str) -> float:
        if not name.startswith(ENCODER) or name.startswith(LAST):
            return 1.0
        block = BLOCK.match(name)
        return decay ** (count - int(block[1]) if block else count + 1)

    return factor


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
