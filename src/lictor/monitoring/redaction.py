"""Keeps secrets out of whatever people and files get to see (I21): logs, timelines, exports.

Three nets, one behind the other: a `Secret` never shows itself; a field whose name says that it is secret is
replaced, at any depth; and in free text what follows such a name, a bearer token, an API key of ours and the password
of an address are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any

import msgspec

from lictor.declarations.secret import HIDDEN, remember

__all__ = ["HIDDEN", "NAMES", "Redactor", "Secret"]

#: Parts of field names, compared without case, `-` and `_`.
NAMES = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "authorization",
    "credential",
    "cookie",
    "sessionid",
    "cvv",
    "cardnumber",
    "pin",
    "ssn",
    "iban",
)
#: Of those, names so short that only the whole field name counts.
_WHOLE = frozenset({"pin", "ssn", "cvv", "iban"})
_DEPTH_MAX = 20
#: What is shorter stands in many texts by chance.
_VALUE_MIN = 4


class Secret:
    """A value that shows itself only to who calls `reveal()`. Not for payloads: what is decided on is journaled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        remember(self._value)
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not stored and not sent")


class Redactor:
    """Gives back what it is given without the secrets; the original is not changed."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        bare = tuple(_bare(name) for name in (*NAMES, *names))
        self._whole = frozenset({*bare})
        #: Values that are hidden wherever they stand.
        self._values: tuple[str, ...] = ()
        self._parts = tuple(name for name in bare if name not in _WHOLE)
        words = "|".join("[-_ ]?".join(map(re.escape, name)) for name in sorted(self._parts, key=len, reverse=True))
        whole = "|".join(sorted(_WHOLE))
        #: A name, perhaps quoted, `:` or `=`, and the value up to what ends it; and the two shapes that need no name.
        #: Repetitions before the value are bounded, so that a text takes time in proportion to its length.
        self._text = re.compile(
            rf"(?P<name>(?:(?:{words})[\w-]{{0,40}}|\b(?:{whole}))[\"']?\s{{0,4}}[:=]"
            r"\s{0,4}(?:(?:bearer|basic)\s{1,4})?[\"']?)"
            rf"(?!{re.escape(HIDDEN)})[^\s\"',;&}}\]]+"
            r"|(?P<scheme>\b(?:bearer|basic)\s{1,4})[\w.~+/=-]{6,}"
            r"|(?P<key>\blk_[0-9a-z]{1,40}_)[0-9a-z]{20,100}"
            r"|(?P<address>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:)[^\s/@]{1,300}(?=@)",
            re.IGNORECASE,
        )

    def name(self, name: str) -> bool:
        """Whether a field of this name is secret."""
        bare = _bare(name)
        return bare in self._whole or any(part in bare for part in self._parts)

    def text(self, text: str) -> str:
        """Free text without what looks like a secret in it."""
        text = self._text.sub(_hide, text)
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text

    def knowing(self, payload: bytes) -> Redactor:
        """One that also hides, wherever it stands again, what this JSON has under secret names.

        An argument of an action has no name that tells.
        """
        try:
            values = {*self._under_names(msgspec.json.decode(payload))} if payload else set()
        except msgspec.DecodeError:
            return self
        if not values:
            return self
        made = copy(self)
        made._values = tuple(sorted(values, key=len, reverse=True))  # noqa: SLF001 - of its own kind
        return made

    def _under_names(self, data: Any, *, secret: bool = False) -> Iterator[str]:
        if isinstance(data, dict):
            for name, inner in data.items():
                yield from self._under_names(inner, secret=secret or self.name(name))
        elif isinstance(data, list):
            for inner in data:
                yield from self._under_names(inner, secret=secret)
        elif secret and not isinstance(data, bool) and data is not None and len(str(data)) >= _VALUE_MIN:
            yield str(data)

    def __call__(self, value: Any, depth: int = 0) -> Any:
        """Plain data (maps, lists, texts, numbers) of the value, secrets replaced at any depth."""
        if value is None or isinstance(value, bool | int | float):
            return HIDDEN if self._values and str(value) in self._values else value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Secret) or depth > _DEPTH_MAX:
            return HIDDEN
        if isinstance(value, Mapping):
            return {
                str(name): HIDDEN if self.name(str(name)) else self(inner, depth + 1) for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self(inner, depth + 1) for inner in value]
        if isinstance(value, bytes | bytearray | memoryview):
            return f"{len(value)} bytes"
        return self._object(value, depth)

    def _object(self, value: Any, depth: int) -> Any:
        """Structs and dataclasses by their fields, anything else by its text."""
        names = getattr(value, "__struct_fields__", None) or getattr(value, "__dataclass_fields__", None)
        if names is not None and not isinstance(value, type):
            return self({name: getattr(value, name) for name in names}, depth + 1)
        try:
            return self(msgspec.to_builtins(value), depth + 1)
        except (TypeError, ValueError):
            return self.text(str(value))

    def json(self, raw: bytes) -> Any:
        """JSON text as data without the secrets."""
        if not raw:
            return None
        try:
            return self(msgspec.json.decode(raw))
        except msgspec.DecodeError:
            return f"{len(raw)} bytes"


def _bare(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _hide(found: re.Match[str]) -> str:
    return f"{found['name'] or found['scheme'] or found['key'] or found['address']}{HIDDEN}"
