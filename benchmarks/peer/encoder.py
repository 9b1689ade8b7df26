"""Residual networks (He et al. 2015), stride in the 3x3 convolution, dilated on demand. Images are NCHW in [0,1]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MEAN, STD = 0.45, 0.225  # input normalisation, the same for every channel


def wide(x: Tensor) -> Tensor:
    """`x` in float32 at least: what losses read, also where autocast made it bfloat16."""
    return x if x.dtype == torch.float64 else x.float()


def conv(channels: int, features: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A zero-padded convolution without bias that keeps the size, divided by `stride`."""
    margin = dilation * (kernel // 2)
    return nn.Conv2d(channels, features, kernel, stride, margin, dilation, bias=False)


class Block(nn.Module):
    """What both blocks share: the shortcut, strided or widened by a 1x1 convolution where the shape changes."""

    EXPANSION: int

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        features = self.EXPANSION * width
        self.changes = stride != 1 or channels != features
        if self.changes:
            self.shortcut_conv = conv(channels, features, 1, stride)
            self.shortcut_norm = nn.BatchNorm2d(features)

    def shortcut(self, x: Tensor) -> Tensor:
        """`x` in the shape of the block's output."""
        return self.shortcut_norm(self.shortcut_conv(x)) if self.changes else x


class BasicBlock(Block):
    """Two 3x3 convolutions."""

    EXPANSION = 1

    def __init__(self, channels: int, width: int, stride: int, dilation: int):
        super().__init__(channels, width, stride)
        self.conv1, self.bn1 = conv(channels, width, 3, stride, dilation), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, 1, dilation), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,width,h,w]."""
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(Block):
    """1x1 squeeze, 3x3 with the stride, 1x1 to four times the width."""

    EXPANSION = 4

    def __init__(self, channels: int, width: int, stride: int, dilation: int):
        super().__init__(channels, width, stride)
        self.conv1, self.bn1 = conv(channels, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, dilation), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,4 width,h,w]."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


ENCODERS = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """Five feature maps, fine to coarse, with `channels` each.

    `dilate` replaces the stride of layer2, layer3, layer4 by dilation, from the second block of that layer on.
    `num_images` images come stacked on the channel axis.
    """

    def __init__(self, name: str, width: int = 64, dilate: Sequence[bool] = (False,) * 3, num_images: int = 1):
        super().__init__()
        block, counts = ENCODERS[name]
        self.channels = (width, *(block.EXPANSION * width * 2**i for i in range(4)))
        self.layers = [[f"layer{layer}_{index}" for index in range(n)] for layer, n in enumerate(counts, start=1)]
        self.conv1, self.bn1 = conv(3 * num_images, width, 7, 2), nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1)
        channels, dilation = width, 1
        for layer, names in enumerate(self.layers):
            dilated = layer > 0 and dilate[layer - 1]
            stride = 1 if layer == 0 or dilated else 2
            for index, found in enumerate(names):
                setattr(self, found, block(channels, width * 2**layer, stride if index == 0 else 1, dilation))
                channels = self.channels[layer + 1]
                dilation *= 2 if dilated and index == 0 else 1

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps of images [B,3n,H,W]."""
        x = torch.relu(self.bn1(self.conv1((image - MEAN) / STD)))
        maps = [x]
        x = self.pool(x)
        for names in self.layers:
            for name in names:
                x = getattr(self, name)(x)
            maps.append(x)
        return maps
