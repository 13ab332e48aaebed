"""All numbers finite and within 64 bits, in values of a kind's own type and in content that is still plain data.

JSON would turn a float that is not finite into null without a word, and Decimal text can say `NaN`; an integer beyond
64 bits is one that no store keeps.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from lictor.declarations.models import fields_of, numbers

from .finding import Finding, Reason, found

INTEGER_MAX = (1 << 63) - 1
_BITS_SHOWN_MAX = 200
_INFINITE = frozenset("niNIsS")  # nan, infinity, snan


def oversized(content: Any) -> str | None:
    """The first number anywhere in plain data that is not finite or does not fit 64 bits, as a sentence."""
    kind = type(content)
    if kind is int:
        return None if -INTEGER_MAX - 1 <= content <= INTEGER_MAX else f"{_short(content)} does not fit 64 bits"
    if kind is float or kind is Decimal:
        finite = isfinite(content) if kind is float else content.is_finite()
        return None if finite else f"{content} is not finite"
    items = content.values() if isinstance(content, dict) else content if isinstance(content, list | tuple) else ()
    return next((large for item in items if (large := oversized(item)) is not None), None)


def _short(number: int) -> str:
    """An integer as text, without writing out thousands of digits."""
    bits = number.bit_length()
    return str(number) if bits < _BITS_SHOWN_MAX else f"an integer of {bits} bits"


_fields = lru_cache(maxsize=1_000)(fields_of)


class Numbers:
    """Checks the numbers of one kind. A flat type is read field by field, anything else in full."""

    def __init__(self, type_: type) -> None:
        self._type = type_
        self._numeric: list[str] = []
        self._decimal: list[str] = []
        self._flat = bool(fields := _fields(type_))
        for field in fields:
            self._look_at(field)

    def _look_at(self, field: msgspec.inspect.Field) -> None:
        inspect = msgspec.inspect
        options = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if not all(isinstance(option, _PLAIN) for option in options):
            self._flat = False
        if any(isinstance(option, inspect.IntType | inspect.FloatType | inspect.DecimalType) for option in options):
            self._numeric.append(field.name)
        if any(isinstance(option, inspect.DecimalType) for option in options):
            self._decimal.append(field.encode_name)

    def in_value(self, value: Any) -> Finding | None:
        """Judge a value of the kind's type, or what stands for one."""
        if not self._flat or type(value) is not self._type:
            return self._in_full(value)
        for name in self._numeric:
            number = getattr(value, name)
            kind = type(number)
            if kind is int:
                if -INTEGER_MAX - 1 <= number <= INTEGER_MAX:
                    continue
            elif kind is float:
                if isfinite(number):
                    continue
            elif kind is not Decimal or number.is_finite():
                continue
            return found(Reason.NUMBER, f"{name}: {oversized(number)}")
        return None

    def in_content(self, content: Any) -> Finding | None:
        """Judge what text of a payload says for fields that are Decimal; the rest a decoder has judged."""
        if self._decimal and isinstance(content, dict):
            for name in self._decimal:
                text = content.get(name)
                if type(text) is str and text.strip().lstrip("+-")[:1] in _INFINITE and text.strip("+- "):
                    return found(Reason.NUMBER, f"{name}: {text[:20]} is not finite")
        return None

    @staticmethod
    def _in_full(value: Any) -> Finding | None:
        try:
            large = oversized(msgspec.to_builtins(value, builtin_types=(Decimal,), enc_hook=numbers))
        except RecursionError:
            return found(Reason.DEPTH, "nested too deep, or in itself")
        except (TypeError, ValueError) as error:
            return found(Reason.SCHEMA, str(error))
        return found(Reason.NUMBER, large) if large is not None else None


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
