"""What history itself must show, fact by fact: a second reading, for `verify`. Imports no stage and not `State`.

Keeps for each open decision what later facts are judged by; of closed ones only that they are closed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lictor.journal import port
from lictor.lifecycle import ACTION, DECISION, TERMINAL
from lictor.records import Amount, Approval, Decision, Outcome, Plan, Ruling

from .keys import KEEP_US
from .ledger import Ledger, Note

_VERDICTS = {"admitted": "admit", "refused": "refuse", "held": "hold", "deferred": "defer"}


class Try(msgspec.Struct):
    """One action so far."""

    state: str = "waiting"
    fence: int = 0
    reports: set[str] = msgspec.field(default_factory=set)


class Tale(msgspec.Struct):
    """One open decision so far."""

    decision: Decision
    state: str
    born: int
    place: int
    plan: Plan | None = None
    tries: list[Try] = msgspec.field(default_factory=list)
    used: dict[tuple[str, str], Amount] = msgspec.field(default_factory=dict)
    #: Who has answered each version of a gate, and how many persons it asks for.
    answered: dict[tuple[str, str], list[str]] = msgspec.field(default_factory=dict)
    asks: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    denied: set[tuple[str, str]] = msgspec.field(default_factory=set)
    started: bool = False
    cancel_asked: bool = False


class End(msgspec.Struct):
    """A decision that became terminal."""

    decision: Decision
    born: int
    seq: int
    state: str
    code: str | None
    at_us: int
    outcome: Outcome | None


class Audit:
    """Reads facts in order and notes what breaks a promise."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self.ledger = Ledger()
        self.open: dict[int, Tale] = {}
        self.closed: set[int] = set()
        self.bound: dict[tuple[str, str, str], tuple[int, bytes, int]] = {}
        self.halted: dict[str, Any] = {}
        self.lanes: dict[tuple[str, str], set[int]] = {}
        self.declared: port.Declare | None = None
        self.epoch = 0
        self.doubt = ""
        self.at_us = 0
        #: What the fact just read ended.
        self.ends: list[End] = []
        #: The keys that it bound.
        self.new_keys: list[tuple[tuple[str, str, str], int, bytes]] = []

    def read(self, row: port.HistoryRow) -> None:
        """One fact more."""
        self.ends, self.new_keys = [], []
        if row.at_us < self.at_us:
            self._note("I16", f"time ran back from {self.at_us} to {row.at_us}")
        self.at_us = max(self.at_us, row.at_us)
        match row.verb:
            case port.Admit() as fact:
                self._admit(fact, row)
            case port.Start() as fact:
                for item in fact.items:
                    self._start(item.decision, item.ordinals, item.fence, row.at_us)
            case port.Progress() as fact:
                if (tale := self._tale(fact.decision, "progress")) is not None:
                    self._acts(tale, fact.acts)
            case port.Close() as fact:
                self._close(fact, row)
            case port.Undo() as fact:
                if (tale := self._tale(fact.decision, "undo")) is not None:
                    self._step(tale, "compensate")
            case port.Approve() as fact:
                self._approve(fact.approval)
            case port.Cancel() as fact:
                self._cancel(fact, row)
            case _:
                self._rest(row.verb)

    def _tale(self, id_: int, event: str) -> Tale | None:
        tale = self.open.get(id_)
        if tale is None:
            said = "after its end" if id_ in self.closed else "before its admission"
            self._note("I2", f"decision {id_}: {event} {said}")
        return tale

    def _step(self, tale: Tale, event: str) -> str | None:
        """The next state, and what it does to the reservation."""
        found = DECISION.get((tale.state, event))
        if found is None:
            self._note("I2", f"decision {tale.decision.id}: {event} while {tale.state}")
            return None
        tale.state = found.to
        return found.releases

    def _admit(self, fact: port.Admit, row: port.HistoryRow) -> None:
        d, verdict = fact.decision, fact.verdict
        tale = self.open.get(d.id)
        if (row.event == "resume") != (tale is not None) or d.id in self.closed:
            self._note("I2", f"decision {d.id}: {row.event} of one that is {'open' if tale else 'closed or unknown'}")
        if tale is None:
            tale = self.open[d.id] = Tale(d, "new", row.seq, row.seq)
            self._key(d, verdict.code)
        tale.decision, tale.place = d, row.seq
        for ruling in verdict.rulings:
            self._ruling(tale, ruling)
        self._step(tale, _VERDICTS.get(str(verdict.result), "?"))
        if tale.state == "refused":
            if not verdict.code:
                self._note("I11", f"decision {d.id} was refused without a code")
            self._end(tale, row, verdict.code, None)
        elif tale.state == "admitted":
            self._admitted(tale, fact, row)

    def _ruling(self, tale: Tale, ruling: Ruling) -> None:
        """I13: who is said to have approved has, and they are as many as were asked for."""
        asked = (ruling.gate, ruling.version)
        if ruling.result == "hold":
            tale.asks[asked] = ruling.approvers
        elif ruling.result == "allow" and ruling.seen and asked in tale.asks and "approved_by" in ruling.seen:
            told = ruling.seen["approved_by"]
            by = told if isinstance(told, list) else [told]
            if len({*by} & {*tale.answered.get(asked, ())}) < tale.asks[asked] or asked in tale.denied:
                self._note("I13", f"decision {tale.decision.id}: {ruling.gate} passed on approvals that it has not")

    def _key(self, d: Decision, code: str | None) -> None:
        """I10."""
        if d.key is None:
            return
        name = (d.tenant, d.source, d.key)
        bound = self.bound.get(name)
        if code == "KEY_REUSED":
            if bound is None or bound[1] == d.submitted_digest:
                self._note(
                    "I10", f"decision {d.id} was refused for key {d.key!r}, which is free or has the same content"
                )
        elif bound is not None and bound[2] + KEEP_US >= self.at_us:
            self._note("I10", f"key {d.key!r} of decision {d.id} was bound to {bound[0]}")
        else:
            self.bound[name] = (d.id, d.submitted_digest, self.at_us)
            self.new_keys.append((name, d.id, d.submitted_digest))

    def _admitted(self, tale: Tale, fact: port.Admit, row: port.HistoryRow) -> None:
        d, verdict = fact.decision, fact.verdict
        if fact.plan is None or verdict.digest != d.digest:
            self._note("I1", f"decision {d.id} was admitted without a plan, or on other content than it has")
            return
        if row.at_us >= d.deadline_us:
            self._note("I5", f"decision {d.id} was admitted at its deadline or later")
        if (scope := self._halting(d)) is not None:
            self._note("I12", f"decision {d.id} was admitted while {scope} was halted")
        if d.parent is not None and d.parent not in self.open:
            self._note("I1", f"decision {d.id} was admitted without its parent {d.parent}")
        tale.plan, tale.tries = fact.plan, [Try() for _ in fact.plan.actions]
        old = self.open.get(d.supersedes) if d.supersedes is not None else None
        if old is not None and not old.started:
            outcome = Outcome(decision=old.decision.id, result="cancelled", at_us=row.at_us, code="SUPERSEDED")
            self._finish(old, "cancel", outcome, row)
        self.ledger.reserve(d, verdict.reservations, self._note)
        if d.order_key is not None and not self._passes(d):
            self.lanes.setdefault((d.tenant, d.order_key), set()).add(d.id)
        if fact.lease is not None:
            self._start(d.id, (0,), fact.lease.fence, row.at_us)

    def _passes(self, d: Decision) -> bool:
        """Control kinds pass the key."""
        return self.declared is not None and d.kind in self.declared.manifest.get("control", (d.kind,))

    def _halting(self, d: Decision, effector: str | None = None) -> str | None:
        names = ["all", f"kind:{d.kind}", f"source:{d.source}", f"tenant:{d.tenant}", f"effector:{effector}"]
        return next((name for name in names if name in self.halted), None)

    def _start(self, id_: int, ordinals: tuple[int, ...], fence: int, at_us: int) -> None:
        tale = self._tale(id_, "start")
        if tale is None:
            return
        d, plan = tale.decision, tale.plan
        if plan is None or tale.state not in {"admitted", "running"}:
            self._note("I1", f"decision {id_} started while {tale.state}")
            return
        if at_us >= d.deadline_us:
            self._note("I5", f"decision {id_} started at {at_us}, its deadline was {d.deadline_us}")
        if tale.cancel_asked:
            self._note("I2", f"decision {id_} started after its cancel was asked for")
        if not tale.started:
            self._first_start(tale)
        for ordinal in ordinals:
            if not 0 <= ordinal < len(tale.tries):
                self._note("I1", f"decision {id_} started action {ordinal}, which its plan has not")
                continue
            effector = plan.actions[ordinal].effector
            if (scope := self._halting(d, effector)) is not None:
                self._note("I12", f"decision {id_} started while {scope} was halted")
            self._attempt(id_, tale.tries[ordinal], fence, effector)

    def _first_start(self, tale: Tale) -> None:
        """I4: those admitted before it with its order key have ended; its parent may be one of them."""
        self._step(tale, "start")
        tale.started = True
        d = tale.decision
        lane = self.lanes.get((d.tenant, d.order_key or ""), set()) if d.order_key is not None else set()
        if d.id not in lane:
            return
        for other in lane:
            found = self.open.get(other)
            if found is not None and found.place < tale.place and not self._descends(d, other):
                self._note("I4", f"decision {d.id} started before {other}, which was admitted first to {d.order_key!r}")

    def _descends(self, d: Decision, ancestor: int) -> bool:
        parent = d.parent
        while parent is not None and parent != ancestor:
            found = self.open.get(parent)
            parent = found.decision.parent if found is not None else None
        return parent == ancestor

    def _attempt(self, id_: int, attempt: Try, fence: int, effector: str) -> None:
        if fence <= attempt.fence:
            self._note("I9", f"decision {id_}: fence {fence} is not above {attempt.fence}")
        if attempt.state == "in_doubt" and self.declared is not None:
            idempotent = self.declared.manifest.get("effectors", {}).get(effector, True)
            if not idempotent:
                self._note("I8", f"decision {id_}: {effector} is not idempotent and was tried again while in doubt")
        found = ACTION.get((attempt.state, "start"))
        if found is None:
            self._note("I2", f"decision {id_}: an action that is {attempt.state} started")
        attempt.state, attempt.fence = "started", fence

    def _acts(self, tale: Tale, acts: tuple[port.Act, ...]) -> None:
        for news in acts:
            where = f"decision {tale.decision.id}, action {news.ordinal}"
            if not 0 <= news.ordinal < len(tale.tries):
                self._note("I1", f"{where}: its plan has no such action")
                continue
            attempt = tale.tries[news.ordinal]
            if news.event == "doubt" and not tale.started:  # after a restore it may have begun without a trace
                self._step(tale, "start")
                tale.started = True
            if news.fence != attempt.fence:
                self._note("I9", f"{where}: news under fence {news.fence}, the attempt has {attempt.fence}")
            if news.report is not None:
                if news.report in attempt.reports:
                    self._note("I9", f"{where}: report {news.report!r} counted twice")
                attempt.reports.add(news.report)
            found = ACTION.get((attempt.state, news.event))
            if found is None:
                self._note("I2", f"{where}: {news.event} while {attempt.state}")
            else:
                attempt.state = found.to
            for budget, scope, amount in news.settled:
                tale.used[budget, scope] = tale.used.get((budget, scope), 0) + amount

    def _close(self, fact: port.Close, row: port.HistoryRow) -> None:
        tale = self._tale(fact.decision, "close")
        if tale is None:
            return
        self._acts(tale, fact.acts)
        self._finish(tale, fact.event, fact.outcome, row)
        if tale.state != fact.outcome.result:
            self._note("I2", f"decision {fact.decision} ended {tale.state}, its outcome says {fact.outcome.result}")

    def _cancel(self, fact: port.Cancel, row: port.HistoryRow) -> None:
        tale = self._tale(fact.decision, "cancel")
        if tale is None:
            return
        if tale.started:
            tale.cancel_asked = True
            return
        detail = f"by {fact.by}: {fact.reason}"
        outcome = Outcome(decision=fact.decision, result="cancelled", at_us=row.at_us, detail=detail)
        self._finish(tale, "cancel", outcome, row)

    def _finish(self, tale: Tale, event: str, outcome: Outcome, row: port.HistoryRow) -> None:
        releases = self._step(tale, event)
        if tale.state not in TERMINAL:
            self._note("I2", f"decision {tale.decision.id} was closed while {tale.state}")
        settles, succeeded = releases == "settle", tale.state == "succeeded"
        self.ledger.end(tale.decision.id, tale.used, row.at_us, settles=settles, succeeded=succeeded)
        self._end(tale, row, outcome.code, outcome)

    def _end(self, tale: Tale, row: port.HistoryRow, code: str | None, outcome: Outcome | None) -> None:
        d = tale.decision
        self.open.pop(d.id, None)
        self.closed.add(d.id)
        if d.order_key is not None:
            self.lanes.get((d.tenant, d.order_key), set()).discard(d.id)
        self.ends.append(End(d, tale.born, row.seq, tale.state, code, row.at_us, outcome))

    def _approve(self, approval: Approval) -> None:
        """I13."""
        tale = self._tale(approval.decision, "approval")
        if tale is None:
            return
        where = f"decision {approval.decision}: the approval of {approval.gate} by {approval.approver}"
        answered = (approval.gate, approval.gate_version)
        if tale.state != "held":
            self._note("I13", f"{where} came while it was {tale.state}")
        if approval.digest != tale.decision.digest:
            self._note("I13", f"{where} is of other content")
        if approval.approver == tale.decision.source:
            self._note("I13", f"{where} is by its own source")
        by = tale.answered.setdefault(answered, [])
        if approval.approver in by or answered in tale.denied or len(by) >= tale.asks.get(answered, 1):
            self._note("I13", f"{where} was given twice")
        by.append(approval.approver)
        if not approval.approved:
            tale.denied.add(answered)

    def _rest(self, verb: port.Verb) -> None:
        match verb:
            case port.SetHalt(halt):
                self.halted.pop(halt.scope, None)
                if halt.mode == "halted":
                    self.halted[halt.scope] = halt
            case port.SetLimit() as fact:
                self.ledger.set_limit(fact.budget, fact.scope, fact.limit, fact.window_s, reset=fact.reset_latch)
            case port.Declare() as fact:
                self.declared = fact
            case port.Epoch() as fact:
                settles = bool(self.doubt) and not fact.doubt and fact.epoch == self.epoch
                if fact.epoch <= self.epoch and not settles:
                    self._note("I9", f"epoch {fact.epoch} came after {self.epoch}")
                self.epoch, self.doubt = fact.epoch, fact.doubt
            case _:
                pass  # lessons, quarantine, shed counts and references promise nothing about each other
