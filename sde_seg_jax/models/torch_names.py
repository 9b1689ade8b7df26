"""Names of the published system's modules for the paths of ours (reference README, "Checkpoint formats")."""

import dataclasses
from collections.abc import Callable, Container, Mapping
from typing import Any

COARSEST = 4  # level the decoders start at


@dataclasses.dataclass(frozen=True)
class EncoderNames:
    """How files of PyTorch name a backbone's modules; the backbone's module has it as NAMES.

    Attributes:
      module: path of one of our modules -> PyTorch's name; () -> "" for parameters that belong to no layer.
      first: our name of the first convolution, which also tells whose tree it is.
      starts: how names of such files begin, a regular expression.
      ignore: those without a counterpart.
      translate: the arrays of a file under such names, from any that are named otherwise; others stay as they are.
      misfit: (a file's arrays by name, our parameters) -> what to change, where they are of another size; "" unknown.
    """

    module: Callable[[tuple[str, ...]], str]
    first: str
    starts: str
    ignore: str | None = None
    translate: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    misfit: Callable[[Mapping[str, Any], Mapping[str, Any]], str] | None = None


def encoder_module(path: tuple[str, ...]) -> str:
    """("layer1_0", "shortcut_conv") -> "layer1.0.downsample.0"."""
    if len(path) == 1:
        return path[0]
    block, module = path
    module = {"shortcut_conv": "downsample.0", "shortcut_norm": "downsample.1"}.get(module, module)
    return f"{block.replace('_', '.')}.{module}"


def decoder_module(path: tuple[str, ...], dilated: int) -> str:
    """("level_4", "second", "conv") -> "2.block.0.conv": indices follow the order of construction."""
    kind, number = path[0].rsplit("_", 1)
    if kind == "disparity":
        return f"{3 * COARSEST + 2 + int(number)}.conv"
    start = 3 * (COARSEST - int(number))
    if path[1] == "skip":
        return f"{start + 1}.{ {'conv': 0, 'norm': 1}[path[2]] }"
    if path[1] == "aspp":
        return f"{start}.{_aspp_module(path[2], path[3], dilated)}"
    # level 0 has no skip, so no index for its projection
    index = start + {"first": 0, "second": 1 if number == "0" else 2}[path[1]]
    return f"{index}.block.{ {'conv': '0.conv', 'norm': '1'}[path[2]] }"


def _aspp_module(branch: str, layer: str, dilated: int) -> str:
    step = {"conv": 0, "norm": 1}[layer]
    if branch == "project":
        return f"project.{step}"
    if branch == "pooled":  # the pooling itself is entry 0 of the branch
        return f"convs.{dilated + 1}.{step + 1}"
    index = 0 if branch == "pointwise" else 1 + int(branch.removeprefix("dilated_"))
    return f"convs.{index}.{step}"


def head_module(path: tuple[str, ...], layers: Container[str]) -> str:
    """("project_9",) -> "project.seg9.0"; the classifier's name depends on the `layers` that the head has."""
    inter = "inter" in layers
    if "conv" in layers:  # as UniMatch V2 has it
        return {"conv": "output_conv.0", "classifier": "output_conv.2"}[path[0]]
    if path[0].startswith("project_"):
        return f"project.seg{path[0].removeprefix('project_')}.0"
    if path[0] == "inter":
        return {"conv": "head.1", "norm": "head.2"}[path[1]]
    return "head.5" if inter else "head.2"


def pose_module(path: tuple[str, ...]) -> str:
    """("conv_0",) -> "1"."""
    return {"squeeze": "0", "conv_0": "1", "conv_1": "2", "output": "3"}[path[0]]


def no_module(path: tuple[str, ...]) -> str:
    """() -> "": a part that is one layer, whose name is the part's prefix."""
    return "".join(path)


def gate_module(path: tuple[str, ...]) -> str:
    """("attention",) -> "attention": the gates of the multi-task network have no other modules."""
    return path[0]
