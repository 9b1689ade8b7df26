"""Kernels of the networks for `kernels.py`: convolutions, normalisation, ASPP, a decoder level, the update.

Comments name the published sizes, those of `--size gpu`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import kernel_forms as forms
import numpy as np
from flax import linen as nn
from kernel_spec import OURS, Input, Kernel, Size, differentiable, normal, positive, text, weights

from sde_seg_jax.imaging.resize import resize_bilinear
from sde_seg_jax.models.aspp import ASPP
from sde_seg_jax.models.batch_norm import BatchNorm
from sde_seg_jax.models.depth_decoder import Level
from sde_seg_jax.models.max_pool import max_pool
from sde_seg_jax.models.resnet import make_encoder
from sde_seg_jax.training import ema

RATES = (6, 12, 18)
CLASSES = 19


def convolution(
    name: str, shape: tuple[int, ...], features: int, kernel: int, ours, others=(), *, stride=1, dilation=1, image=True
) -> list[Kernel]:
    """Forward, gradient to the input (unless that is an image) and to the kernel: each alone."""
    padding, taps = dilation * (kernel // 2), kernel * kernel
    height, width = (-(-side // stride) for side in shape[1:3])
    inputs = [Input(shape), Input((kernel, kernel, shape[3], features), "kernel", weights)]
    pixels = shape[0] * height * width
    parts = {
        "forward": ("forward", (), taps * shape[3]),
        "input": ("gradient", (0,), taps * features),
        "kernel": ("gradient", (1,), pixels),
    }
    return [
        differentiable(
            f"{name}/{part}",
            f"{text(*shape)} -> {features}, {kernel}x{kernel}, stride {stride}, dilation {dilation}",
            {OURS: functools.partial(forms.conv, stride=stride, dilation=dilation), **ours},
            lambda peers: peers.conv(stride=stride, padding=padding, dilation=dilation),
            inputs,
            mode=mode,
            wrt=wrt,
            terms=terms,
            flops=2.0 * taps * shape[3] * features * pixels,
            narrows=True,
            others=others,
        )
        for part, (mode, wrt, terms) in parts.items()
        if image or part != "input"
    ]


def _dilated(name: str, size: Size, channels: int, features: int, dilation: int) -> list[Kernel]:
    shape = (size.batch, *size.map, size.channels(channels))
    ours = {
        "plain": functools.partial(forms.conv_plain, dilation=dilation),
        "space to batch": functools.partial(forms.conv_space_to_batch, dilation=dilation),
        "undilated": forms.conv_plain,
    }
    return convolution(name, shape, size.channels(features), 3, ours, ("undilated",), dilation=dilation)


def convolutions(size: Size) -> list[Kernel]:
    """3x3 of a block of the dilated layer4 and of ASPP's branches, the stem, the strided 3x3 of layer2."""
    found = _dilated("conv_layer4", size, 512, 512, 2)
    for rate in RATES:
        found += _dilated(f"conv_aspp{rate}", size, 2048, 256, rate)
    found += convolution("conv_stem", (size.batch, *size.image, 3), size.channels(64), 7, {}, stride=2, image=False)
    shape = (size.batch, size.image[0] // 4, size.image[1] // 4, size.channels(128))
    same = {"SAME": functools.partial(forms.conv_same, stride=2)}
    return found + convolution("conv_stride2", shape, shape[3], 3, same, ("SAME",), stride=2)


def pooling(size: Size) -> Kernel:
    """Gradient of the pooling behind the stem."""
    shape = (size.batch, size.image[0] // 2, size.image[1] // 2, size.channels(64))
    return differentiable(
        "max_pool/input", text(*shape), max_pool, lambda peers: peers.max_pool(), [Input(shape)],
        mode="gradient", wrt=(0,), narrows=True,
    )  # fmt: skip


def resizes(size: Size) -> list[Kernel]:
    """To the image: a coarse disparity, and logits at a quarter."""
    return [
        differentiable(
            f"resize_{name}",
            f"{text(size.batch, *(side // factor for side in size.image), channels)} -> {text(*size.image)}",
            lambda x: resize_bilinear(x, size.image),
            lambda peers: peers.resize(size.image),
            [Input((size.batch, *(side // factor for side in size.image), channels), narrow=False)],
            wrt=(0,),
            terms=4 * factor * factor,
        )
        for name, factor, channels in (("disparity", 8, 1), ("logits", 4, CLASSES))
    ]


def _module(name: str, what: str, layer: nn.Module, inputs: list[Input], peer: Callable, **more: Any) -> Kernel:
    """Output and all gradients of a module in training mode; its new running statistics are computed, too."""
    options = {"train": True} if isinstance(layer, BatchNorm) else {"train": True, "dropout": False}
    shapes = [jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in inputs]
    variables = dict(jax.eval_shape(functools.partial(layer.init, **options), jax.random.key(0), *shapes))
    params, structure = jax.tree.flatten_with_path(variables.pop("params"))
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in params]
    # As training starts: means 0, variances 1.
    stats = jax.tree.map_with_path(lambda p, x: np.full(x.shape, p[-1].key == "var", np.float32), variables)

    def apply(*arrays):
        given = {"params": jax.tree.unflatten(structure, arrays[len(inputs) :]), **stats}
        found, changed = layer.apply(given, *arrays[: len(inputs)], **options, mutable=["batch_stats"])
        return (found[-1] if isinstance(found, tuple) else found), changed

    everything = [*inputs, *(_parameter(x.shape) for _, x in params)]
    return differentiable(
        name, what, apply, lambda peers: peer(peers, names), everything,
        wrt=tuple(range(len(everything))), aux=True, narrows=True, **more,
    )  # fmt: skip


def _parameter(shape: tuple[int, ...], draw: Callable = weights) -> Input:
    return Input(shape, "kernel" if len(shape) == 4 else "plain", draw, narrow=False)


def batch_norm(size: Size) -> Kernel:
    """The largest maps that are normalised between blocks: those of layer1, 256 channels at 1/4."""
    shape = (size.batch, size.image[0] // 4, size.image[1] // 4, size.channels(256))
    return _module(
        "batch_norm", text(*shape), BatchNorm(), [Input(shape)], lambda peers, names: peers.batch_norm(names, shape[3]),
        terms=shape[0] * shape[1] * shape[2],
    )  # fmt: skip


def aspp(size: Size) -> Kernel:
    """ASPP on the encoder's last map, 2048 -> 256 channels."""
    channels, features = size.channels(2048), size.channels(256)
    shape = (size.batch, *size.map, channels)
    return _module(
        "aspp", f"{text(*shape)} -> {features}", ASPP(features, RATES), [Input(shape, draw=positive)],
        lambda peers, names: peers.aspp(names, channels, features, RATES),
        terms=9 * channels, kinked=True,
    )  # fmt: skip


def level(size: Size) -> Kernel:
    """Level 1 of a decoder: 128 channels at 1/4, a skip of 64 at 1/2 -> 128 at 1/2."""
    features, skip = size.channels(128), size.channels(64)
    height, width = (side // 4 for side in size.image)
    inputs = [Input((size.batch, height, width, features)), Input((size.batch, 2 * height, 2 * width, skip))]
    what = f"{text(*inputs[0].shape)} + {text(*inputs[1].shape)} -> {features}"
    return _module(
        "decoder_level", what, Level(features), inputs,
        lambda peers, names: peers.level(names, features, features, skip),
        terms=4 * size.batch * height * width,
    )  # fmt: skip


def update(size: Size) -> Kernel:
    """SGD and the teacher's average on the parameters of a ResNet-101."""
    encoder = make_encoder("resnet101", width=size.width)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    leaves, structure = jax.tree.flatten(jax.eval_shape(encoder.init, jax.random.key(0), image)["params"])
    inputs = [_parameter(x.shape) for x in leaves] + [_parameter(x.shape, normal) for x in leaves]
    parameters = sum(x.size for x in leaves)
    return Kernel(
        "update", f"{parameters / 1e6:.3g} million parameters", tuple(inputs), tuple(x.layout for x in inputs),
        {OURS: functools.partial(forms.start_update, structure)}, lambda peers: peers.update(ema.DECAY), mode="own",
        # The norm that clips adds up the square of every gradient.
        terms=parameters, compiles=False,
    )  # fmt: skip
