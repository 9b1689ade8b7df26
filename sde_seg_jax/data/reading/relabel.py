"""Labels of one label space in another: source data whose classes are not the target's."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from sde_seg_jax.data.reading.augment import Window
from sde_seg_jax.data.reading.stream import Source
from sde_seg_jax.label_spaces import LabelSpace
from sde_seg_jax.types import IGNORE

KEY = "source_data.class_map"
BY_NAME = "by_name"
ARROW = "->"
DROP = "ignore"  # instead of a target class
FORM = f'"SOURCE CLASS {ARROW} TARGET CLASS" or "SOURCE CLASS {ARROW} {DROP}"'


class Relabeled:
    """A `stream.Source` whose labels, and whose label space, are those of the target data.

    `class_map` is as `translation` takes it, which raises the same errors. Everything else is the source's.
    """

    def __init__(self, source: Source, space: LabelSpace, class_map: Sequence[str] = ()):
        self.table = translation(source.space, space, class_map)
        self.space = space
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int, fields: Sequence[str] | None = None, window: Window | None = None) -> dict[str, Any]:
        """Sample `index` of the source, its label in ids of the target."""
        example = self._source.read(index, fields, window)
        if "label" in example:
            example = {**example, "label": self.table[example["label"]]}
        return example


def translation(source: LabelSpace, target: LabelSpace, class_map: Sequence[str] = ()) -> np.ndarray:
    """Table uint8 [256]: source id -> target id, IGNORE for all that has no class in the target.

    Args:
      source, target: the spaces.
      class_map: () if both have the same classes in the same order. Else ("by_name",), by which classes of the same
        name are the same, or rules beside it: "SOURCE CLASS -> TARGET CLASS" (several may name one target class) or
        "SOURCE CLASS -> ignore". A rule goes before a name; what neither names is ignored.

    Raises:
      ValueError: the classes differ and there is no `class_map`, a rule is none or names an unknown class, or no class
        of the source has one in the target.
    """
    if isinstance(class_map, str):
        raise ValueError(f"{KEY}={class_map!r} is no list; write ({class_map!r},)")
    if not class_map and source.classes != target.classes:
        raise ValueError(_difference(source, target))
    target_of = {name: name for name in source.classes if name in target.classes}
    target_of |= _rules([rule for rule in class_map if rule.strip() != BY_NAME], source, target)
    table = np.full(256, IGNORE, np.uint8)
    for index, name in enumerate(source.classes):
        if target_of.get(name, DROP) != DROP:
            table[index] = target.classes.index(target_of[name])
    if (table == IGNORE).all():
        raise ValueError(
            f"no class of the source's ({source.name}: {_listed(source.classes)}) has one in the target "
            f"({target.name}: {_listed(target.classes)}); name pairs in {KEY}: {FORM}"
        )
    return table


def describe(source: LabelSpace, target: LabelSpace, class_map: Sequence[str] = ()) -> list[str]:
    """Lines for people: which of the source's classes a `translation` ignores, which of the target's it never gives."""
    table = translation(source, target, class_map)
    ignored = [name for index, name in enumerate(source.classes) if table[index] == IGNORE]
    missing = [name for index, name in enumerate(target.classes) if index not in table]
    lines = [f"ignored classes of the source: {_listed(ignored)}"] * bool(ignored)
    return lines + [f"classes of the target without source pixels: {_listed(missing)}"] * bool(missing)


def _rules(class_map: Sequence[str], source: LabelSpace, target: LabelSpace) -> dict[str, str]:
    """Source class -> target class or DROP."""
    found: dict[str, str] = {}
    for rule in class_map:
        name, arrow, wanted = (part.strip() for part in rule.partition(ARROW))
        if not (name and arrow and wanted):
            raise ValueError(f"{KEY}: {rule!r} is no rule; write {FORM}, or {BY_NAME!r}")
        if name in found:
            raise ValueError(f"{KEY}: two rules for the source's class {name!r}; leave one out")
        if name not in source.classes:
            raise ValueError(f"{KEY}: {rule!r}: the source has no class {name!r}; {_nearest(name, source.classes)}")
        if wanted != DROP and wanted not in target.classes:
            known = (*target.classes, DROP)
            raise ValueError(f"{KEY}: {rule!r}: the target has no class {wanted!r}; {_nearest(wanted, known)}")
        found[name] = wanted
    return found


def _difference(source: LabelSpace, target: LabelSpace) -> str:
    only_source = [name for name in source.classes if name not in target.classes]
    only_target = [name for name in target.classes if name not in source.classes]
    what = f"the classes of source ({source.name}) and target ({target.name}) differ"
    if only_source or only_target:
        what += f": only the source has {_listed(only_source)}; only the target has {_listed(only_target)}"
    else:
        what += " in their order"
    return f"{what}; set {KEY} to ({BY_NAME!r},) to match them by name, or to rules {FORM}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {_listed(known)}"
