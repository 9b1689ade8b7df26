"""Starting weights by rules: which module of which source initialises which module of the network.

A rule is `TARGET [<- MODULE] [from SOURCE]`: "encoder", "segmentation/decoder <- depth_decoder",
"pose/encoder <- encoder from imagenet_pose". MODULE is TARGET's name, SOURCE is model.init unless given; the others are
keys of config.sources. A module is copied whole, with its running statistics, or the command ends.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ml_collections import config_dict

from sde_seg_jax.experiment.config import UsageError, value_of
from sde_seg_jax.experiment.weights.sources import INIT, Source, find, flat, named, nested
from sde_seg_jax.models.network import Network
from sde_seg_jax.types import Variables

GRAMMAR = re.compile(r"\s*([\w/]+)(?:\s*<-\s*([\w/]+))?(?:\s+from\s+(\w+))?\s*")
FRESH = "random"


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of model.transfer. `source` is a key of config.sources, "" for model.init."""

    text: str
    target: str
    module: str
    source: str

    @property
    def origin(self) -> str:
        """As the table shows it."""
        return f"{self.module} from {self.source or INIT}"


def parse(text: str) -> Rule:
    """A rule of the form above. Raises UsageError."""
    match = GRAMMAR.fullmatch(text)
    if not match:
        raise UsageError(f"model.transfer '{text}': expected 'TARGET [<- MODULE] [from SOURCE]'")
    target, module, source = (group and group.strip("/") for group in match.groups())
    return Rule(text, target, module or target, source or "")


def check_transfer(config: config_dict.ConfigDict, network: Network, *, sources: bool = True) -> None:
    """Raises ValueError, before anything is read, for rules and, if asked, `sources` that cannot be used."""
    rules = [parse(text) for text in config.model.transfer]
    parts = [name for name, present in network_parts(network).items() if present]
    for rule in rules:
        if rule.target.split("/")[0] not in parts:
            raise UsageError(f"model.transfer '{rule.text}': the network has no '{rule.target}'; {_hint(rule, parts)}")
        if not rule.source and not config.model.init:
            raise UsageError(f"model.transfer '{rule.text}' has no source: set model.init or write 'from SOURCE'")
    _refuse_overlap(rules)
    reference = value_of(config, "task.reference_encoder") if "feature_distance" in config.losses else ""
    for name in sorted({rule.source for rule in rules} | {reference}):
        if name and name not in config.sources:
            near = difflib.get_close_matches(name, config.sources, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(config.sources) or 'none'}"
            raise UsageError(f"'{name}' is no key of config.sources; {hint}")
        if sources and (name or config.model.init):
            find(*named(config, name))


def network_parts(network: Network) -> dict[str, bool]:
    """The top level of a network's parameters, and whether it is there."""
    return {
        "encoder": True,
        "depth_decoder": network.depth_decoder is not None,
        "segmentation": network.segmentation is not None,
        "distillation": getattr(network, "distillation", None) is not None,
        "pose": network.pose_network is not None,
        "intrinsics": getattr(network, "intrinsics", None) is not None,
    }


def transfer(
    variables: Variables, rules: Sequence[str], open_named: Callable[[str], Source]
) -> tuple[Variables, list[dict[str, Any]]]:
    """Variables with the modules that `rules` name replaced, and a table: module, source, copied and fresh parameters.

    `open_named(name)` reads a source. Raises UsageError for targets that the network lacks or that two rules name;
    CheckpointError or WeightsError, listing what differs, for a module that does not fit.
    """
    parsed = [parse(text) for text in rules]
    _refuse_overlap(parsed)
    params, stats = flat(variables.params), flat(variables.batch_stats)
    known = list(dict.fromkeys("/".join(name.split("/")[:n]) for name in params for n in (1, 2)))
    rows, copied = [], set()
    for rule in parsed:
        like = Variables(_below(params, rule.target), _below(stats, rule.target))
        if not like.params:
            raise UsageError(f"model.transfer '{rule.text}': the network has no '{rule.target}'; {_hint(rule, known)}")
        found = open_named(rule.source).module(rule.module, like)
        for leaves, new in ((params, found.params), (stats, found.batch_stats)):
            leaves.update({f"{rule.target}/{k}": np.array(v) for k, v in flat(new).items()})  # buffers of its own
        names = [f"{rule.target}/{k}" for k in flat(found.params)]
        copied.update(names)
        rows.append({"module": rule.target, "source": rule.origin, "copied": count(params, names), "fresh": 0})
    for module, names in _fresh(params, copied).items():
        rows.append({"module": module, "source": FRESH, "copied": 0, "fresh": count(params, names)})
    return Variables(nested(params), nested(stats)), rows


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows of `transfer` as aligned lines."""
    wide = [max((len(row[key]) for row in rows), default=0) for key in ("module", "source")]
    lines = [f"  {row['module']:<{wide[0]}}  {row['source']:<{wide[1]}}" for row in rows]
    numbers = [f"copied {row['copied']:>11,}  fresh {row['fresh']:>11,}" for row in rows]
    return [f"{line}  {number}" for line, number in zip(lines, numbers, strict=True)]


def count(leaves: dict[str, Any], names: Sequence[str]) -> int:
    """Number of scalars in the named leaves."""
    return sum(int(np.prod(leaves[name].shape)) for name in names)


def _below(leaves: dict[str, Any], module: str) -> dict:
    return nested({k.removeprefix(f"{module}/"): v for k, v in leaves.items() if k.startswith(f"{module}/")})


def _fresh(params: dict[str, Any], copied: set[str]) -> dict[str, list[str]]:
    """Names without a source, by part; by the parts' modules where something else of the part was copied."""
    partly = {name.split("/")[0] for name in copied}
    groups: dict[str, list[str]] = {}
    for name in params:
        if name not in copied:
            path = name.split("/")
            groups.setdefault("/".join(path[: 2 if path[0] in partly else 1]), []).append(name)
    return groups


def _refuse_overlap(rules: Sequence[Rule]) -> None:
    for i, first in enumerate(rules):
        for second in rules[i + 1 :]:
            inner, outer = sorted((first.target, second.target), key=len, reverse=True)
            if f"{inner}/".startswith(f"{outer}/"):
                raise UsageError(
                    f"model.transfer: '{first.text}' and '{second.text}' both start '{inner}'; leave one out"
                )


def _hint(rule: Rule, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(rule.target, known, 1)
    return f"did you mean '{near[0]}'?" if near else f"parts: {', '.join(known)}"
