"""The dense prediction transformer's decoder (`models.dpt`): four maps, reassembled and fused; of ViTs and pyramids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sde_seg_jax.bounds import Count
from sde_seg_jax.lookup import choose
from sde_seg_jax.models.dpt import DPT, OUTPUTS
from sde_seg_jax.models.dpt_names import IGNORED, IGNORED_HEADS, MAPS, misfit, torch_module, translate
from sde_seg_jax.models.maps import Maps

__all__ = ["make_decoder", "torch_names", "translate"]


def make_decoder(
    maps: Maps,
    shared: Any,
    *,
    heads: bool,
    disparity_bias: float | None,
    dtype: Any,
    remat: bool,
    features: Count = 64,
    reassembled: Sequence[Count] = (48, 96, 192, 384),
    hidden: Count = 32,
    output: str = "sigmoid",
) -> DPT:
    """The decoder of these maps; with `heads` for disparities. `shared` (options of "deeplab") are not read.

    features: channels of all levels. reassembled: of the four maps before, shallow to deep. hidden: of the disparity
    head's last convolution but one. output: "sigmoid", or "relative" as Depth Anything. The defaults are those of
    Depth Anything V2 Small. Raises ValueError for an encoder of fewer maps, and for other numbers of channels.
    """
    del shared
    choose(OUTPUTS, output, "model.decoder_options.output")
    if len(maps.strides) < MAPS:
        raise ValueError(f"decoder 'dpt' needs {MAPS} maps, and the encoder has {len(maps.strides)}; choose another")
    if len(reassembled) != MAPS:
        raise ValueError(f"model.decoder_options.reassembled has {len(reassembled)} entries, expected {MAPS}")
    options = (features, tuple(reassembled), hidden, output, heads, disparity_bias, dtype, remat)
    return DPT(maps.strides, maps.tokens, *options)


def torch_names(tree: Mapping[str, Any]) -> tuple[Callable, str, Callable] | None:
    """(name of a module in files of PyTorch, what has no counterpart, what to set) of such a tree; None for another."""
    if "reassemble_0" not in tree:
        return None
    return torch_module, IGNORED if "disparity" in tree else IGNORED_HEADS, misfit
