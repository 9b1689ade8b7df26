"""Coding a chunk of samples: what worker processes do. What is wrong with one comes back as its message."""

from __future__ import annotations

import dataclasses
import functools
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from sde_seg_jax.data.spec import DatasetSpec, Size
from sde_seg_jax.data.stored import codec
from sde_seg_jax.label_spaces import LabelSpace

UNKNOWN = re.compile(r"label '(?P<file>.*)' has unknown (?P<what>\w+) \[(?P<values>.*)\](?P<rest>.*)", re.DOTALL)
VALUE = re.compile(r"\([^)]*\)|[^,\s]+")  # an id, or a color
SHOWN = 8  # values in one summary


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A coded sample, or None and the message of its problem; and the warnings on the way."""

    coded: codec.Coded | None
    problem: str = ""
    warnings: tuple[str, ...] = ()


def coder(
    spec: DatasetSpec, size: Size, image_format: str, space: LabelSpace
) -> Callable[[Sequence[Any]], list[Outcome]]:
    """Returns the picklable function that turns a chunk of items into their outcomes."""
    return functools.partial(
        _code, functools.partial(codec.encode, spec, size=size, image_format=image_format, space=space)
    )


def _code(encode: Callable[..., codec.Coded], items: Sequence[Any]) -> list[Outcome]:
    return [_code_one(encode, item) for item in items]


def _code_one(encode: Callable[..., codec.Coded], item: Any) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        coded, problem = None, ""
        try:
            coded = encode(item=item)
        except ValueError as error:
            problem = str(error)
        except OSError as error:  # of a file that the description's reader did not name itself
            problem = f"cannot read '{error.filename or item}' ({error.strerror or error}); replace it, or its disk"
    ours = [warning for warning in caught if warning.category is UserWarning]
    for warning in caught:
        if warning not in ours:  # other packages' warnings are not about the data
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return Outcome(coded, " ".join(problem.split()), tuple(str(warning.message) for warning in ours))


def summarize(messages: Sequence[str]) -> list[str]:
    """Returns one line for each kind of warning: how often, the first file, all unknown ids or colors."""
    groups: dict[Any, list[str]] = {}
    for message in messages:
        unknown = UNKNOWN.fullmatch(message)
        kind = (unknown["what"], unknown["rest"]) if unknown else re.sub(r"'[^']*'|\d+", "", message)
        groups.setdefault(kind, []).append(message)
    return [_summary(kind, group) for kind, group in groups.items()]


def _summary(kind: Any, group: Sequence[str]) -> str:
    if len(group) == 1:
        return group[0]
    if isinstance(kind, str):
        return f"{group[0]} (and {len(group) - 1} more of this kind)"
    matches = [UNKNOWN.fullmatch(message) for message in group]
    values = sorted({value for match in matches for value in VALUE.findall(match["values"])}, key=_order)
    more = f", and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    what, rest = kind
    listed = ", ".join(values[:SHOWN])
    return f"unknown {what} [{listed}{more}] in {len(group)} labels, the first '{matches[0]['file']}'{rest}"


def _order(value: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", value))
