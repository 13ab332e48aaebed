"""What a payload may be before anyone looks at what it says: its size, depth, numbers, keys and characters.

Decoders differ on each of these, so a payload that two readers could take for two things is kept out here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec

from .finding import Finding, Reason, found

#: Larger payloads are kept out; put the bulk elsewhere and name it.
PAYLOAD_BYTES_MAX = 1 << 20
#: Objects and arrays inside each other.
DEPTH_MAX = 32
#: Integers fit 64 bits, signed, as every store and language keeps them. Larger amounts are Decimal text.
INTEGER_MAX = (1 << 63) - 1

#: Linear on well-formed text, and used on nothing else.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LONG = re.compile(rb"\d{19}")
_OPENS = re.compile(rb"[\[{\]}]")
_decode = msgspec.json.Decoder().decode


def read(payload: bytes) -> tuple[Finding | None, Any]:
    """The content of JSON text as plain data; or why it is kept out, and None."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        return found(Reason.SIZE, f"the payload has {len(payload)} bytes; at most {PAYLOAD_BYTES_MAX}"), None
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            return found(Reason.UNICODE, f"not UTF-8: {error.reason} at byte {error.start}"), None
    try:
        content = _decode(payload)
    except msgspec.ValidationError as error:
        return found(Reason.NUMBER, str(error)), None
    except msgspec.DecodeError as error:
        reason = Reason.UNICODE if "surrogate" in str(error) else Reason.JSON
        return found(reason, str(error)), None
    except RecursionError:
        return found(Reason.DEPTH, f"nested deeper than {DEPTH_MAX}"), None
    bare = _STRINGS.sub(b"", payload)
    if bare.count(b"[") + bare.count(b"{") > DEPTH_MAX and (depth := _depth(bare)) > DEPTH_MAX:
        return found(Reason.DEPTH, f"nested {depth} deep; at most {DEPTH_MAX}"), None
    if bare.count(b":") != _keys(content):
        return found(Reason.DUPLICATE_KEY, "an object has the same key twice"), None
    if _LONG.search(bare) and (large := _oversized(content)) is not None:
        return found(Reason.NUMBER, large), None
    return None, content


def _depth(bare: bytes) -> int:
    """How deep brackets are nested."""
    depth = deepest = 0
    for bracket in _OPENS.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _keys(content: Any) -> int:
    """Keys of all objects in the content, which a decoder has made unique."""
    if type(content) is dict:
        return len(content) + sum(_keys(item) for item in content.values() if type(item) in _NESTS)
    if type(content) is list:
        return sum(_keys(item) for item in content if type(item) in _NESTS)
    return 0


_NESTS = (dict, list)


def _oversized(content: Any) -> str | None:
    """What no 64-bit number holds."""
    if type(content) is int:
        return None if -INTEGER_MAX - 1 <= content <= INTEGER_MAX else f"{_short(content)} does not fit 64 bits"
    if type(content) is float:
        return None if isfinite(content) else f"{content} is not finite"
    items = content.values() if isinstance(content, dict) else content if isinstance(content, list | tuple) else ()
    return next((large for item in items if (large := _oversized(item)) is not None), None)


def _short(number: int) -> str:
    """An integer as text, without writing out thousands of digits."""
    return str(number) if number.bit_length() < 200 else f"an integer of {number.bit_length()} bits"  # noqa: PLR2004


def value_check(type_: type) -> Callable[[Any], Finding | None]:
    """A check of values of a kind's own type, in process: all numbers finite and within 64 bits.

    JSON would turn what is not finite into null without a word. A flat type is read field by field.
    """
    numeric = _numeric_fields(type_)

    def flat(value: Any) -> Finding | None:
        if type(value) is not type_:
            return nested(value)
        for name in numeric or ():
            number = getattr(value, name)
            kind = type(number)
            if kind is int:
                if -INTEGER_MAX - 1 <= number <= INTEGER_MAX:
                    continue
            elif kind is not float or isfinite(number):
                continue
            return found(Reason.NUMBER, f"{name}: {_oversized(number)}")
        return None

    def nested(value: Any) -> Finding | None:
        try:
            large = _oversized(msgspec.to_builtins(value))
        except RecursionError:
            return found(Reason.DEPTH, f"nested deeper than {DEPTH_MAX}")
        except (TypeError, ValueError) as error:
            return found(Reason.SCHEMA, str(error))
        return found(Reason.NUMBER, large) if large is not None else None

    return flat if numeric is not None else nested


def _numeric_fields(type_: type) -> tuple[str, ...] | None:
    """Fields that may hold a number, where all fields are plain; None where something may be nested."""
    names = []
    info = msgspec.inspect.type_info(type_)
    if not isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        return None
    for field in info.fields:
        options = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
        if not all(isinstance(option, _PLAIN) for option in options):
            return None
        if any(isinstance(option, msgspec.inspect.IntType | msgspec.inspect.FloatType) for option in options):
            names.append(field.name)
    return tuple(names)


_PLAIN = (
    msgspec.inspect.NoneType,
    msgspec.inspect.BoolType,
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.StrType,
    msgspec.inspect.BytesType,
    msgspec.inspect.DecimalType,
    msgspec.inspect.DateTimeType,
    msgspec.inspect.DateType,
    msgspec.inspect.TimeType,
    msgspec.inspect.TimeDeltaType,
    msgspec.inspect.UUIDType,
    msgspec.inspect.EnumType,
    msgspec.inspect.LiteralType,
)
