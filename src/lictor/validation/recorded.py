"""The world as gates saw it when they ruled, made again from what their verdict recorded as evidence.

Reads one recorded verdict, the versions of references that the journal kept, and two ledgers: what truly was used of
each balance, and what would have been. A balance reads as it did then, moved by the difference of the two. Whatever was
neither recorded nor can be folded from history is refused as `NOT_RECORDED`, never guessed. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from lictor.declarations.declared import Declared
from lictor.errors import Code
from lictor.journal.port import Refer
from lictor.records import Adjustment, Amount, Read, Ruling

from .evidence import NotKept, restore
from .snapshot import UNKEPT, LookupFailure, ReadRefused, Sums

V = TypeVar("V")
K = TypeVar("K")

#: The code under which a gate is denied what nobody recorded; a rehearsal never counts it as a verdict.
NOT_RECORDED = "NOT_RECORDED"
#: Versions of one reference that stay at hand: those in force when a held decision's evidence was read, and later ones.
VERSIONS_MAX = 8


class NotRecorded(ReadRefused):
    """A gate read something that the journal does not have."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(NOT_RECORDED, reads=what, why=why)


class Kept:
    """The last versions of each reference, as the journal kept them."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, Any]] = {}
        self.in_force: dict[str, str] = {}

    def add(self, fact: Refer) -> None:
        """A version came into force."""
        versions = self._versions.setdefault(fact.name, {})
        versions.pop(fact.version, None)
        versions[fact.version] = fact.value
        while len(versions) > VERSIONS_MAX:
            del versions[next(iter(versions))]
        self.in_force[fact.name] = fact.version

    def value(self, name: str, version: str) -> Any:
        """The value of a version.

        Raises:
            NotRecorded: it is not there, was too large to keep or was erased, or cannot be made again here.
        """
        versions = self._versions.get(name, {})
        if version not in versions:
            raise NotRecorded(name, "the journal does not have this version of the reference")
        found = versions[version]
        if isinstance(found, bytes):
            if not found:
                raise NotRecorded(name, "the reference was too large to keep, has no plain form, or was erased")
            try:
                found = versions[version] = _Restored(restore(msgspec.msgpack.decode(found)))
            except (NotKept, msgspec.DecodeError) as error:
                raise NotRecorded(name, str(error)) from error
        return found.value


class Ledger(Protocol):
    """Sums of each scope of each balance, at one moment."""

    @property
    def balances(self) -> Mapping[tuple[str, str], Sums]:
        """By budget and scope."""
        ...

    @property
    def adjustments(self) -> Mapping[tuple[str, str], Adjustment]:
        """In force, by name and subject."""
        ...


class Recorded:
    """The `World` of one ruling."""

    def __init__(
        self,
        app: Declared,
        kept: Kept,
        truth: Ledger,
        instead: Ledger,
        limit: Callable[[str, str], Amount | None],
    ) -> None:
        self._app = app
        self._kept = kept
        self._truth = truth
        self._instead = instead
        self._limit = limit
        self._read: dict[tuple[str, str | None], Any] = {}
        self._versions: dict[str, str] = {}
        self._refused: dict[str, Ruling] = {}
        self._now_us = 0
        self.references = _Lookup(self._reference)
        self.balances = _Lookup(self._sums)
        self.adjustments = _Lookup(self._adjustment)

    def take(self, rulings: Iterable[Ruling], now_us: int) -> None:
        """From now on, what these rulings read is what there is."""
        self._now_us = now_us
        self._read, self._versions, self._refused = {}, {}, {}
        for ruling in rulings:
            for read in ruling.reads:
                self._note(read)
            if ruling.result == "deny" and ruling.code in _REFUSED_READS and ruling.seen:
                name = ruling.seen.get("lookup" if ruling.code == Code.LOOKUP_FAILED else "reference")
                self._refused[str(name)] = ruling

    def _note(self, read: Read) -> None:
        if read.version is not None and read.value is None and read.name in self._app.references:
            self._versions[read.name] = read.version
        else:
            subject = None if read.name in self._app.lookups and read.version in {None, UNKEPT} else read.version
            self._read[read.name, subject] = read

    # -- what snapshots ask -----------------------------------------------------------------------------------------

    def _reference(self, name: str) -> _Reference | None:
        refused = self._refused.get(name)
        if refused is not None and refused.code == Code.REFERENCE_MISSING:
            return None
        version = self._versions.get(name) or self._kept.in_force.get(name)
        if version is None:
            raise NotRecorded(name, "the reference was not loaded then")
        at_us = self._now_us
        if refused is not None:  # it was too old; a little more, because the recorded age is rounded
            at_us -= int(((refused.seen or {}).get("age_s", 0.0) + 0.001) * 1e6)
            if at_us < self._now_us - int(self._app.references[name].max_age_s * 1e6):
                return _Reference(name, None, version, at_us)  # its value is not looked at
        return _Reference(name, self._kept.value(name, version), version, at_us)

    def answers(self, kind: str) -> dict[str, Any]:
        """The recorded answers of the lookups that are asked about a kind."""
        return _Answers(self._answer, [name for name, lookup in self._app.lookups.items() if kind in lookup.kinds])

    def _answer(self, name: str) -> Any:
        refused = self._refused.get(name)
        if refused is not None:
            return LookupFailure(str((refused.seen or {}).get("why", "")))
        read = self._read.get((name, None))
        if read is None:
            raise NotRecorded(name, "no gate read the lookup then")
        if read.version == UNKEPT:
            raise NotRecorded(name, "the lookup's answer was too large to keep, or has no plain form")
        try:
            return restore(read.value)
        except NotKept as error:
            raise NotRecorded(name, str(error)) from error

    def _adjustment(self, key: tuple[str, str]) -> Adjustment | None:
        """As it was read; else as history has it; else none, so that the declared default counts."""
        read = self._read.get(key)
        if read is not None:
            value = float(read.value)
            return Adjustment(name=key[0], subject=key[1], value=value, was=value, at_us=0, lesson="recorded")
        if key[0] == "demoted":  # what was refused for it stays refused, see Rehearsal
            return None
        return self._truth.adjustments.get(key)

    def score(self, source: str, name: str) -> float:
        """As it was read; scores are not in history."""
        read = self._read.get((f"score.{name}", source))
        if read is None:
            raise NotRecorded(f"score.{name}", "no gate read the score then")
        return float(read.value)

    def _sums(self, key: tuple[str, str]) -> Sums | None:
        budget, scope = key
        instead = self._instead.balances.get(key)
        if instead is None:
            limit = self._limit(budget, scope)
            return None if limit is None else _Untouched(limit)
        truth = self._truth.balances.get(key)
        if truth is None:
            return instead
        left, used = self._read.get((f"{budget}.left", scope)), self._read.get((f"{budget}.used", scope))
        return _Moved(
            instead,
            truth,
            None if left is None else restore(left.value),
            None if used is None else restore(used.value),
        )


_REFUSED_READS = frozenset({Code.REFERENCE_MISSING, Code.REFERENCE_STALE, Code.LOOKUP_FAILED})


class _Restored:
    """A value that was made again, told apart from bytes that were not yet."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Reference:
    """A reference, as far as snapshots look at it."""

    __slots__ = ("at_us", "read", "value", "version")

    def __init__(self, name: str, value: Any, version: str, at_us: int) -> None:
        self.value = value
        self.version = version
        self.at_us = at_us
        self.read = Read(name, version)


