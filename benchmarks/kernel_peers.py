"""The kernels of `kernels.py` in PyTorch. A maker is (wrap, tensors) -> a call without arguments.

`wrap` is torch.compile or nothing. Images are NCHW, kernels OIHW; what else is in the package `peer`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from peer import augment, decoders, losses, mixing
from peer.modes import MODES
from peer.weights import leaf_name
from torch import Tensor, nn

Maker = Callable[[Callable, Sequence[Tensor]], Callable[[], Any]]

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
TO_PEER = {"image": lambda x: np.moveaxis(x, -1, -3), "kernel": lambda x: x.transpose(3, 2, 0, 1), "plain": lambda x: x}
TO_OURS = {"image": lambda x: np.moveaxis(x, -3, -1), "kernel": lambda x: x.transpose(2, 3, 1, 0), "plain": lambda x: x}


def prepare(dtype: str) -> None:
    """Sets whether convolutions of float32 may use TF32; cuDNN picks its best algorithm."""
    MODES["tf32" if dtype == "tf32" else "eager"].switch()


def tensor(value: np.ndarray, layout: str, dtype: str, *, channels_last: bool, leaf: bool) -> Tensor:
    """An array of ours on torch's device; a `leaf` is a parameter, to which gradients can be taken."""
    found = torch.from_numpy(np.array(TO_PEER[layout](value), order="C")).to(DEVICE, DTYPES[dtype])
    if channels_last and layout != "plain" and found.ndim == 4:
        found = found.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(found) if leaf else found


def array(found: Tensor, layout: str) -> np.ndarray:
    """A result in our layout, float32."""
    return TO_OURS[layout](found.detach().float().cpu().numpy())


def start(
    make: Maker, mode: str, wrt: Sequence[int], tensors: Sequence[Tensor], *, compiled: bool
) -> Callable[[], tuple[Tensor, ...]]:
    """As `kernel_forms.start`; where only gradients are asked for, the forward pass runs once and its graph is kept."""
    wrap = _compile if compiled else lambda function: function
    if mode in ("forward", "own"):
        run = torch.no_grad()(make(wrap, tensors))
        return lambda: _tuple(run())
    *inputs, cotangent = tensors
    run, chosen = make(wrap, inputs), [inputs[i] for i in wrt]
    if mode == "gradient":
        output = run()
        return lambda: torch.autograd.grad(output, chosen, cotangent, retain_graph=True)

    def both():
        output = run()
        return output.detach(), *torch.autograd.grad(output, chosen, cotangent)

    return both


def _compile(function: Callable) -> Callable:
    from torch._functorch import config  # not before: it takes seconds

    config.donated_buffer = False  # a graph that is kept can't give away what it saved
    torch.compiler.reset()  # what was compiled for other shapes would make this one's dynamic
    return torch.compile(function, dynamic=False)


