"""Writes batches: `prepare` turns one into rows without touching the file, `commit` writes them in one transaction.

Writes every table; what is written to history is never changed, only archived.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from operator import itemgetter
from typing import Any

import apsw
import msgspec

from lictor.errors import InvariantViolation, JournalFencedError, JournalIOError
from lictor.journal import codec, port
from lictor.journal.batch import Batch, decision_of
from lictor.journal.parking import queue_of
from lictor.journal.state import State
from lictor.records import Result

from .keys import StoredKeys
from .packing import amount_text, pack
from .parking import StoredParking
from .queries import QUERIES

#: Births of open decisions are noted when this many younger facts are there, in runs of as many.
WINDOW_FACTS = 8_192

_REFUSED, _ADMITTED = Result.REFUSED, Result.ADMITTED

#: Query -> parameters of each time that it runs.
Many = dict[str, list[tuple[Any, ...]]]


class Rows(msgspec.Struct, gc=False):
    """What one transaction writes: parameters for each query, in the order in which they run."""

    commit: tuple[Any, ...]
    at_us: int
    many: Many
    #: How many decisions it parks, and those whose rows in `parked` it removes.
    parked: int = 0
    left: list[int] = []


class Writer:
    """The one writer of a journal file under one epoch."""

    def __init__(
        self,
        db: apsw.Connection,
        state: State,
        keys: StoredKeys,
        parking: StoredParking,
        salts: Callable[[int], bytes],
        epoch: int,
    ) -> None:
        self._db = db
        self._state = state
        self._keys = keys
        self._parking = parking
        self._salts = salts
        self.epoch = epoch
        last = db.execute(QUERIES["last_commit"]).fetchone()
        first_seq, commit_id, _, count, chain = last or (1, 0, 0, 0, codec.GENESIS)
        self._commit_id: int = commit_id
        self._chain: bytes = chain
        self.next_seq: int = first_seq + count
        self._births_to: int = db.execute(QUERIES["get_meta"], ("births_to",)).get
        young = [(found.decision.id, found.born) for found in state.open.values() if found.born >= self._births_to]
        young += db.execute(QUERIES["parked_since"], (self._births_to,))
        #: Where each open decision was born whose birth is not noted yet, in order.
        self._births: list[tuple[int, int]] = sorted(young, key=itemgetter(1))
        self._sources = set(db.execute(QUERIES["all_sources"]))
        self._aside: dict[type[port.Verb], Callable[[Any, str, int, Many], None]] = {
            port.Admit: self._admit,
            port.Start: self._start,
            port.Progress: self._step,
            port.Undo: self._step,
            port.Approve: self._step,
            port.Cancel: self._step,
            port.SetLimit: self._set_limit,
            port.SetHalt: self._halt,
            port.SetGrant: self._grant,
            port.SetStanding: self._standing,
            port.Mark: self._mark,
            port.Learn: self._learn,
            port.Quarantine: self._quarantine,
            port.Refer: self._refer,
            port.Declare: self._declare,
            port.Epoch: self._epoch,
        }

    def prepare(self, batch: Batch) -> Rows:
        """The rows of a batch that has at least one fact. Must be committed before the next one is."""
        many: Many = {}
        bodies, facts, payloads, leaves = self._packed(batch)
        first_seq = batch.first_seq
        left = self._recalled(many) if self._parking.leaving else []
        for ordinal, fact in enumerate(batch.facts):
            aside = self._aside.get(type(fact))
            if aside is not None:
                aside(fact, batch.events[ordinal], first_seq + ordinal, many)
        ends = self._ended(batch, many) if batch.ended else b"\x90"
        if self._state.moved:
            self._balances(many)
        self.next_seq = first_seq + len(batch.facts)
        if batch.parked:
            self._park(batch, bodies, many)
        if self.next_seq - self._births_to >= 2 * WINDOW_FACTS:
            self._note_births(batch, many)
        self._chain = codec.chain(self._chain, leaves)
        self._commit_id += 1
        bound = self._keys.take_bound(first_seq, batch.at_us, self._oldest_open, many)
        commit = (
            first_seq,
            self._commit_id,
            batch.at_us,
            self.epoch,
            len(batch.facts),
            self._chain,
            leaves,
            ends,
            bound,
            facts,
            payloads,
        )
        return Rows(commit, batch.at_us, many, len(batch.parked), left)

    def commit(self, rows: Rows) -> None:
        """One durable transaction.

        Raises:
            JournalFencedError: another epoch took over; nothing was written.
            JournalIOError: the disk failed; whether the transaction is stored is unknown.
        """
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            if db.execute(QUERIES["get_meta"], ("epoch",)).get != self.epoch:
                db.execute("ROLLBACK")
                raise JournalFencedError
            db.execute(QUERIES["add_commit"], rows.commit)
            for name, parameters in rows.many.items():
                db.executemany(QUERIES[name], parameters)
            db.execute("COMMIT")
        except apsw.ConstraintError as error:
            raise InvariantViolation("I2", f"a decision was stored twice: {error}") from error
        except apsw.Error as error:
            raise JournalIOError(f"the journal could not be written: {error}") from error

    def _packed(self, batch: Batch) -> tuple[list[tuple[str, int | None, bytes]], bytes, bytes, bytes]:
        """Facts; and packed facts, payloads and leaves."""
        prefixes, size, none = codec.PREFIXES, codec.SALT_BYTES, codec.NO_PAYLOAD
        encoded = list(map(codec.encode, batch.facts))
        bodies = [body for body, _ in encoded]
        salts = self._salts(size * len(encoded))
        payloads = [
            (salts[at : at + size], payload) if payload else None
            for at, (_, payload) in zip(range(0, len(salts), size), encoded, strict=True)
        ]
        digests = [none if kept is None else sha256(b"".join(kept)).digest() for kept in payloads]
        leaves = [
            sha256(b"".join((prefixes[event], body, digest))).digest()
            for event, body, digest in zip(batch.events, bodies, digests, strict=True)
        ]
        facts = list(zip(batch.events, batch.ids, bodies, strict=True))
        return facts, pack(facts), pack(payloads), b"".join(leaves)

    def _ended(self, batch: Batch, many: Many) -> bytes:
        """Rows of the decisions that became terminal, and the note of them in the commit."""
        ends = []
        rows = many["add_decision"] = []
        births_to, at_us, first_seq = self._births_to, batch.at_us, batch.first_seq
        for end in batch.ended:
            seq, found = end.seq, end.open
            d, outcome = found.decision, found.outcome
            code = outcome.code if outcome is not None else found.verdict.code
            ends.append((seq - first_seq, d.id, d.source if outcome is not None else None))
            rows.append(
                (
                    d.id,
                    found.born,
                    seq,
                    found.state,
                    code,
                    d.kind,
                    d.tenant,
                    d.source,
                    d.key,
                    d.order_key,
                    d.priority,
                    d.received_us,
                    d.deadline_us,
                    at_us,
                    d.parent,
                )
            )
            if found.born < births_to:
                many.setdefault("drop_birth", []).append((d.id,))
        return pack(ends)

    def _balances(self, many: Many) -> None:
        moved, self._state.moved = self._state.moved, set()
        rewound, self._state.rewound = self._state.rewound, set()
        clear, rows = many["clear_balance"], many["put_balance"] = [], []
        for budget, scope in moved:
            balance = self._state.balances[budget, scope]
            if balance.window_us is not None or (budget, scope) in rewound:  # its older windows may be gone
                clear.append((budget, scope))
            for window, (settled, reserved) in balance.sums.items():
                start = -1 if window is None else window
                rows.append((budget, scope, start, amount_text(settled), amount_text(reserved)))
            if balance.latched:
                self._limit(budget, scope, many)

    def _limit(self, budget: str, scope: str, many: Many) -> None:
        balance = self._state.balances[budget, scope]
        row = (budget, scope, amount_text(balance.limit), balance.window_us, int(balance.latched))
        many.setdefault("put_limit", []).append(row)

    def _recalled(self, many: Many) -> list[int]:
        """Parked decisions that are in memory again: their rows go, and opening the journal has to find them."""
        leaving = self._parking.leaving
        many["unpark"] = [(found.born,) for found in leaving.values()]
        is_open, births_to = self._state.open, self._births_to
        births = [(id_, found.born) for id_, found in leaving.items() if found.born < births_to and id_ in is_open]
        if births:
            many["add_birth"] = births
        return list(leaving)

    def _park(self, batch: Batch, facts: list[tuple[str, int | None, bytes]], many: Many) -> None:
        """Decisions whose record is dropped once this is durable, each with its admission as it is stored."""
        rows = many["park"] = []
        for found in batch.parked:
            d = found.decision
            effector, priority, tenant = queue_of(found)
            body = facts[found.born - batch.first_seq][2]
            rows.append(
                (
                    found.born,
                    d.id,
                    effector,
                    priority,
                    tenant,
                    d.deadline_us,
                    d.kind,
                    d.source,
                    d.key,
                    d.order_key,
                    d.received_us,
                    d.parent,
                    body,
                    d.payload,
                )
            )

    def _note_births(self, batch: Batch, many: Many) -> None:
        """Note those still open that were born long ago, so that opening the journal needs to read no further back."""
        floor = self.next_seq - WINDOW_FACTS
        births, is_open = self._births, self._state.open
        parked = {found.decision.id for found in batch.parked}
        old = [birth for birth in births if birth[1] < floor]
        self._births = births[len(old) :]
        noted = [birth for birth in old if birth[0] in is_open and birth[0] not in parked]
        many.setdefault("add_birth", []).extend(noted)
        many.setdefault("set_meta", []).append(("births_to", floor))
        self._births_to = floor

    def _oldest_open(self) -> int | None:
        """Where the oldest open decision was born."""
        born = [found.born for found in self._state.open.values()]
        if self._parking.count and (oldest := self._parking.oldest()) is not None:
            born.append(oldest)
        return min(born, default=None)

    # -- what else a fact writes ----------------------------------------------------------------------------------

    def _admit(self, fact: port.Admit, event: str, seq: int, many: Many) -> None:
        d = fact.decision
        if event == "resume":
            many.setdefault("add_step", []).append((d.id, seq))
        else:
            if fact.verdict.result is not _REFUSED:
                self._births.append((d.id, seq))
            if (d.tenant, d.source) not in self._sources:
                self._sources.add((d.tenant, d.source))
                many.setdefault("add_source", []).append((d.tenant, d.source))
        if d.parent is not None and fact.verdict.result is _ADMITTED:
            many.setdefault("add_step", []).append((d.parent, seq))

    def _start(self, fact: port.Start, _event: str, seq: int, many: Many) -> None:
        many.setdefault("add_step", []).extend((item.decision, seq) for item in fact.items)

    def _step(self, fact: port.Verb, _event: str, seq: int, many: Many) -> None:
        many.setdefault("add_step", []).append((decision_of(fact), seq))

    def _set_limit(self, fact: port.SetLimit, _event: str, _seq: int, many: Many) -> None:
        self._limit(fact.budget, fact.scope, many)

    def _halt(self, fact: port.SetHalt, _event: str, _seq: int, many: Many) -> None:
        _put(many, "halt", fact.halt.scope, "", None if fact.halt.mode == "none" else fact.halt)

    def _grant(self, fact: port.SetGrant, _event: str, _seq: int, many: Many) -> None:
        _put(many, "grant", fact.grant.id, "", fact.grant)

    def _standing(self, fact: port.SetStanding, _event: str, _seq: int, many: Many) -> None:
        standing = fact.standing
        _put(many, "standing", standing.gate, standing.subject, standing if standing.until_us else None)

    def _mark(self, fact: port.Mark, _event: str, _seq: int, many: Many) -> None:
        _put(many, "mark", fact.name, "", fact.cursor)

    def _learn(self, fact: port.Learn, _event: str, seq: int, many: Many) -> None:
        for lesson in fact.lessons:
            _put(many, "lesson", lesson.name, lesson.subject, lesson)
        for adjustment in fact.adjustments:
            _put(many, "adjustment", adjustment.name, adjustment.subject, adjustment)
        _put(many, "learned", "", "", seq)

    def _quarantine(self, fact: port.Quarantine, _event: str, _seq: int, many: Many) -> None:
        _put(many, "quarantine", str(fact.entry.id), "", fact.entry if fact.entry.state == "kept" else None)

    def _refer(self, fact: port.Refer, _event: str, seq: int, many: Many) -> None:
        _put(many, "reference", fact.name, "", fact.version)
        many.setdefault("add_version", []).append((fact.name, fact.version, seq))

    def _declare(self, fact: port.Declare, _event: str, _seq: int, many: Many) -> None:
        _put(many, "declared", "", "", fact)

    def _epoch(self, fact: port.Epoch, _event: str, _seq: int, many: Many) -> None:
        many.setdefault("set_meta", []).append(("doubt", fact.doubt))


def _put(many: Many, what: str, name: str, subject: str, record: Any) -> None:
    """Replace, or with None remove, an entry of `current`; the two must keep their order within a batch."""
    key = (what, name, subject)
    puts, drops = many.setdefault("put_current", []), many.setdefault("drop_current", [])
    puts[:] = [row for row in puts if row[:3] != key]
    drops[:] = [row for row in drops if row != key]
    if record is None:
        drops.append(key)
    else:
        puts.append((*key, pack(record)))
