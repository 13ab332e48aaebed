"""What gates read, with a note of each read as evidence. Pure: everything was loaded, asked or folded before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from lictor.declarations.budgets import Balance, scope_of
from lictor.declarations.feedback import subject_of
from lictor.declarations.gates import Adjustable, Lookup, Readable, Reference
from lictor.declarations.plain import text
from lictor.errors import Code, LictorError
from lictor.records import Adjustment, Amount, Decision, Read

from .evidence import NotKept, encode, keep


class ReadRefused(LictorError):
    """What a gate wanted to read is missing or too old."""

    def __init__(self, refusal: str, **seen: Any) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.seen = seen


class Loaded(Protocol):
    """A reference as it was last loaded."""

    value: Any
    version: str
    at_us: int
    read: Read


class Sums(Protocol):
    """A balance's scope, as the journal has it."""

    limit: Amount

    def window(self, at_us: int) -> int | None:
        """The window of a time."""
        ...

    def room(self, window: int | None) -> Amount:
        """What is left."""
        ...


class World(Protocol):
    """All that snapshots of one batch share."""

    @property
    def references(self) -> Mapping[str, Loaded]:
        """The last loaded version of each, by name."""
        ...

    @property
    def balances(self) -> Mapping[tuple[str, str], Sums]:
        """Sums of each scope of each balance."""
        ...

    @property
    def adjustments(self) -> Mapping[tuple[str, str], Adjustment]:
        """Adjustments in force, by name and subject."""
        ...

    def score(self, source: str, name: str) -> float:
        """A source's score."""
        ...


class Snapshot(msgspec.Struct, eq=False):
    """The view of one decision on the world; see `lictor.declarations.gates.Snapshot` for what each member means."""

    _world: World
    decision: Decision
    value: Any
    now_us: int
    _answers: dict[str, Any] | None
    reads: list[Read] = []

    def __getitem__(self, item: Readable[Any]) -> Any:
        if isinstance(item, Reference):
            return self._reference(item)
        if isinstance(item, Adjustable):
            return self._adjustment(item)
        if isinstance(item, Lookup):
            return self._answer(item)
        raise TypeError(f"a snapshot has references, lookups and adjustables, not {type(item).__name__}")

    def _reference(self, item: Reference[Any]) -> Any:
        loaded = self._world.references.get(item.name)
        if loaded is None:
            raise ReadRefused(Code.REFERENCE_MISSING, reference=item.name)
        age_s = (self.now_us - loaded.at_us) / 1e6
        if age_s > item.max_age_s:
            raise ReadRefused(
                Code.REFERENCE_STALE, reference=item.name, age_s=round(age_s, 3), max_age_s=item.max_age_s
            )
        self.reads.append(loaded.read)
        return loaded.value

    def _adjustment(self, item: Adjustable) -> float:
        subject = subject_of(item.per, self.decision)
        found = self._world.adjustments.get((item.name, subject))
        value = item.default if found is None else found.value
        self.reads.append(Read(item.name, subject, value))
        return value

    def _answer(self, item: Lookup[Any]) -> Any:
        answers = self._answers
        if answers is None or item.name not in answers:
            raise ReadRefused(Code.LOOKUP_FAILED, lookup=item.name, why="it was not asked for this kind")
        answer = answers[item.name]
        if isinstance(answer, LookupFailure):
            raise ReadRefused(Code.LOOKUP_FAILED, lookup=item.name, why=answer.why)
        self.reads.append(kept_answer(item.name, answer))
        return answer

    def left(self, balance: Balance, scope: str | None = None) -> Amount:
        scope = scope if scope is not None else scope_of(balance.per, self.decision, self.value)
        sums = self._world.balances.get((balance.name, scope))
        left: Amount = balance.limit_for(scope) if sums is None else sums.room(sums.window(self.now_us))
        self.reads.append(Read(f"{balance.name}.left", text(scope), keep(left)))
        return left

    def used(self, balance: Balance, scope: str | None = None) -> Amount:
        scope = scope if scope is not None else scope_of(balance.per, self.decision, self.value)
        sums = self._world.balances.get((balance.name, scope))
        used: Amount = 0 if sums is None else sums.limit - sums.room(sums.window(self.now_us))
        self.reads.append(Read(f"{balance.name}.used", text(scope), keep(used)))
        return used

    def score(self, name: str = "quality") -> float:
        value = self._world.score(self.decision.source, name)
        self.reads.append(Read(f"score.{name}", self.decision.source, value))
        return value


#: Stands as the version of a lookup's answer that could not be kept; rehearse cannot ask its reader again.
UNKEPT = "unkept"
#: A larger answer is not kept.
ANSWER_BYTES_MAX = 64 << 10


def kept_answer(name: str, answer: Any) -> Read:
    """The evidence of a lookup's answer: its value, unless that is too large or has no plain form."""
    if answer is None or type(answer) in {bool, int, float}:
        return Read(name, None, answer)
    try:
        kept = keep(answer)
        if len(encode(kept)) <= ANSWER_BYTES_MAX:
            return Read(name, None, kept)
        return Read(name, UNKEPT)
    except (NotKept, TypeError, ValueError, OverflowError):
        return Read(name, UNKEPT)


class LookupFailure:
    """A lookup that timed out or raised; gates that read it refuse."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why
