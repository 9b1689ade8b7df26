"""The published decoder: ASPP on the coarsest map, then five levels with the encoder's skips (`depth_decoder`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from sde_seg_jax.models.depth_decoder import SCALES, DepthDecoder
from sde_seg_jax.models.maps import Maps
from sde_seg_jax.models.torch_names import COARSEST, decoder_module


def make_decoder(
    maps: Maps, shared: Any, *, heads: bool, disparity_bias: float | None, dtype: Any, remat: bool
) -> DepthDecoder:
    """The decoder of these maps with the options `shared` (`models.options.Decoders`); with `heads` for disparities.

    Raises ValueError if decoder_channels has not five entries.
    """
    if len(shared.decoder_channels) != 5:
        raise ValueError(
            f"decoder_channels has {len(shared.decoder_channels)} entries, expected 5: levels 0 (fine) to 4"
        )
    return DepthDecoder(
        channels=tuple(shared.decoder_channels),
        aspp_rates=tuple(shared.aspp_rates),
        image_pooling=shared.image_pooling,
        skip_features=shared.skip_features,
        batch_norm=shared.batch_norm,
        dropout_rate=shared.dropout,
        scales=SCALES if heads else (),
        disparity_bias=disparity_bias,
        dtype=dtype,
        remat=remat,
        strides=maps.strides,
    )


def torch_names(tree: Mapping[str, Any]) -> tuple[Callable, str | None] | None:
    """(name of a module in files of PyTorch, what has no counterpart) of such a decoder's tree; None for another's."""
    coarsest = tree.get(f"level_{COARSEST}")
    if coarsest is None:
        return None
    dilated = sum(name.startswith("dilated_") for name in coarsest.get("aspp", {}))
    heads = any(name.startswith("disparity_") for name in tree)
    return functools.partial(decoder_module, dilated=dilated), None if heads else r"1[4-7]\.conv\."
