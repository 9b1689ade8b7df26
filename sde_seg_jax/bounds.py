"""What a value may be, said where it is declared: `confidence: Probability = 0.968`.

A section of a configuration is the keyword arguments of one function; `complaint` compares a value with the annotation
of its argument, so that what could only fail later is an error before any work.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The numbers from `low` to `high`; without the ends themselves where `open_low` or `open_high`."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def hold(self, value: float) -> bool:
        """Whether a number is one of them; NaN and infinities never are."""
        if not math.isfinite(value):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        low, high = f"{'above ' if self.open_low else ''}{self.low:.10g}", f"{self.high:.10g}"
        if self.high == math.inf:
            return low if self.open_low else f"{low} or more"
        return f"from {low} to {'below ' if self.open_high else ''}{high}"


Probability = Annotated[float, Bounds(0, 1)]
NotNegative = Annotated[float, Bounds(0)]
Positive = Annotated[float, Bounds(0, open_low=True)]
Count = Annotated[int, Bounds(1)]
CountOrNone = Annotated[int, Bounds(0)]  # 0 switches it off
Seed = Annotated[int, Bounds(0, 2**32 - 1)]  # what every generator takes
Dropout = Annotated[float, Bounds(0, 1, open_high=True)]

NOUNS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def annotations(function: Callable) -> dict[str, Any]:
    """Name of an argument -> its annotation, evaluated; those that cannot be (only imported to be checked) are absent.

    Groups of arguments (`options.flat`) count by their fields.
    """
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = parameter.annotation
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, dict(scope))  # as typing.get_type_hints does, one by one
            except (NameError, AttributeError):
                continue
        if annotation is not inspect.Parameter.empty:
            found[name] = annotation
    return found


def complaint(annotation: Any, value: Any) -> str:
    """What a value should have been, as in "a number from 0 to 1"; "" if it is that, or nothing is known of it."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        options = typing.get_args(annotation)
        found = [complaint(option, value) for option in options if option is not type(None)]
        fits = "" in found or (value is None and type(None) in options)
        return "" if fits else " or ".join([*found, "None"] if type(None) in options else found)
    if members := _members(annotation, value):
        return next((text for kind, one in members if (text := complaint(kind, one))), "")
    kind, bounds = annotation, None
    if typing.get_origin(annotation) is Annotated:
        kind, *rest = typing.get_args(annotation)
        bounds = next((one for one in rest if isinstance(one, Bounds)), None)
    if kind not in NOUNS:
        return ""
    if _is(value, kind) and (bounds.hold(value) if bounds else _is_finite(value)):
        return ""
    return NOUNS[kind] + (f" {bounds}" if bounds else "")


def complaints(function: Callable, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Name -> what it should have been, of all arguments that are not."""
    known = annotations(function)
    found = {name: complaint(known[name], value) for name, value in arguments.items() if name in known}
    return {name: text for name, text in found.items() if text}


def _members(annotation: Any, value: Any) -> list[tuple[Any, Any]]:
    """(annotation, member) of what holds several: every one of a sequence or mapping must be what it says."""
    origin, kinds = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Sequence and isinstance(value, (list, tuple)):
        return [(kinds[0], one) for one in value]
    if origin is Mapping and isinstance(value, Mapping):
        return [(kinds[1], one) for one in value.values()]
    return []


def _is_finite(value: Any) -> bool:
    return math.isfinite(value) if isinstance(value, numbers.Real) else True


def _is(value: Any, kind: type) -> bool:
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, {int: numbers.Integral, float: numbers.Real}.get(kind, kind))  # NumPy's are, too