def wait() -> None:
    """Until the device has done what it was asked."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def _tuple(found: Any) -> tuple[Tensor, ...]:
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def function(f: Callable[..., Any]) -> Maker:
    """f of all tensors."""
    return lambda wrap, tensors: functools.partial(wrap(f), *tensors)


def module(build: Callable[[], nn.Module], names: Sequence[str], *arguments: Any) -> Maker:
    """A module in training mode, of tensors and `arguments`; the last tensors are its parameters, by our `names`.

    For bfloat16 inputs it runs under autocast.
    """

    def make(wrap, tensors):
        built = build().to(DEVICE)
        inputs = tensors[: len(tensors) - len(names)]
        for name, parameter in zip(names, tensors[len(inputs) :], strict=True):
            *path, leaf = name.split("/")
            setattr(built.get_submodule(".".join(path)), leaf_name(leaf), parameter)
        run, narrow = wrap(built), inputs[0].dtype is torch.bfloat16

        def call():
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=narrow):
                return run(*inputs, *arguments)

        return call

    return make


def conv(*, stride: int = 1, padding: int, dilation: int = 1) -> Maker:
    """A convolution of images with a kernel."""
    return function(lambda x, kernel: F.conv2d(x, kernel, None, stride, padding, dilation))


def grid_sample() -> Maker:
    """Bilinear sampling, border extended."""
    return function(lambda x, g: F.grid_sample(x, g, mode="bilinear", padding_mode="border", align_corners=True))


def max_pool() -> Maker:
    """3x3, stride 2."""
    return function(lambda x: F.max_pool2d(x, 3, 2, 1))


def resize(size: tuple[int, int]) -> Maker:
    """Bilinear."""
    return function(lambda x: F.interpolate(x, size, mode="bilinear", align_corners=False))


def ssim() -> Maker:
    """Error maps of two image batches."""
    return function(losses.ssim_error)


def photometric_error() -> Maker:
    """Errors [B,N,S,1,H,W] of warped frames [B,N,S,3,H,W] against the target, scale by scale and frame by frame."""

    def errors(warped, target):
        found = [losses.photometric_error(frame, target) for frame in warped.flatten(1, 2).unbind(1)]
        return torch.stack(found, 1).unflatten(1, warped.shape[1:3])

    return function(errors)


def batch_norm(names: Sequence[str], channels: int) -> Maker:
    """Batch normalisation with batch statistics."""
    return module(lambda: nn.BatchNorm2d(channels), names)


def aspp(names: Sequence[str], channels: int, features: int, rates: tuple[int, ...]) -> Maker:
    """Atrous spatial pyramid pooling without dropout."""
    return module(lambda: decoders.ASPP(channels, features, _options(rates)), names, False)


def level(names: Sequence[str], channels: int, features: int, skip: int) -> Maker:
    """A decoder level with a skip."""
    return module(lambda: decoders.Level(channels, features, skip, _options(()), False), names, False)


def _options(rates: tuple[int, ...]) -> decoders.Options:
    return decoders.Options((), rates, True, None, False, 0.0)


def depth_mix() -> Maker:
    """Normalised disparities, their mask, and images and probabilities pasted onto the next of the batch."""

    def mix(disparity, image, probability):
        disparity = mixing.normalize_disparity(disparity)
        mask = mixing.depth_mix_mask(disparity, mixing.next_in_batch(disparity))
        return tuple(mixing.paste(x, mixing.next_in_batch(x), mask) for x in (image, probability))

    return function(mix)


def color_jitter() -> Maker:
    """Random jitter of depth training."""
    return function(augment.color_jitter)


def color_jitter_by(factors: np.ndarray) -> Maker:
    """The same with given factors [4,B], in the order of their numbers."""
    orders = torch.arange(4).repeat(factors.shape[1], 1)
    return function(lambda x: augment.jitter_torchvision(x, torch.from_numpy(factors), orders))


def strong_augment() -> Maker:
    """Random jitter and blur of mixed images."""
    return function(augment.strong_augment)


def strong_augment_by(factors: np.ndarray, orders: np.ndarray, sigma: np.ndarray) -> Maker:
    """The same with given factors [4,B], orders [B,4] and widths of the blur [B]."""

    def augmented(x):
        x = augment.jitter_additive(x, torch.from_numpy(factors), torch.from_numpy(orders))
        sizes = (augment.blur_kernel_size(x.shape[2]), augment.blur_kernel_size(x.shape[3]))
        return augment.gaussian_blur(x, torch.from_numpy(sigma), sizes)

    return function(augmented)


def update(decay: float) -> Maker:
    """SGD (fused on a GPU) with clipping and decay, then the teacher's average; tensors: parameters, then gradients."""

    def make(wrap, tensors):
        half = len(tensors) // 2
        params = [nn.Parameter(x.clone()) for x in tensors[:half]]
        teacher = [x.detach().clone() for x in params]
        for parameter, gradient in zip(params, tensors[half:], strict=True):
            parameter.grad = gradient.clone()
        optimizer = torch.optim.SGD(params, lr=1e-2, momentum=0.9, weight_decay=5e-4, fused=DEVICE.type == "cuda")

        def call():
            nn.utils.clip_grad_norm_(params, 10.0)
            optimizer.step()
            torch._foreach_lerp_(teacher, params, 1 - decay)
            return [x.detach() for x in params] + teacher

        return call

    return make
