"""Identities of decisions: 63-bit integers that grow with time, so that they stay ordered in every index.

Layout: 42 bits of milliseconds since 2020, 21 bits of a counter that starts anew each millisecond. A node never
repeats one, because the last is never passed backwards, even when the wall clock goes back; nodes that share a
journal draw disjoint ranges of the counter.
"""

from __future__ import annotations

_EPOCH_MS = 1_577_836_800_000
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_LENGTH = 13


class Ids:
    """Makes ids, given the time; no clock and no randomness of its own."""

    __slots__ = ("_last",)

    def __init__(self, after: int = 0) -> None:
        self._last = after

    def pass_by(self, known: int) -> None:
        """Never give out what a journal already has, even if the wall clock was set back."""
        self._last = max(self._last, known)

    def next(self, wall_us: int) -> int:
        """An id above all earlier ones."""
        floor = ((wall_us // 1000 - _EPOCH_MS) << 21) if wall_us > _EPOCH_MS * 1000 else 0
        self._last = max(self._last + 1, floor)
        return self._last


def id_text(number: int) -> str:
    """An id as people see it: 13 letters of Crockford's base 32."""
    pairs = _PAIRS
    return (
        _ALPHABET[number >> 60 & 31]
        + pairs[number >> 50 & 1023]
        + pairs[number >> 40 & 1023]
        + pairs[number >> 30 & 1023]
        + pairs[number >> 20 & 1023]
        + pairs[number >> 10 & 1023]
        + pairs[number & 1023]
    )


def id_number(text: str) -> int | None:
    """The id of 13 letters; None when the text is not one, or of a number that no store has (64 bits)."""
    if len(text) != _LENGTH:
        return None
    number = 0
    for letter in text.lower():
        value = _VALUE.get(letter)
        if value is None:
            return None
        number = number * 32 + value
    return number if number < 1 << 63 else None
