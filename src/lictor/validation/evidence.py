"""Turns what a gate read into plain data that a journal can keep, and back into what the gate saw.

JSON has no tuple, set, Decimal or dataclass; a gate that is asked again must get exactly these, so each is kept under a
tag. `restore` makes objects of classes that are loaded already, and of no others. Pure; reads and writes nothing.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from lictor.errors import LictorError

#: The key that marks a tagged value; a map that has it itself is kept as pairs.
TAG = "$"
DEPTH_MAX = 50
_INT_MAX = 1 << 63
_PLAIN = (type(None), bool, float, str, bytes)

encode = msgspec.msgpack.Encoder().encode


class NotKept(LictorError):
    """A value cannot be kept as evidence, or not be made again from what was kept."""

    code = "NOT_KEPT"


def keep(value: Any, depth: int = 0) -> Any:
    """Plain data of a value.

    Raises:
        NotKept: it is of a type that has no plain form, or nested too deep.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return value if -_INT_MAX <= value < _INT_MAX else {TAG: "int", "v": str(value)}
    if depth > DEPTH_MAX:
        raise NotKept("it is nested too deep")
    if kind is list:
        return [keep(item, depth + 1) for item in value]
    if kind is dict:
        if TAG not in value and all(type(key) is str for key in value):
            return {key: keep(item, depth + 1) for key, item in value.items()}
        return {TAG: "dict", "v": [[keep(k, depth + 1), keep(v, depth + 1)] for k, v in value.items()]}
    if kind is tuple:
        return {TAG: "tuple", "v": [keep(item, depth + 1) for item in value]}
    if kind in (set, frozenset):
        return {TAG: kind.__name__, "v": sorted((keep(item, depth + 1) for item in value), key=encode)}
    if kind in _TEXTS:
        return {TAG: kind.__name__, "v": _TEXTS[kind][0](value)}
    return _object(value, depth)


def _object(value: Any, depth: int) -> Any:
    kind = type(value)
    name = f"{kind.__module__}:{kind.__qualname__}"
    if isinstance(value, Enum):
        return {TAG: "enum", "t": name, "v": keep(value.value, depth + 1)}
    if name == "uuid:UUID":
        return {TAG: "text", "t": name, "v": str(value)}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return {TAG: "named", "t": name, "v": [keep(item, depth + 1) for item in value]}
    fields = getattr(kind, "__struct_fields__", None) or getattr(kind, "__dataclass_fields__", None)
    if fields is None:
        raise NotKept(f"a {kind.__name__} has no plain form")
    return {TAG: "fields", "t": name, "v": {field: keep(getattr(value, field), depth + 1) for field in fields}}


def restore(kept: Any) -> Any:
    """The value that `keep` was given.

    Raises:
        NotKept: a class of it is not loaded here, or has changed.
    """
    if isinstance(kept, list):
        return [restore(item) for item in kept]
    if not isinstance(kept, dict):
        return kept
    tag = kept.get(TAG)
    if tag is None:
        return {key: restore(item) for key, item in kept.items()}
    try:
        return _RESTORES[tag](kept)
    except NotKept:
        raise
    except Exception as error:  # whatever a user's class does when it is made again
        raise NotKept(f"a kept {kept.get('t', tag)} cannot be made again: {error}") from error


def _fields(kept: dict[str, Any]) -> Any:
    type_ = _type(kept["t"])
    values = {name: restore(value) for name, value in kept["v"].items()}
    if issubclass(type_, msgspec.Struct):
        return type_(**values)
    if not dataclasses.is_dataclass(type_):
        raise NotKept(f"{kept['t']} is no dataclass any more")
    if values.keys() != {field.name for field in dataclasses.fields(type_)}:
        raise NotKept(f"{kept['t']} has other fields now")
    made = object.__new__(type_)
    for name, value in values.items():  # as it was: without its checks and defaults, frozen or not
        object.__setattr__(made, name, value)
    return made


def _type(name: str) -> type:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise NotKept(f"its class {name} is not loaded here")
    return found


def _from_text(back: Callable[[str], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda kept: back(kept["v"])


#: Types that have a text: to it, and back.
_TEXTS: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    Decimal: (str, Decimal),
    datetime: (datetime.isoformat, datetime.fromisoformat),
    date: (date.isoformat, date.fromisoformat),
    time: (time.isoformat, time.fromisoformat),
    timedelta: (
        lambda span: f"{span.days} {span.seconds} {span.microseconds}",
        lambda text: timedelta(*map(int, text.split())),
    ),
}

_RESTORES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "int": lambda kept: int(kept["v"]),
    "dict": lambda kept: {restore(key): restore(item) for key, item in kept["v"]},
    "tuple": lambda kept: tuple(restore(item) for item in kept["v"]),
    "set": lambda kept: {restore(item) for item in kept["v"]},
    "frozenset": lambda kept: frozenset(restore(item) for item in kept["v"]),
    "enum": lambda kept: _type(kept["t"])(restore(kept["v"])),
    "named": lambda kept: _type(kept["t"])(*(restore(item) for item in kept["v"])),
    "fields": _fields,
    "text": lambda kept: _type(kept["t"])(kept["v"]),
    **{type_.__name__: _from_text(back) for type_, (_, back) in _TEXTS.items()},
}
