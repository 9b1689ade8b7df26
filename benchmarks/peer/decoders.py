"""Depth and segmentation decoder and their exchange (PAD). Channels are listed per level, fine (0) to coarse (4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from peer.encoder import wide

LEVELS = (4, 3, 2, 1, 0)
FINEST_LAYER = 9  # feature layers: 0..4 the encoder's maps, 5..9 the decoder's levels 4..0


def resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, by half-pixel centres."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class ConvBlock(nn.Module):
    """Reflection-padded 3x3 convolution, batch norm if asked for, ELU."""

    def __init__(self, channels: int, features: int, batch_norm: bool):
        super().__init__()
        self.conv = nn.Conv2d(channels, features, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(features) if batch_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,F,H,W]."""
        return F.elu(self.norm(self.conv(x)))


class ConvNormRelu(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, features: int, kernel: int = 3, dilation: int = 1, bias: bool = False):
        super().__init__()
        margin = dilation * (kernel // 2)
        self.conv = nn.Conv2d(channels, features, kernel, padding=margin, dilation=dilation, bias=bias)
        self.norm = nn.BatchNorm2d(features)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,F,H,W]."""
        return torch.relu(self.norm(self.conv(x)))


@dataclasses.dataclass(frozen=True)
class Options:
    """What depth and segmentation decoder have in common."""

    channels: tuple[int, ...]
    aspp_rates: tuple[int, ...]
    image_pooling: bool
    skip_features: int | None
    batch_norm: bool
    dropout: float  # rate behind ASPP


class ASPP(nn.Module):
    """1x1, dilated 3x3 and image-pooling branches, concatenated, projected, dropped out."""

    def __init__(self, channels: int, features: int, options: Options):
        super().__init__()
        self.rate = options.dropout
        self.pointwise = ConvNormRelu(channels, features, 1)
        self.branches = ["pointwise", *(f"dilated_{i}" for i in range(len(options.aspp_rates)))]
        for name, rate in zip(self.branches[1:], options.aspp_rates, strict=True):
            setattr(self, name, ConvNormRelu(channels, features, dilation=rate))
        self.pooled = ConvNormRelu(channels, features, 1) if options.image_pooling else None
        self.project = ConvNormRelu((len(self.branches) + options.image_pooling) * features, features, 1)

    def forward(self, x: Tensor, dropout: bool) -> Tensor:
        """[B,C,H,W] -> [B,F,H,W]."""
        found = [getattr(self, name)(x) for name in self.branches]
        if self.pooled is not None:
            found.append(self.pooled(x.mean((2, 3), keepdim=True)).expand_as(found[0]))
        return F.dropout(self.project(torch.cat(found, 1)), self.rate, training=dropout)


class Level(nn.Module):
    """Block, nearest 2x upsampling if needed, concatenation of the skip, block."""

    def __init__(self, channels: int, features: int, skip: int, options: Options, aspp: bool):
        super().__init__()
        self.aspp = ASPP(channels, features, options) if aspp else None
        self.first = None if aspp else ConvBlock(channels, features, options.batch_norm)
        self.skip = None
        if skip and options.skip_features is not None:
            self.skip = ConvNormRelu(skip, options.skip_features, 1, bias=True)
            skip = options.skip_features
        self.second = ConvBlock(features + skip, features, options.batch_norm)

    def forward(self, x: Tensor, skip: Tensor | None, dropout: bool) -> Tensor:
        """`skip` is as large as `x` (dilated encoder), twice as large, or None (the finest level)."""
        x = self.first(x) if self.aspp is None else self.aspp(x, dropout)
        if skip is None or skip.shape[2] > x.shape[2]:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        if skip is not None:
            x = torch.cat([x, skip if self.skip is None else self.skip(skip)], 1)
        return self.second(x)


class DepthDecoder(nn.Module):
    """Features of five levels; disparity heads at the levels `scales`."""

    def __init__(self, maps: Sequence[int], options: Options, scales: tuple[int, ...] = (0, 1, 2, 3)):
        super().__init__()
        self.scales, sizes = scales, options.channels
        for i in LEVELS:
            channels = maps[4] if i == 4 else sizes[i + 1]
            aspp = i == 4 and bool(options.aspp_rates)
            setattr(self, f"level_{i}", Level(channels, sizes[i], maps[i - 1] if i else 0, options, aspp))
        for k, scale in enumerate(scales):
            setattr(self, f"disparity_{k}", nn.Conv2d(sizes[scale], 1, 3, padding=1, padding_mode="reflect"))

    def decode(self, x: Tensor, maps: Sequence[Tensor], levels: Iterable[int], dropout: bool) -> dict[int, Tensor]:
        """Level -> features, of consecutive `levels` (coarse to fine) from the input `x` of the first."""
        found = {}
        for i in levels:
            x = found[i] = getattr(self, f"level_{i}")(x, maps[i - 1] if i else None, dropout)
        return found

    def disparities(self, levels: dict[int, Tensor]) -> list[Tensor]:
        """Sigmoid disparities [B,1,h,w] of the levels that have a head, fine to coarse."""
        heads = [getattr(self, f"disparity_{k}") for k in range(len(self.scales))]
        return [torch.sigmoid(wide(head(levels[s]))) for s, head in zip(self.scales, heads, strict=True)]

    def forward(self, maps: Sequence[Tensor], dropout: bool) -> dict[int, Tensor]:
        """Level -> features of all levels, from the encoder's maps."""
        return self.decode(maps[-1], maps, LEVELS, dropout)