class _Untouched:
    """A scope that nothing was reserved from yet, under another limit than the declared one."""

    __slots__ = ("limit",)

    def __init__(self, limit: Amount) -> None:
        self.limit = limit

    def window(self, at_us: int) -> int | None:  # noqa: ARG002 - all windows are alike
        return None

    def room(self, window: int | None) -> Amount:  # noqa: ARG002 - likewise
        return self.limit


class _Moved:
    """What was used then, moved by what has become different since. What was read then is better known than folded."""

    __slots__ = ("_instead", "_truth", "_used", "limit")

    def __init__(self, instead: Sums, truth: Sums, left: Amount | None, used: Amount | None) -> None:
        self._instead = instead
        self._truth = truth
        known = left + used if left is not None and used is not None else truth.limit
        self.limit = known if instead.limit == truth.limit else instead.limit
        self._used = known - left if used is None and left is not None else used

    def window(self, at_us: int) -> int | None:
        return self._instead.window(at_us)

    def room(self, window: int | None) -> Amount:
        more = self._instead.limit - self._instead.room(window) - self._truth.limit + self._truth.room(window)
        used = self._truth.limit - self._truth.room(window) if self._used is None else self._used
        return self.limit - used - more


class _Lookup(Mapping[K, V], Generic[K, V]):
    """A mapping that is a question."""

    def __init__(self, ask: Callable[[K], V | None]) -> None:
        self._ask = ask

    def __getitem__(self, key: K) -> V:
        found = self._ask(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[K]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True


class _Answers(dict[str, Any]):
    """Recorded answers; reading one that nobody recorded says so."""

    def __init__(self, ask: Callable[[str], Any], asked: Iterable[str]) -> None:
        super().__init__(dict.fromkeys(asked))
        self._ask = ask

    def __getitem__(self, name: str) -> Any:
        return self._ask(name)
