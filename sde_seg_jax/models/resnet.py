"""Residual networks (He et al. 2015) in torchvision's "v1.5" form: the stride is in the 3x3 convolution."""

from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from sde_seg_jax.models.batch_norm import BatchNorm
from sde_seg_jax.models.dilated import output_strides
from sde_seg_jax.models.init import he_normal_fan_out
from sde_seg_jax.models.layers import Conv
from sde_seg_jax.models.max_pool import max_pool
from sde_seg_jax.models.precision import compute_dtype
from sde_seg_jax.models.remat import run
from sde_seg_jax.models.torch_names import EncoderNames, encoder_module

MEAN, STD = 0.45, 0.225  # input normalisation, the same for every channel


def _conv(features: int, kernel: int, *, name: str, dtype: Any, stride: int = 1, dilation: int = 1) -> Conv:
    return Conv(features, kernel, stride, dilation, False, start=he_normal_fan_out, dtype=dtype, name=name)


def _shortcut(x, features: int, stride: int, train: bool, dtype):
    """The identity, or a strided 1x1 convolution with batch norm where the shape changes."""
    if stride == 1 and x.shape[-1] == features:
        return x
    x = _conv(features, 1, stride=stride, name="shortcut_conv", dtype=dtype)(x)
    return BatchNorm(name="shortcut_norm")(x, train=train)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    EXPANSION = 1
    width: int
    stride: int = 1
    dilation: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool) -> Float[Array, "B h w F"]:
        y = _conv(self.width, 3, stride=self.stride, dilation=self.dilation, name="conv1", dtype=self.dtype)(x)
        y = nn.relu(BatchNorm(name="bn1")(y, train=train))
        y = _conv(self.width, 3, dilation=self.dilation, name="conv2", dtype=self.dtype)(y)
        y = BatchNorm(name="bn2")(y, train=train)
        return nn.relu(y + _shortcut(x, self.width, self.stride, train, self.dtype))


class Bottleneck(nn.Module):
    """1x1 squeeze, 3x3 with the stride, 1x1 to four times the width, and a shortcut."""

    EXPANSION = 4
    width: int
    stride: int = 1
    dilation: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"], *, train: bool) -> Float[Array, "B h w 4F"]:
        y = _conv(self.width, 1, name="conv1", dtype=self.dtype)(x)
        y = nn.relu(BatchNorm(name="bn1")(y, train=train))
        y = _conv(self.width, 3, stride=self.stride, dilation=self.dilation, name="conv2", dtype=self.dtype)(y)
        y = nn.relu(BatchNorm(name="bn2")(y, train=train))
        y = _conv(4 * self.width, 1, name="conv3", dtype=self.dtype)(y)
        y = BatchNorm(name="bn3")(y, train=train)
        return nn.relu(y + _shortcut(x, 4 * self.width, self.stride, train, self.dtype))


ENCODERS = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}
NAMES = EncoderNames(encoder_module, first="conv1", starts=r"conv1|bn1|layer\d|fc")  # torchvision's and timm's


class ResNet(nn.Module):
    """Five feature maps of an image batch in [0,1], fine to coarse; see `channels` and `strides`.

    `dilate` replaces the stride of layer2, layer3, layer4 by dilation. As in torchvision the first block of
    such a layer keeps the dilation of the layer before and only the following ones are dilated further. With
    `remat` a block's inside is computed again in the backward pass instead of being kept.
    """

    block: type[nn.Module]
    blocks: tuple[int, ...]
    width: int = 64
    dilate: tuple[bool, bool, bool] = (False, False, False)
    num_images: int = 1
    dtype: Any = None
    remat: bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the five maps."""
        return (self.width, *(self.block.EXPANSION * self.width * 2**i for i in range(4)))

    @property
    def strides(self) -> tuple[int, ...]:
        """Image pixels per pixel of the five maps."""
        return output_strides(self.dilate)

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3n"], *, train: bool = False) -> tuple[Array, ...]:
        if image.shape[-1] != 3 * self.num_images:
            raise ValueError(f"image has {image.shape[-1]} channels, expected 3 x num_images = {3 * self.num_images}")
        x = (image - MEAN) / STD
        x = _conv(self.width, 7, stride=2, name="conv1", dtype=self.dtype)(x)
        x = nn.relu(BatchNorm(name="bn1")(x, train=train))
        maps = [x]
        x = max_pool(x)
        dilation = 1
        for layer, count in enumerate(self.blocks, start=1):
            dilated = layer > 1 and self.dilate[layer - 2]
            for index in range(count):
                stride = 2 if layer > 1 and index == 0 and not dilated else 1
                block = self.block(
                    self.width * 2 ** (layer - 1), stride, dilation, self.dtype, name=f"layer{layer}_{index}"
                )
                x = run(block, x, remat=self.remat, train=train)
                dilation = dilation * 2 if dilated and index == 0 else dilation
            maps.append(x)
        return tuple(maps)


def make_encoder(
    name: str,
    *,
    width: int = 64,
    dilate: tuple[bool, bool, bool] = (False, False, False),
    num_images: int = 1,
    dtype: str | None = None,
    remat: bool = False,
) -> ResNet:
    """One of `ENCODERS`; `width` is the channels of the first map (64 as published, 16 for quick runs).

    `num_images` images come stacked on the channel axis. `remat` trades time for memory, block by block. Raises
    ValueError if `dilate` has not three entries.
    """
    if len(dilate) != 3:
        raise ValueError(f"dilate has {len(dilate)} entries, expected 3: layer2, layer3, layer4")
    block, blocks = ENCODERS[name]
    return ResNet(block, blocks, width, tuple(bool(d) for d in dilate), num_images, compute_dtype(dtype), remat)