class SegmentationHead(nn.Module):
    """Logits of image size from feature layers, each projected and resized to 1/`stride` of the image."""

    def __init__(self, features: dict[int, int], classes: int, channels: int, stride: int, inter: int | None, rate):
        super().__init__()
        self.layers, self.stride, self.rate = tuple(features), stride, rate
        for layer, found in features.items():
            setattr(self, f"project_{layer}", nn.Conv2d(found, channels, 1, bias=False))
        last = channels * len(features)
        self.inter = None if inter is None else ConvNormRelu(last, inter)
        self.classifier = nn.Conv2d(last if inter is None else inter, classes, 1)

    def forward(self, features: dict[int, Tensor], size: tuple[int, int], dropout: bool) -> Tensor:
        """[B,classes,H,W]; `size` is the image's (height, width)."""
        small = [side // self.stride for side in size]
        x = torch.cat([resized(getattr(self, f"project_{i}")(features[i]), small) for i in self.layers], 1)
        if self.inter is not None:
            x = F.dropout(self.inter(x), self.rate, training=dropout)
        return resized(wide(self.classifier(x)), size)


class SegmentationDecoder(nn.Module):
    """A decoder without disparity heads, and a head on its and the encoder's features."""

    def __init__(self, decoder: DepthDecoder, head: SegmentationHead):
        super().__init__()
        self.decoder, self.head = decoder, head

    def forward(self, maps: Sequence[Tensor], dropout: bool) -> Tensor:
        """[B,classes,H,W]; the first map is half the image's size."""
        levels = self.decoder(maps, dropout)
        features = dict(enumerate(maps)) | {FINEST_LAYER - i: found for i, found in levels.items()}
        height, width = maps[0].shape[2:]
        return self.head(features, (2 * height, 2 * width), dropout)


class SegmentationBranch(nn.Module):
    """The segmentation decoder of the multi-task network, with 1x1 classifiers on its features."""

    def __init__(self, decoder: DepthDecoder, finest: int, exchanged: int, classes: int, stride: int, side: bool):
        super().__init__()
        self.decoder, self.stride = decoder, stride
        self.classifier = nn.Conv2d(finest, classes, 1)
        self.intermediate = nn.Conv2d(exchanged, classes, 1) if side else None

    def logits(self, classifier: nn.Module, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits of 1/`stride` of the image of `size`; with stride 1 as large as the features."""
        found = wide(classifier(features))
        return found if self.stride == 1 else resized(found, [side // self.stride for side in size])


class Gate(nn.Module):
    """conv(x) * sigmoid(attention(x)): what one task passes on to the other."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.attention = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,h,w] -> the same shape."""
        return self.conv(x) * torch.sigmoid(self.attention(x))


class Distillation(nn.Module):
    """Features of both tasks at decoder `level`, each with the other's gated features added."""

    def __init__(self, level: int, channels: int):
        super().__init__()
        self.level = level
        self.depth, self.segmentation = Gate(channels), Gate(channels)

    def forward(self, depth: Tensor, segmentation: Tensor) -> tuple[Tensor, Tensor]:
        """(depth, segmentation) after the exchange."""
        return depth + self.segmentation(segmentation), segmentation + self.depth(depth)
