"""What an encoder declares of the maps that it returns; everything behind it is built from that."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Maps:
    """Channels and strides of an encoder's maps, fine to coarse, or shallow to deep.

    Attributes:
      channels: of each map.
      strides: image pixels per pixel of each map.
      tokens: are they the patches of several blocks of a transformer, all of one stride? Else they are a pyramid.
      multiple: height and width of an image must be multiples of this.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    tokens: bool
    multiple: int

    @property
    def unit(self) -> str:
        """What `multiple` is, for messages."""
        return "patch size" if self.tokens else "output stride"


def declared(encoder: Any) -> Maps:
    """The maps of an encoder, which has `channels` and `strides`.

    It may have `tokens` (False unless given) and `multiple` (the coarsest stride unless given). Raises ValueError for a
    declaration that contradicts itself.
    """
    channels, strides = tuple(encoder.channels), tuple(encoder.strides)
    tokens, kind = bool(getattr(encoder, "tokens", False)), type(encoder).__name__
    if len(channels) != len(strides) or not strides:
        raise ValueError(f"{kind} declares {len(channels)} channels and {len(strides)} strides; give one of each a map")
    if list(strides) != sorted(strides) or min((*channels, *strides)) < 1:
        raise ValueError(f"{kind} declares channels {channels}, strides {strides}; expected maps from fine to coarse")
    if tokens and len(set(strides)) > 1:
        raise ValueError(f"{kind} declares token maps of strides {strides}; expected one stride")
    return Maps(channels, strides, tokens, getattr(encoder, "multiple", strides[-1]))


def common_multiple(*encoders: Any) -> int:
    """What height and width of an image must be multiples of for the first encoder, and others that say so."""
    first, *others = encoders
    return math.lcm(declared(first).multiple, *(getattr(encoder, "multiple", 1) for encoder in others))
