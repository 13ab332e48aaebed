"""Turns the facts of one decision into sentences, one fact after another. Pure: reads facts, writes lines.

Each line also carries the fact as data. Whatever users wrote (payloads, arguments, what gates saw) goes through the
redactor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from lictor.journal.port import Act, Admit, Approve, Cancel, Close, HistoryRow, Progress, Start, Undo, Verb
from lictor.records import Decision, Lease, Outcome, Plan, Reservation, Ruling, Verdict
from lictor.runtime.ids import id_text

from .line import Line, amount, brief, clock_time, duration
from .redaction import Redactor

#: What is left of a budget's scope now; None where nothing is known of it.
Left = Callable[[str, str, int | None], Any]

_SAID = {"allow": "allowed", "deny": "denied", "amend": "amended", "hold": "held", "defer": "deferred"}
# They rule too, but nobody declared them: counted as gates, they would make a reader look for one that is not there.
_BESIDE_GATES = frozenset({"journal", "halt", "deadline", "demotion", "inputs", "permission", "plan"})


class Story:
    """One decision's story, as far as it has been told."""

    def __init__(self, decision: int, redact: Redactor, left: Left) -> None:
        self.decision = decision
        self.last: Decision | None = None
        #: Position of its outcome.
        self.closed_seq: int | None = None
        self._redact = redact
        self._left = left
        self._plan: Plan | None = None
        self._reserved: tuple[Reservation, ...] = ()
        self._attempts: Counter[int] = Counter()
        self._tell: dict[type[Verb], Callable[[Any, HistoryRow], Iterator[Line]]] = {
            Admit: self._admit,
            Start: self._start,
            Progress: self._progress,
            Close: self._close,
            Undo: self._undo,
            Approve: self._approve,
            Cancel: self._cancel,
        }

    def tell(self, row: HistoryRow) -> Iterator[Line]:
        """The lines of one more fact."""
        return self._tell[type(row.verb)](row.verb, row) if type(row.verb) in self._tell else iter(())

    # -- verdicts -------------------------------------------------------------------------------------------------

    def _admit(self, verb: Admit, row: HistoryRow) -> Iterator[Line]:
        decision, verdict = verb.decision, verb.verdict
        if decision.id != self.decision:
            self.closed_seq = row.seq
            text = f"cancelled: superseded by {id_text(decision.id)}"
            yield Line(row.at_us, "superseded", text, {"by": id_text(decision.id)})
            return
        if self.last is None:
            self._redact = self._redact.knowing(decision.payload)
            yield self._received(decision)
        self.last = decision
        yield from (self._ruling(ruling, row.at_us) for ruling in verdict.rulings)
        yield self._verdict(verdict, verb.plan, verb.lease, row)

    def _received(self, d: Decision) -> Line:
        payload = self._redact.json(d.payload)
        stated = f", confidence {d.confidence:g}" if d.confidence is not None else ""
        expects = f", expects {brief(self._redact(d.expects))}" if d.expects else ""
        key = f", key {d.key}" if d.key is not None else ""
        parent = f", child of {id_text(d.parent)}" if d.parent is not None else ""
        within = duration(d.deadline_us - d.received_us)
        text = (
            f"{d.kind} from {d.source} for {d.tenant}{key}{parent}: {brief(payload)}{stated}{expects}, due in {within}"
        )
        data = {
            name: getattr(d, name) for name in ("kind", "version", "source", "tenant", "key", "priority", "order_key")
        }
        data |= {"payload": payload, "confidence": d.confidence, "expects": d.expects, "deadline_us": d.deadline_us}
        return Line(d.received_us, "received", text, self._redact(data))

    def _ruling(self, ruling: Ruling, at_us: int) -> Line:
        seen = self._redact(ruling.seen) if ruling.seen else None
        reads = [{"name": r.name, "version": r.version, "value": self._redact(r.value)} for r in ruling.reads]
        read = [
            f"{r['name']} = {brief(r['value'])}" if r["value"] is not None else f"{r['name']}@{r['version']}"
            for r in reads
        ]
        text = f"  {ruling.gate} {_SAID.get(ruling.result, ruling.result)}"
        text += f" {ruling.code}" if ruling.code else ""
        text += f", saw {brief(seen)}" if seen else ""
        text += f", read {', '.join(read)}" if read else ""
        amended = self._redact.json(ruling.amended) if ruling.amended is not None else None
        text += f", to {brief(amended)}" if amended is not None else ""
        text += " (shadow: changes nothing)" if ruling.shadow else ""
        data = {"gate": ruling.gate, "result": ruling.result, "version": ruling.version, "code": ruling.code}
        return Line(
            at_us, "ruling", text, data | {"seen": seen, "reads": reads, "amended": amended, "shadow": ruling.shadow}
        )

    def _verdict(self, verdict: Verdict, plan: Plan | None, lease: Lease | None, row: HistoryRow) -> Line:
        gates = len({ruling.gate for ruling in verdict.rulings if ruling.gate not in _BESIDE_GATES})
        text = f"{verdict.result}" + (f" {verdict.code}" if verdict.code else "")
        text += f": {gates} gate{'s' * (gates != 1)}" if gates else ""
        if verdict.result == "admitted":
            self._plan, self._reserved = plan, verdict.reservations
            text += "".join(f", reserved {self._reservation(r, verdict.rulings)}" for r in verdict.reservations)
            text += f", plan: {self._planned(plan)}" if plan is not None else ""
        elif verdict.result == "held":
            holding = [ruling for ruling in verdict.rulings if ruling.result == "hold" and not ruling.shadow]
            need = max((ruling.approvers for ruling in holding), default=1)
            who = "a person" if need == 1 else f"{need} persons"
            text += f", waits for {who} to approve {', '.join(ruling.gate for ruling in holding)}"
        elif verdict.until_us is not None:
            text += f", again at {clock_time(verdict.until_us)}"
        if lease is not None:
            self._attempts[0] += 1
            text += ", started at once"
        data: dict[str, Any] = {
            "verdict": str(verdict.result),
            "code": verdict.code,
            "policy": verdict.policy,
            "fence": lease and lease.fence,
        }
        data["reserved"] = [[r.budget, r.scope, str(r.amount)] for r in verdict.reservations]
        data["actions"] = len(plan.actions) if plan is not None else 0
        return Line(row.at_us, str(verdict.result), text, data)

    def _reservation(self, r: Reservation, rulings: tuple[Ruling, ...]) -> str:
        """With what was left then, where a gate read it as evidence, else with what is left now."""
        text = f"{amount(r.amount)} of {r.budget}/{r.scope}"
        for ruling in rulings:
            for read in ruling.reads:
                if read.name == f"{r.budget}.left" and read.version == r.scope:
                    return f"{text} (left {amount(read.value - r.amount)})"
        left = self._left(r.budget, r.scope, r.window_us)
        return f"{text} (left now {amount(left)})" if left is not None else text

    def _planned(self, plan: Plan) -> str:
        if len(plan.actions) == 1:
            action = plan.actions[0]
            args = [brief(arg) for arg in self._redact(action.args)]
            args += [f"{name}={brief(arg)}" for name, arg in self._redact(action.kwargs).items()]
            return f"{action.effector}({', '.join(args)})"
        effectors = Counter(action.effector for action in plan.actions)
        rule = f"quorum of {plan.quorum}" if plan.rule == "quorum" else plan.rule.replace("_", " ")
        return f"{', '.join(f'{count} {name}' for name, count in effectors.items())}, {rule}"

    # -- actions --------------------------------------------------------------------------------------------------

    def _start(self, verb: Start, row: HistoryRow) -> Iterator[Line]:
        for item in verb.items:
            if item.decision == self.decision:
                for ordinal in item.ordinals:
                    self._attempts[ordinal] += 1
                    text = f"attempt {self._attempts[ordinal]} of {self._name(ordinal)} started"
                    data = {"action": ordinal, "attempt": self._attempts[ordinal], "fence": item.fence}
                    yield Line(row.at_us, "started", text, data)

    def _progress(self, verb: Progress, row: HistoryRow) -> Iterator[Line]:
        return (self._act(act, row.at_us) for act in verb.acts)

    def _act(self, act: Act, at_us: int) -> Line:
        event, name = str(act.event), self._name(act.ordinal)
        value, detail = self._redact(act.value), self._redact(act.detail)
        why = " ".join(part for part in (act.code, f"({detail})" if detail else "") if part)
        again = f" at {clock_time(act.next_us)}" if act.next_us is not None else ""
        text = {
            "give_back": f"{name} given back unstarted",
            "back_off": f"{name} failed {why}, again{again}",
            "pend": f"{name} is pending" + (f" as {act.ref}" if act.ref else "") + (f", asked{again}" if again else ""),
            "report": f"report {act.report} on {name}",
            "doubt": f"{name} is in doubt: {why or 'nobody knows whether it took effect'}"
            + (f", asked{again}" if again else ""),
            "absent": f"the world never saw {name}; it may be sent again",
            "succeed": f"{name} succeeded",
            "fail": f"{name} failed {why}",
            "expire": f"{name} expired {why}",
            "cancel": f"{name} cancelled {why}",
            "compensate": f"{name} is being undone",
            "compensated": f"{name} undone",
        }.get(event, f"{name} {event} {why}").rstrip()
        text += f": {brief(value)}" if value is not None else ""
        text += "".join(f", settled {amount(used)} of {budget}/{scope}" for budget, scope, used in act.settled)
        data = {
            "action": act.ordinal,
            "event": event,
            "code": act.code,
            "value": value,
            "ref": act.ref,
            "report": act.report,
        }
        return Line(
            at_us, event, text, data | {"detail": detail, "settled": [[b, s, str(n)] for b, s, n in act.settled]}
        )

    def _name(self, ordinal: int) -> str:
        if self._plan is None or ordinal >= len(self._plan.actions):
            return f"action {ordinal}"
        effector = self._plan.actions[ordinal].effector
        return effector if len(self._plan.actions) == 1 else f"{effector}[{ordinal}]"

    # -- ends and people ------------------------------------------------------------------------------------------

    def _close(self, verb: Close, row: HistoryRow) -> Iterator[Line]:
        self.closed_seq = row.seq
        if len(verb.acts) > 1 or (verb.acts and verb.outcome.result != "succeeded"):
            yield from (self._act(act, row.at_us) for act in verb.acts)
        yield self._outcome(verb.outcome, row.at_us)

    def _outcome(self, o: Outcome, at_us: int) -> Line:
        value, detail = self._redact(o.value), self._redact(o.detail)
        text = f"{o.result}" + (f" {o.code}" if o.code else "")
        if o.started_us is not None:
            text += f" {duration(at_us - o.started_us)} after its start"
        if o.attempts > 1:
            text += f", {o.attempts} attempts"
        text += f", {detail}" if detail else ""
        text += f": {brief(value)}" if value is not None else ""
        text += "".join(f", settled {amount(r.amount)} of {r.budget}/{r.scope}" for r in o.settled)
        if o.result != "succeeded" and self._reserved and not o.settled:
            text += ", released " + " and ".join(f"{amount(r.amount)} of {r.budget}/{r.scope}" for r in self._reserved)
        data = {"result": o.result, "code": o.code, "value": value, "detail": detail, "attempts": o.attempts}
        data["settled"] = [[r.budget, r.scope, str(r.amount)] for r in o.settled]
        return Line(at_us, "outcome", text, data)

    def _undo(self, verb: Undo, row: HistoryRow) -> Iterator[Line]:
        text = "what has succeeded is undone" + (f" because of {verb.code}" if verb.code else "")
        yield Line(row.at_us, "compensate", text, {"code": verb.code})

    def _approve(self, verb: Approve, row: HistoryRow) -> Iterator[Line]:
        a = verb.approval
        said = "approved" if a.approved else "denied"
        reason = self._redact(a.reason)
        text = f"{a.gate} {said} by {a.approver}" + (f": {reason}" if reason else "")
        yield Line(row.at_us, said, text, {"gate": a.gate, "by": a.approver, "reason": reason})

    def _cancel(self, verb: Cancel, row: HistoryRow) -> Iterator[Line]:
        reason = self._redact(verb.reason)
        started = bool(self._attempts)
        text = "cancelling asked" if started else "cancelled before it started"
        text += f" by {verb.by}" + (f": {reason}" if reason else "")
        if not started:
            self.closed_seq = row.seq
        yield Line(row.at_us, "cancel", text, {"by": verb.by, "reason": reason, "started": started})
