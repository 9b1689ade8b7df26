"""Options of a network's parts; the defaults are the published ones. Fields are keys of the configuration's section."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flax import linen as nn

from sde_seg_jax.bounds import Count, Dropout, NotNegative
from sde_seg_jax.lookup import choose
from sde_seg_jax.models.backbones import make_encoder
from sde_seg_jax.models.decoders import DECODERS
from sde_seg_jax.models.maps import Maps
from sde_seg_jax.models.own_options import checked
from sde_seg_jax.models.pose import PoseNetwork
from sde_seg_jax.models.precision import compute_dtype
from sde_seg_jax.models.segmentation import FINEST_LAYER, ConvolutionHead, SegmentationHead

KINDS = {name: name for name in ("project", "convolution")}


@dataclasses.dataclass(frozen=True)
class Decoders:
    """Of the depth and the segmentation decoder, which are alike, so that one initialises the other.

    decoder: a module of `models.decoders`; decoder_options are its own. All others are those of "deeplab":
    decoder_channels per level, fine (0) to coarse (4); dropout of the ASPP.
    """

    decoder: str = "deeplab"
    decoder_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    decoder_channels: Sequence[Count] = (64, 128, 128, 256, 256)
    aspp_rates: Sequence[Count] = (6, 12, 18)
    image_pooling: bool = True
    skip_features: Count | None = None
    batch_norm: bool = False
    dropout: Dropout = 0.5

    def make(
        self, maps: Maps, dtype: str | None, remat: bool, *, heads: bool, disparity_bias: float | None = None
    ) -> nn.Module:
        """The decoder of an encoder's maps; with `heads` for disparities. Raises ValueError for unknown options."""
        maker = DECODERS.find(self.decoder).make_decoder
        given = {"heads": heads, "disparity_bias": disparity_bias, "dtype": compute_dtype(dtype), "remat": remat}
        own = checked(maker, self.decoder_options, "model.decoder_options", f"decoder '{self.decoder}'", given)
        return maker(maps, self, **given, **own)


@dataclasses.dataclass(frozen=True)
class Head:
    """Of the classifier on the segmentation decoder: those of `SegmentationHead`.

    head_kind: "project", or "convolution", which is `ConvolutionHead` and reads none of the others but head_layers.
    """

    head_kind: str = "project"
    head_layers: Sequence[int] = (FINEST_LAYER,)
    head_channels: Count = 64
    head_stride: Count = 1
    head_inter_channels: Count | None = None
    head_dropout: Dropout = 0.0

    def make(self, num_classes: int, dtype: str | None) -> SegmentationHead | ConvolutionHead:
        """The head. Raises ValueError for an unknown kind, and for several layers where one is read."""
        choose(KINDS, self.head_kind, "model.head_kind")
        if self.head_kind == "convolution":
            if len(self.head_layers) != 1:
                raise ValueError(
                    f"model.head_layers={list(self.head_layers)}: model.head_kind=convolution reads one layer; name it"
                )
            return ConvolutionHead(num_classes, self.head_layers[0], compute_dtype(dtype))
        sizes = (self.head_channels, self.head_stride, self.head_inter_channels, self.head_dropout)
        return SegmentationHead(num_classes, tuple(self.head_layers), *sizes, compute_dtype(dtype))


@dataclasses.dataclass(frozen=True)
class Motion:
    """Of the pose network. pose_start: a factor of the output's initial weights."""

    pose_encoder: str = "resnet18"
    pose_width: Count = 64
    pose_scale: float = 0.01
    pose_channels: Count = 256
    pose_start: NotNegative = 1.0

    def make(self, dtype: str | None, remat: bool) -> PoseNetwork:
        """The pose network, with an encoder of its own."""
        maps = make_encoder(self.pose_encoder, width=self.pose_width, num_images=2, dtype=dtype, remat=remat)
        return PoseNetwork(
            maps, self.pose_scale, self.pose_channels, self.pose_start, compute_dtype(dtype), name="pose"
        )
