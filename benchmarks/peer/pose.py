"""Relative camera motion from two images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from peer.encoder import ResNet, wide


class PoseDecoder(nn.Module):
    """Axis-angle and translation of two frames from the encoder's last map."""

    def __init__(self, channels: int, scale: float, hidden: int):
        super().__init__()
        self.scale = scale
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.conv_0 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.conv_1 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.output = nn.Conv2d(hidden, 12, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B,C,h,w] -> ([B,2,3], [B,2,3])."""
        for layer in (self.squeeze, self.conv_0, self.conv_1):
            x = torch.relu(layer(x))
        x = (self.scale * wide(self.output(x)).mean((2, 3))).reshape(-1, 2, 6)
        return x[..., :3], x[..., 3:]


class PoseNetwork(nn.Module):
    """Axis-angle and translation [B,3] that take points of the earlier camera to the later one."""

    def __init__(self, encoder: ResNet, scale: float, hidden: int):
        super().__init__()
        self.encoder, self.decoder = encoder, PoseDecoder(encoder.channels[-1], scale, hidden)

    def forward(self, earlier: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
        """From two images [B,3,H,W]; the decoder's second frame is not used."""
        axis_angle, translation = self.decoder(self.encoder(torch.cat([earlier, later], 1))[-1])
        return axis_angle[:, 0], translation[:, 0]
