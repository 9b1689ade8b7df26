"""Whose weights are these? Names as they are found in files -> names of the published joint model."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sde_seg_jax.models.backbones import torch_names
from sde_seg_jax.models.decoders import DECODERS

# keys under which a file with more than weights holds them, the surest first; one may lie in another
CONTAINERS = ("model_state", "state_dict", "model_state_dict", "model", "module", "network", "net", "weights", "params")
# what parallel training, compiling and saving memory put between the names of modules, anywhere and repeatedly
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


@functools.cache
def _kinds() -> tuple[tuple[str, str], ...]:
    """How names begin -> what comes before them in the joint model; the first that matches."""
    backbones = "|".join(names.starts for names in torch_names())
    return (
        (r"models\.", ""),
        (rf"encoder\.({backbones})\b", "models.encoder."),
        (rf"({backbones})\b", "models.encoder.encoder."),  # as who published a backbone names it
        (r"decoder\.", "models.depth."),
        (r"net\.\d", "models.pose."),
    )


def translated(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file holds, under the names that we know: backbones and decoders translate those of other libraries."""
    decoders = [DECODERS.find(name) for name in DECODERS.names()]
    for whose in (*torch_names(), *decoders):
        translate = getattr(whose, "translate", None)
        content = translate(content) if translate else content
    return content


def unpacked(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The innermost of nested containers; the content itself if it is none."""
    for key in CONTAINERS:
        if isinstance(content.get(key), Mapping):
            return unpacked(content[key])
    return content


def joint_names(names: Iterable[str], stem: str) -> dict[str, str]:
    """Name in a file, `stem` without its suffix, -> name in the joint model; as it is where it is of no known kind.

    Wrappers are taken off. So is a first part that all names share ("backbone.", "model."), if they are known then.
    """
    bare = {name: ".".join(part for part in name.split(".") if part not in WRAPPERS) for name in names}
    short = bare
    while short and not any(_known(name) for name in short.values()):
        first = {name.partition(".")[0] for name in short.values()}
        if len(first) > 1 or not all("." in name for name in short.values()):
            short = bare
            break
        short = {name: found.partition(".")[2] for name, found in short.items()}
    return {name: canonical(found, stem) for name, found in short.items()}


def canonical(name: str, stem: str) -> str:
    """The name in the joint model of a name in the file `stem`; unchanged if it is none of the known kinds."""
    for start, prefix in _kinds():
        if re.match(start, name):
            if stem == "pose_encoder":  # both encoders are saved under the same names
                prefix = prefix.replace("models.encoder.", "models.pose_encoder.")
            return prefix + name
    return name


def _known(name: str) -> bool:
    return any(re.match(start, name) for start, _ in _kinds())
