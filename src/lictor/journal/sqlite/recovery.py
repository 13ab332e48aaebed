"""The current state of a journal that was just opened, from the facts of what is still open alone.

Parked decisions stay parked: however many there are, opening reads only how many.
Balances, limits and all that replaces itself come from their tables; open decisions are folded from their own facts
and from their children's admissions, which draw on what a parent holds. tests/journal and `verify` hold this to the
full fold of history (I15).
"""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import apsw
import msgspec

from lictor.errors import JournalDamagedError, LictorError
from lictor.journal import port
from lictor.journal.balance import Balance
from lictor.journal.batch import decision_of
from lictor.journal.state import Bound, State
from lictor.records import Adjustment, Grant, Halt, Lesson, Quarantined, Standing

from .packing import Commit, amount, ends, facts, payloads, unpack
from .queries import QUERIES


class _NoKeys:
    """Keys are not rebuilt by folding."""

    def get(self, tenant: str, source: str, key: str) -> Bound | None:  # noqa: ARG002 - a protocol
        return None

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        """Nothing: the store has its own index."""


class _Booked(Balance):
    """A balance whose sums are known from its table."""

    def reserve(self, amount: Any, window: int | None) -> None:
        """Nothing: it is in the table."""

    def settle(self, held: Any, used: Any, window: int | None) -> bool:  # noqa: ARG002 - likewise
        return False


class _Booking(dict[tuple[str, str], Balance]):
    """Stands in for the balances while open decisions are folded."""

    def __missing__(self, key: tuple[str, str]) -> Balance:
        found = self[key] = _Booked(0)
        return found


def recover(db: apsw.Connection) -> State:
    """The state as of the last commit, with an empty index of keys.

    Raises:
        JournalDamagedError: what is stored does not fold.
    """
    state = State(_NoKeys())
    collects = gc.isenabled()
    gc.disable()  # all that is made here stays: looking for garbage among it takes longer than making it
    try:
        _fold_open(db, state)
        state.balances = _balances(db)
        _current(db, state)
        last = db.execute(QUERIES["last_commit"]).fetchone()
        if last is not None:
            state.at_us = last[2]
        state.epoch = db.execute(QUERIES["get_meta"], ("epoch",)).get
        state.doubt = db.execute(QUERIES["get_meta"], ("doubt",)).get
    except (KeyError, TypeError, IndexError, msgspec.DecodeError, LictorError) as error:
        if isinstance(error, JournalDamagedError):
            raise
        raise JournalDamagedError(f"the journal does not fold: {error}") from error
    finally:
        if collects:
            gc.enable()
    state.ended, state.moved, state.rewound = [], set(), set()
    return state


def _fold_open(db: apsw.Connection, state: State) -> None:
    old = {id_ for id_, _ in db.execute(QUERIES["all_births"])}
    still_open = _still_open(db)
    wanted: set[int] = set(still_open.values())
    wanted.update(seq for (seq,) in db.execute(QUERIES["steps_of_births"]))
    for decision in still_open.keys() - old:
        wanted.update(seq for (seq,) in db.execute(QUERIES["steps_of"], (decision,)))
    state.balances = _Booking()
    for seq, at_us, fact in _facts_at(db, sorted(wanted)):
        of_open = isinstance(fact, port.Start) or decision_of(fact) in still_open
        if of_open or (isinstance(fact, port.Admit) and fact.decision.parent in still_open):  # a child, closed since
            state.evolve(fact, seq, at_us)
    for id_ in [id_ for id_ in state.open if id_ not in still_open]:
        del state.open[id_]
    if state.open.keys() != still_open.keys():
        raise JournalDamagedError("an open decision has no first fact")


def _still_open(db: apsw.Connection) -> dict[int, int]:
    """Each open decision that is not parked, and where it was born."""
    still_open: dict[int, int] = dict(db.execute(QUERIES["all_births"]))
    births_to = db.execute(QUERIES["get_meta"], ("births_to",)).get
    for first_seq, packed, ended in db.execute(QUERIES["births_from"], (births_to,)):
        for ordinal, (event, decision, _) in enumerate(facts(packed)):
            if event == "admit":
                still_open[decision] = first_seq + ordinal  # type: ignore[index]
        for _, decision, _ in ends(ended):
            still_open.pop(decision, None)
    for decision, _ in db.execute(QUERIES["parked_since"], (births_to,)):
        still_open.pop(decision, None)
    return still_open


def _facts_at(db: apsw.Connection, seqs: list[int]) -> Iterator[tuple[int, int, port.Verb]]:
    """(seq, time, fact) of each position, in order; each commit is read once."""
    at = 0
    while at < len(seqs):
        row = db.execute(QUERIES["commit_at"], (seqs[at],)).fetchone()
        if row is None:
            raise JournalDamagedError(f"there is no fact {seqs[at]}")
        commit = Commit(*row)
        packed, kept = facts(commit.facts), payloads(commit.payloads, commit.size)
        end = bisect_right(seqs, commit.first_seq + commit.size - 1, at)
        if end == at or len(packed) != commit.size:
            raise JournalDamagedError(f"fact {seqs[at]} of an open decision is missing")
        for seq in seqs[at:end]:
            fact = unpack(commit, seq - commit.first_seq, packed, kept)
            yield seq, commit.at_us, fact.verb
        at = end


def _balances(db: apsw.Connection) -> dict[tuple[str, str], Balance]:
    found = {}
    for budget, scope, value, window_us, latched in db.execute(QUERIES["all_limits"]):
        balance = found[budget, scope] = Balance(amount(value), window_us)
        balance.latched = bool(latched)
    for budget, scope, window, settled, reserved in db.execute(QUERIES["all_balances"]):
        start = None if window == -1 else window
        found[budget, scope].sums[start] = [amount(settled), amount(reserved)]
    return found


_halt = msgspec.msgpack.Decoder(Halt).decode
_grant = msgspec.msgpack.Decoder(Grant).decode
_standing = msgspec.msgpack.Decoder(Standing).decode
_lesson = msgspec.msgpack.Decoder(Lesson).decode
_adjustment = msgspec.msgpack.Decoder(Adjustment).decode
_quarantined = msgspec.msgpack.Decoder(Quarantined).decode
_any = msgspec.msgpack.Decoder().decode
_declared = msgspec.msgpack.Decoder(port.Declare).decode


def _current(db: apsw.Connection, state: State) -> None:
    for what, name, subject, body in db.execute(QUERIES["all_current"]):
        match what:
            case "halt":
                state.halts[name] = _halt(body)
            case "grant":
                state.grants[name] = _grant(body)
            case "standing":
                state.standing[name, subject] = _standing(body)
            case "mark":
                state.marks[name] = msgspec.msgpack.decode(body)
            case "lesson":
                state.lessons[name, subject] = _lesson(body)
            case "adjustment":
                state.adjustments[name, subject] = _adjustment(body)
            case "quarantine":
                state.quarantine[int(name)] = _quarantined(body)
            case "reference":
                state.references[name] = _any(body)
            case "declared":
                state.declared = _declared(body)
            case "learned":
                state.learned_seq = _any(body)
            case _:
                raise JournalDamagedError(f"unknown current state {what!r}")
