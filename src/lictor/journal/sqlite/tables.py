"""Is every table what follows from history (I15)? The second half of `verify`."""

from __future__ import annotations

from typing import Any

import apsw

from lictor.journal import port
from lictor.journal.batch import touched
from lictor.journal.codec import decode
from lictor.records import Result

from .audit import Audit, End
from .keys import key_digest
from .ledger import Note
from .packing import amount, bound_keys, pack
from .packing import ends as unpack_ends
from .queries import QUERIES

_Key = tuple[str, str, str]


class Tables:
    """Follows history and remembers what each table must hold."""

    def __init__(self, db: apsw.Connection, note: Note) -> None:
        self._db = db
        self._note = note
        self._decisions = 0
        self._steps = 0
        self._sources: set[tuple[str, str]] = set()
        self._versions: dict[tuple[str, str], int] = {}
        self._current: dict[_Key, bytes] = {}
        #: Each key, with what it was bound to and where; more than once where it was forgotten in between.
        self._keys: dict[bytes, list[tuple[int, bytes, int]]] = {}
        self._births_to: int = db.execute(QUERIES["get_meta"], ("births_to",)).get
        self._ends: list[tuple[int, int, str | None]] = []
        self._bound: list[tuple[bytes, int, bytes]] = []
        self._wanted_ends: list[tuple[int, int, str | None]] = []
        self._wanted_bound: list[tuple[bytes, int, bytes]] = []
        self._first_seq = 0
        self._archived = False
        #: Steps of decisions that are still open in the story; those of closed ones go when they are archived.
        self._steps_of: dict[int, set[int]] = {}

    def begin(self, ends: bytes, keys: bytes, *, archived: bool) -> None:
        """A commit begins, with the notes in its row of what ended and what keys it bound."""
        self._archived = archived
        self._ends, self._bound = list(unpack_ends(ends)), list(bound_keys(keys))
        self._wanted_ends, self._wanted_bound = [], []
        self._first_seq = 0

    def read(self, row: port.HistoryRow, audit: Audit) -> None:
        """One fact of it, which the audit has just read."""
        self._first_seq = self._first_seq or row.seq
        for id_ in _steps(row):
            self._steps_of.setdefault(id_, set()).add(row.seq)
        for end in audit.ends:
            source = end.decision.source if end.outcome is not None else None
            self._wanted_ends.append((row.seq - self._first_seq, end.decision.id, source))
            self._decision(end)
        for (tenant, source, key), id_, content in audit.new_keys:
            digest = key_digest(tenant, source, key)
            self._wanted_bound.append((digest, id_, content))
            self._keys.setdefault(digest, []).append((id_, content, self._first_seq))
        if isinstance(row.verb, port.Admit):
            self._sources.add((row.verb.decision.tenant, row.verb.decision.source))
        else:
            self._latest(row)

    def end(self, commit: int) -> None:
        """The commit has been read."""
        if self._ends != self._wanted_ends:
            self._note("I15", f"commit {commit}: its note of what ended is not what its facts ended")
        if self._bound != self._wanted_bound:
            self._note("I15", f"commit {commit}: its note of bound keys is not what its facts bound")

    def _decision(self, end: End) -> None:
        d = end.decision
        steps = self._steps_of.pop(d.id, set())
        if self._archived:  # its row and its steps went with the commit that ended it
            return
        self._check_steps(d.id, steps)
        self._decisions += 1
        wanted = (
            end.born, end.seq, end.state, end.code, d.kind, d.tenant, d.source, d.key, d.order_key, d.priority,
            d.received_us, d.deadline_us, end.at_us, d.parent,
        )  # fmt: skip
        found = self._db.execute(QUERIES["audit_decision"], (d.id,)).fetchone()
        if found != wanted:
            said = "is missing from" if found is None else "is not as history has it in"
            self._note("I15", f"decision {d.id} {said} the table of decisions")

    def _check_steps(self, id_: int, wanted: set[int]) -> None:
        found = {seq for (seq,) in self._db.execute(QUERIES["steps_of"], (id_,))}
        self._steps += len(wanted)
        if found != wanted:
            self._note("I15", f"the steps of decision {id_} are {sorted(found)}, history says {sorted(wanted)}")

    def _latest(self, row: port.HistoryRow) -> None:
        match row.verb:
            case port.SetHalt(halt):
                self._put("halt", halt.scope, "", None if halt.mode == "none" else halt)
            case port.SetGrant(grant):
                self._put("grant", grant.id, "", grant)
            case port.SetStanding(standing):
                self._put("standing", standing.gate, standing.subject, standing if standing.until_us else None)
            case port.Mark() as fact:
                self._put("mark", fact.name, "", fact.cursor)
            case port.Learn() as fact:
                for lesson in fact.lessons:
                    self._put("lesson", lesson.name, lesson.subject, lesson)
                for adjustment in fact.adjustments:
                    self._put("adjustment", adjustment.name, adjustment.subject, adjustment)
                self._put("learned", "", "", row.seq)
            case port.Quarantine(entry):
                self._put("quarantine", str(entry.id), "", entry if entry.state == "kept" else None)
            case port.Refer() as fact:
                self._put("reference", fact.name, "", fact.version)
                self._versions.setdefault((fact.name, fact.version), row.seq)
            case port.Declare() as fact:
                self._put("declared", "", "", fact)
            case _:
                pass

    def _put(self, what: str, name: str, subject: str, record: Any) -> None:
        if record is None:
            self._current.pop((what, name, subject), None)
        else:
            self._current[what, name, subject] = pack(record)

    def compare(self, audit: Audit) -> None:
        """All of history has been read: the tables that hold only the end of it."""
        query = self._db.execute
        for id_, steps in self._steps_of.items():
            self._check_steps(id_, steps)
        self._same("decisions", query(QUERIES["count_decisions"]).get, self._decisions)
        self._same("steps", query(QUERIES["count_steps"]).get, self._steps)
        parked = self._parked(audit)
        old = (pair for pair in audit.open.items() if pair[1].born < self._births_to and pair[0] not in parked)
        self._same("births", dict(query(QUERIES["all_births"])), {id_: tale.born for id_, tale in old})
        self._same("sources", set(query(QUERIES["all_sources"])), self._sources)
        self._same("versions", {row[:2]: row[2] for row in query(QUERIES["all_versions"])}, self._versions)
        self._same("current", {row[:3]: row[3] for row in query(QUERIES["all_current"])}, self._current)
        self._same("meta.epoch", query(QUERIES["get_meta"], ("epoch",)).get, audit.epoch)
        self._balances(audit)
        self._index()

    def _parked(self, audit: Audit) -> set[int]:
        """Which decisions are parked is free; each must be open and not begun, and its row what its admission says."""
        parked = set()
        for row in self._db.execute(QUERIES["audit_parked"]):
            tale = audit.open.get(row[1])
            d = tale.decision if tale is not None else None
            if tale is None or d is None or tale.plan is None or tale.state != "admitted" or tale.started:
                self._note("I15", f"decision {row[1]} is parked, and history does not have it waiting")
                continue
            parked.add(d.id)
            fact = decode("admit", *row[-2:])
            wanted = (
                tale.born, d.id, tale.plan.actions[0].effector, d.priority, d.tenant, d.deadline_us, d.kind, d.source,
                d.key, d.order_key, d.received_us, d.parent,
            )  # fmt: skip
            if row[:-2] != wanted or (fact.decision, fact.plan) != (d, tale.plan):  # type: ignore[attr-defined]
                self._note("I15", f"decision {d.id} is not parked as it was admitted")
        return parked

    def _same(self, table: str, found: Any, wanted: Any) -> None:
        if found != wanted:
            said = f"{found} for {wanted}" if isinstance(wanted, int) else _difference(found, wanted)
            self._note("I15", f"{table} is not what follows from history: {said}")

    def _balances(self, audit: Audit) -> None:
        """Reserved and settled, limits and latches (I3)."""
        ledger = audit.ledger
        limits = {
            (budget, scope): (amount(value), window_us, bool(latched))
            for budget, scope, value, window_us, latched in self._db.execute(QUERIES["all_limits"])
        }
        wanted = {
            name: (limit, ledger.windows_us[name], name in ledger.overran) for name, limit in ledger.limits.items()
        }
        if limits != wanted:
            self._note("I3", f"limits and latches are not what follows from history: {_difference(limits, wanted)}")
        stored = set()
        for budget, scope, window, settled, reserved in self._db.execute(QUERIES["all_balances"]):
            hold = (budget, scope, None if window == -1 else window)
            stored.add(hold)
            found = (amount(settled), amount(reserved))
            true = (ledger.settled.get(hold, 0), ledger.reserved.get(hold, 0))
            if found != true:
                self._note("I3", f"{budget}/{scope} has settled and reserved {found}, history says {true}")
        newest = {hold[:2]: hold[2] for hold in sorted(stored, key=lambda hold: hold[2] or 0)}
        for hold in ledger.settled.keys() | ledger.reserved.keys():
            over = hold[2] is None or hold[2] < (newest.get(hold[:2]) or 0)
            windowed = ledger.windows_us.get(hold[:2]) is not None
            gone = windowed and over and not ledger.reserved.get(hold)
            nothing = not ledger.settled.get(hold) and not ledger.reserved.get(hold)
            if hold not in stored and not gone and not nothing:
                self._note("I3", f"{hold[0]}/{hold[1]} has no balance, history says it was used")

    def _index(self) -> None:
        """The segments of keys: nothing in them that was not bound, nothing missing but what is too old (I10)."""
        indexed = set()
        for segment, digest, id_, content in self._db.execute(QUERIES["all_keys"]):
            if not any(bound[:2] == (id_, content) for bound in self._keys.get(digest, ())):
                self._note("I10", f"segment {segment} of the keys has one of decision {id_} that history has not")
            indexed.add(digest)
        oldest, sealed_to = self._db.execute(QUERIES["segment_bounds"]).fetchone() or (None, 0)
        if oldest != 1:  # none yet, or old ones were dropped
            return
        for digest, bounds in self._keys.items():
            id_, _, seq = bounds[-1]
            if seq <= sealed_to and digest not in indexed:
                self._note("I10", f"the key of decision {id_} is missing from the index")
                return


def _steps(row: port.HistoryRow) -> tuple[int, ...]:
    """The decisions that a fact is a step of."""
    verb = row.verb
    if isinstance(verb, port.Close):
        return ()
    if not isinstance(verb, port.Admit):
        return touched(verb)
    own = (verb.decision.id,) if row.event == "resume" else ()
    parent = verb.decision.parent
    return (*own, parent) if parent is not None and verb.verdict.result is Result.ADMITTED else own


def _difference(found: Any, wanted: Any) -> str:
    """The first thing in which two sets or dicts differ."""
    names = sorted({*found, *wanted}, key=repr)
    for name in names:
        if (name in found) != (name in wanted):
            return f"{name!r} is {'there' if name in found else 'missing'}"
        if isinstance(found, dict) and found[name] != wanted[name]:
            return f"{name!r} differs"
    return "they differ"
