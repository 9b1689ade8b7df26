"""DINOv2's vision transformer (Oquab et al. 2024), as one writes it in PyTorch. Images are NCHW in [0,1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, by which images are normalised
SIZES = {"dinov2_vits14": (12, 6), "dinov2_vitb14": (12, 12)}  # blocks, attention heads
PATCH, MAPS, EPSILON, EXPANSION = 14, 4, 1e-6, 4


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        return x * self.gamma


class Block(nn.Module):
    """Attention, then two linear layers with GELU, each on normalised tokens, scaled and added."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(channels, EPSILON), nn.LayerNorm(channels, EPSILON)
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.fc1, self.fc2 = nn.Linear(channels, EXPANSION * channels), nn.Linear(EXPANSION * channels, channels)
        self.ls1, self.ls2 = LayerScale(channels), LayerScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        batch, count, channels = x.shape
        parts = self.qkv(self.norm1(x)).reshape(batch, count, 3, self.heads, channels // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(x.shape)
        x = x + self.ls1(self.proj(attended))
        return x + self.ls2(self.fc2(F.gelu(self.fc1(self.norm2(x)))))


class ViT(nn.Module):
    """Normalised token maps of four blocks, shallow to deep.

    `width` is the channels of a head, `grid` the side in patches that positions are stored for, `position_offset` what
    facebookresearch adds to the number of patches before it divides by that side.
    """

    def __init__(self, name: str, width: int, blocks: int | None = None, grid: int = 37, position_offset: float = 0.0):
        super().__init__()
        published, heads = SIZES[name]
        count, channels = blocks or published, heads * width
        self.layers = [(i + 1) * count // MAPS - 1 for i in range(MAPS)]
        self.grid, self.position_offset, self.channels = grid, position_offset, (channels,) * MAPS
        self.patch_embed = nn.Conv2d(3, channels, PATCH, PATCH)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, channels))
        for number in range(count):
            self.add_module(f"block_{number}", Block(channels, heads))
        self.blocks = [self.get_submodule(f"block_{number}") for number in range(count)]
        self.norm = nn.LayerNorm(channels, EPSILON)
        for name, value in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """[B,3,H,W], sides whole patches -> four maps [B,C,h,w]."""
        x = self.patch_embed((image - self.mean) / self.std)
        height, width = x.shape[2:]
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self._positions(height, width)
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.layers:
                tokens = self.norm(x)[:, 1:]
                maps.append(tokens.transpose(1, 2).reshape(len(x), -1, height, width))
        return maps

    def _positions(self, height: int, width: int) -> Tensor:
        if height == width == self.grid:
            return self.pos_embed
        stored = self.pos_embed[:, 1:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        factors = tuple((side + self.position_offset) / self.grid for side in (height, width))
        found = F.interpolate(stored, scale_factor=factors, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], found.flatten(2).transpose(1, 2)], dim=1)
