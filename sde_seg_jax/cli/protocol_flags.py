"""The flags that say how a network is asked about an image, for cli.predict and cli.evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags as absl_flags

from sde_seg_jax.cli.command_line import Arguments
from sde_seg_jax.experiment.errors import UsageError

if TYPE_CHECKING:
    from sde_seg_jax.evaluation.protocols.protocol import Protocol

PROTOCOLS = ("whole", "sliding")


def define(values: absl_flags.FlagValues, resolutions: Sequence[str], help: str) -> None:
    """Defines them; `resolutions` are those that --resolution takes, the first of which is the default."""
    absl_flags.DEFINE_enum("resolution", resolutions[0], resolutions, help, flag_values=values)
    shape = "of what the network sees at the resolution trained: the image's own, or squeezed to the trained one"
    absl_flags.DEFINE_enum("aspect", "keep", ["keep", "trained"], shape, flag_values=values)
    absl_flags.DEFINE_string("protocol", "", "whole, or sliding: needs --window", flag_values=values)
    absl_flags.DEFINE_string("window", "", "height x width in pixels of a sliding window, 512x512", flag_values=values)
    absl_flags.DEFINE_string("stride", "", "step of the window, 256x256; default: 2/3 of it", flag_values=values)
    absl_flags.DEFINE_string("scales", "1", "sizes of the image to average over: 0.75,1,1.25", flag_values=values)
    absl_flags.DEFINE_bool("flip", False, "average with the mirrored image", flag_values=values)


def protocol_of(arguments: Arguments) -> Protocol:
    """The protocol of a command line. Raises ValueError, naming the flag, for one that cannot be."""
    from sde_seg_jax.evaluation.protocols.protocol import Protocol
    from sde_seg_jax.lookup import suggest

    window, stride = (_size(arguments, name) for name in ("window", "stride"))
    named = arguments.protocol or ("sliding" if window else "whole")
    if named not in PROTOCOLS:
        raise UsageError(f"--protocol={named}: no such protocol; {suggest(named, PROTOCOLS)}")
    if (named == "sliding") != bool(window):
        remedy = "leave --window out" if window else "give --window=HxW, too"
        raise UsageError(f"--protocol={named} {'takes no' if window else 'needs a'} window; {remedy}")
    try:
        scales = tuple(float(scale) for scale in arguments.scales.split(","))
    except ValueError:
        raise UsageError(f"--scales={arguments.scales}: expected numbers with commas, like 0.75,1,1.25") from None
    return Protocol(window, stride, scales, arguments.flip)


def _size(arguments: Arguments, name: str) -> tuple[int, int] | None:
    text = getattr(arguments, name)
    if not text:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--{name}={text}: expected height x width in pixels, like 512x1024")
    return int(parts[0]), int(parts[1])
