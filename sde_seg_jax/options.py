"""Options that belong together are one frozen dataclass, and still plain keyword arguments of what takes them.

A configuration section is the keyword arguments of one function. `flat` lets such a function take groups:

    @flat
    def make_loss(network, *, losses, mixing: Mixing = Mixing(), strong: Strong = Strong()): ...

is called as make_loss(network, losses=losses, mix="class", per_batch=True), and its signature names mix and per_batch,
so that a key that no group has is an error that names the nearest.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Group = TypeVar("Group")


def flat(function: Callable) -> Callable:
    """The function with the fields of its groups, keyword arguments whose default is a dataclass, as its own.

    A group may also be given whole, by its own name. Raises TypeError for a name that two of them have.
    """
    signature = inspect.signature(function)
    groups = {name: p.default for name, p in signature.parameters.items() if dataclasses.is_dataclass(p.default)}
    owner = {field.name: name for name, group in groups.items() for field in dataclasses.fields(group)}
    parameters = [p for parameter in signature.parameters.values() for p in _fields(parameter, groups)]

    @functools.wraps(function)
    def taking_fields(*arguments, **given):
        whole = {name: given.pop(name, default) for name, default in groups.items()}
        for name, group in whole.items():  # all fields at once: a group may refuse some without others
            fields = {key: given.pop(key) for key in list(given) if owner.get(key) == name}
            whole[name] = dataclasses.replace(group, **fields) if fields else group
        return function(*arguments, **given, **whole)

    try:
        taking_fields.__signature__ = signature.replace(parameters=parameters)
    except ValueError as error:
        raise TypeError(f"{function.__qualname__}: {error}") from error
    return taking_fields


def _fields(parameter: inspect.Parameter, groups: Mapping[str, Any]) -> list[inspect.Parameter]:
    if parameter.name not in groups:
        return [parameter]
    group = groups[parameter.name]
    kinds = typing.get_type_hints(type(group), include_extras=True)
    return [
        inspect.Parameter(field.name, parameter.kind, default=getattr(group, field.name), annotation=kinds[field.name])
        for field in dataclasses.fields(group)
    ]


def pick(group: type[Group], section: Mapping[str, Any]) -> Group:
    """The options of a group that a section has; defaults for those that it has not."""
    return group(**{field.name: section[field.name] for field in dataclasses.fields(group) if field.name in section})
