"""The dense prediction transformer's decoder (Ranftl et al. 2021) on tokens, and UniMatch V2's classifier on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from peer.encoder import wide

FACTORS = (4, 2, 1, -2)  # by which tokens are enlarged, shallow to deep; -2 halves


class Reassemble(nn.Module):
    """A map in `between` channels, enlarged by `factor`, then in `features` channels."""

    def __init__(self, channels: int, between: int, features: int, factor: int):
        super().__init__()
        self.project = nn.Conv2d(channels, between, 1)
        if factor > 1:
            self.resize = nn.ConvTranspose2d(between, between, factor, factor)
        elif factor < 0:
            self.resize = nn.Conv2d(between, between, 3, -factor, 1)
        self.conv = nn.Conv2d(between, features, 3, padding=1, bias=False)
        self.resizes = factor != 1

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,h,w] -> [B,features,H,W]."""
        x = self.project(x)
        return self.conv(self.resize(x) if self.resizes else x)


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, features: int):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(features, features, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """[B,F,H,W] -> [B,F,H,W]."""
        return x + self.conv2(torch.relu(self.conv1(torch.relu(x))))


class Fusion(nn.Module):
    """A level's map, plus what comes from the coarser one, enlarged."""

    def __init__(self, features: int, coarsest: bool):
        super().__init__()
        if not coarsest:
            self.first = Residual(features)
        self.second, self.project = Residual(features), nn.Conv2d(features, features, 1)

    def forward(self, coarser: Tensor | None, own: Tensor, size: Sequence[int]) -> Tensor:
        """[B,F,h,w] each -> [B,F,*size]."""
        x = own if coarser is None else coarser + self.first(own)
        x = F.interpolate(self.second(x), tuple(size), mode="bilinear", align_corners=True)
        return self.project(x)


class DPT(nn.Module):
    """Four token maps, shallow to deep, fused to one of eight times their size."""

    def __init__(self, channels: Sequence[int], features: int = 64, reassembled: Sequence[int] = (48, 96, 192, 384)):
        super().__init__()
        self.features = features
        for number, sizes in enumerate(zip(channels, reassembled, FACTORS, strict=True)):
            own, between, factor = sizes
            self.add_module(f"reassemble_{number}", Reassemble(own, between, features, factor))
            self.add_module(f"fusion_{number}", Fusion(features, coarsest=number == len(FACTORS) - 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps [B,C,h,w] -> [B,features,8h,8w]."""
        maps = [self.get_submodule(f"reassemble_{number}")(x) for number, x in enumerate(maps)]
        sizes = [[2 * side for side in maps[0].shape[2:]], *(x.shape[2:] for x in maps[:-1])]
        x = None
        for number in reversed(range(len(maps))):
            x = self.get_submodule(f"fusion_{number}")(x, maps[number], sizes[number])
        return x


class Head(nn.Module):
    """A 3x3 convolution, ReLU and the classifier."""

    def __init__(self, features: int, classes: int):
        super().__init__()
        self.conv, self.classifier = nn.Conv2d(features, features, 3, padding=1), nn.Conv2d(features, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B,F,h,w] -> [B,classes,h,w]."""
        return self.classifier(torch.relu(self.conv(x)))


class DPTSegmentation(nn.Module):
    """Logits of the image's size from an encoder's token maps, of patches of `patch` pixels."""

    def __init__(self, decoder: DPT, head: Head, patch: int):
        super().__init__()
        self.decoder, self.head, self.patch = decoder, head, patch

    def forward(self, maps: Sequence[Tensor], dropout: bool = False) -> Tensor:
        """Maps [B,C,h,w] -> [B,classes,H,W]. There is no dropout."""
        size = [self.patch * side for side in maps[0].shape[2:]]
        logits = wide(self.head(self.decoder(maps)))
        return F.interpolate(logits, size, mode="bilinear", align_corners=True)
