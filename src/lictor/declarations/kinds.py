"""A kind of decision: the user's own class, and how decisions of it are identified, ordered and bounded in time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from operator import attrgetter
from typing import Any

import msgspec

from lictor.errors import DeclarationError
from lictor.records import Priority

from .models import fields_of, is_model


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind and version. Every kind has a deadline.

    `expires_in_s` after it was received, unless the signal sets another.
    """

    name: str
    type: type
    version: int = 1
    order_by: Callable[[Any], str | None] | None = None
    expires_in_s: float = 60.0
    priority: Priority = Priority.NORMAL
    #: Passes order keys and classes: cancel and reduce kinds.
    control: bool = False
    #: Pure; True where this content only reduces exposure, which is what reduce-only still admits.
    reduces: Callable[[Any], bool] | None = None
    #: Pure; True where the second value is no looser than the first. Amendments that are looser are refused.
    tightens: Callable[[Any, Any], bool] | None = None
    #: How long a held decision waits for a person, at most.
    approve_within_s: float | None = None
    #: Turns the payload of an older version into this one's: old version -> function of the decoded JSON object.
    upgrades: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = dataclasses.field(default_factory=dict)
    #: Pure; what a decision of this content is worth to whoever runs the node. None: the weight of its class.
    value: Callable[[Any], float] | None = None

    def worth(self, content: Any) -> float | None:
        """What it is worth; None (the weight of its class) where that is no number, because a measure stops nothing."""
        if self.value is None:
            return None
        try:
            found = float(self.value(content))
        except Exception:  # noqa: BLE001 - user code
            return None
        return found if 0 <= found < inf else None


def field_reader(type_: type, by: str | Callable[[Any], Any] | None, what: str) -> Callable[[Any], str | None] | None:
    """A function from a value of the kind to the text of one of its fields.

    Raises:
        DeclarationError: the type has no such field.
    """
    if by is None or callable(by):
        return by
    names = field_names(type_)
    if by not in names:
        raise DeclarationError(f"{what}={by!r}: {type_.__name__} has no such field", hint=f"it has {', '.join(names)}")

    def read(value: Any, name: str = by) -> str | None:
        found = getattr(value, name)
        return None if found is None else str(found)

    return read


def value_reader(type_: type, value: str | float | Callable[[Any], Any] | None) -> Callable[[Any], float] | None:
    """A function from a value of the kind to what it is worth: a number for all, a field's amount, or the user's own.

    Raises:
        DeclarationError: the type has no such field, or the number is not finite and at least 0.
    """
    if value is None or callable(value):
        return value
    if not isinstance(value, str):
        if not 0 <= value < inf:
            raise DeclarationError(f"value={value}: what a decision is worth is a number from 0 on")
        return lambda _content, worth=float(value): worth  # type: ignore[misc]
    if value not in (names := field_names(type_)):
        hint = f"it has {', '.join(names)}"
        raise DeclarationError(f"value={value!r}: {type_.__name__} has no such field", hint=hint)
    return attrgetter(value)


def field_names(type_: type) -> tuple[str, ...]:
    """Names of the fields of a dataclass, msgspec struct or Pydantic model.

    Raises:
        DeclarationError: it is none of them.
    """
    if dataclasses.is_dataclass(type_):
        return tuple(field.name for field in dataclasses.fields(type_))
    if issubclass(type_, msgspec.Struct):
        return type_.__struct_fields__
    if is_model(type_):
        return tuple(field.name for field in fields_of(type_))
    raise DeclarationError(
        f"{type_.__name__} is no dataclass, msgspec.Struct or Pydantic model",
        hint="decorate it with @dataclass(frozen=True)",
    )
