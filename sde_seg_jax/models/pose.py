"""Relative camera motion from two images (Godard et al. 2019; METHOD 1 in docs/reference/method.md)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.models.init import Initial, torch_default
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.models.precision import at_least_float32

FRAMES = 2  # transforms predicted; only the first is used (as published)


class PoseDecoder(nn.Module):
    """Axis-angle and translation of two frames from the encoder's last map; `scale` starts them small."""

    scale: float = 0.01
    hidden: int = 256  # channels between the encoder and the output
    start: float = 1.0  # factor of the output layer's initial weights; 0 starts with a camera at rest
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> tuple[Float[Array, "B 2 3"], Float[Array, "B 2 3"]]:
        x = nn.relu(Conv(self.hidden, kernel=1, dtype=self.dtype, name="squeeze")(x))
        x = nn.relu(Conv(self.hidden, dtype=self.dtype, name="conv_0")(x))
        x = nn.relu(Conv(self.hidden, dtype=self.dtype, name="conv_1")(x))
        x = Conv(6 * FRAMES, kernel=1, start=self._output_start, dtype=self.dtype, name="output")(x)
        x = self.scale * at_least_float32(x).mean(axis=(1, 2))  # [B 12]
        x = x.reshape(-1, FRAMES, 6)
        return x[..., :3], x[..., 3:]

    def _output_start(self, kernel_shape: tuple[int, ...]) -> Initial:
        initial = torch_default(kernel_shape)
        return Initial(initial.kind, self.start * initial.scale)


class PoseNetwork(nn.Module):
    """Axis-angle and translation that take points of the earlier camera to the later one.

    `encoder` is for two images on the channel axis.
    """

    encoder: nn.Module
    scale: float = 0.01
    hidden: int = 256
    start: float = 1.0
    dtype: Any = None

    def setup(self):
        self.decoder = PoseDecoder(self.scale, self.hidden, self.start, self.dtype)

    def __call__(
        self, earlier: Float[Array, "B H W 3"], later: Float[Array, "B H W 3"], *, train: bool = False
    ) -> tuple[Float[Array, "B 3"], Float[Array, "B 3"]]:
        maps = self.encoder(jnp.concatenate([earlier, later], axis=-1), train=train)
        axis_angle, translation = self.decoder(maps[-1])
        return axis_angle[:, 0], translation[:, 0]
