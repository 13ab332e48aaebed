"""The stage: lookups, gates, limits of what is reserved, and the decisions that wait for a person or a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from heapq import heappop, heappush
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.declarations.plain import told
from lictor.entry import Entry
from lictor.errors import Code, MalformedError
from lictor.journal.open import Open
from lictor.journal.port import Approve, Refer, SetLimit, Verb
from lictor.journal.state import State
from lictor.lifecycle import DecisionState
from lictor.records import Adjustment, Decision, Result, Ruling, Verdict

from . import standing
from .gatekeeper import Amend, Gatekeeper
from .lookups import Lookups
from .rechecking import Rechecking
from .references import References


class Validator:
    """Validation on one node. It is also the `World` that snapshots read."""

    def __init__(
        self,
        app: Declared,
        amend: Mapping[str, Amend],
        value_of: Callable[[Decision], Any],
        score: Callable[[str, str], float],
        ready: Callable[[Entry], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.app = app
        self.gatekeeper = Gatekeeper(app, amend)
        self.references = References()
        self.score = score
        #: In force, by name and subject; feedback keeps it.
        self.adjustments: Mapping[tuple[str, str], Adjustment] = {}
        self._lookups = Lookups(app)
        #: Decisions whose lookups have not answered yet.
        self.asked = 0
        self._value_of = value_of
        self._ready = ready
        self._spawn = spawn
        self._state: State | None = None
        self._again: list[int] = []
        #: Being cancelled: not ruled again in the turn that cancels them.
        self.withdrawn: set[int] = set()
        self._due: list[tuple[int, int]] = []
        self._refer: list[Refer] = []
        #: What standing approvals say to decisions that were held in the last turn, and those decisions.
        self._stood: list[Verb] = []
        self._approved: list[int] = []
        #: Scopes that this turn gives their limits.
        self._limited: set[tuple[str, str]] = set()

    def recover(self, state: State) -> None:
        """Take up held and deferred decisions."""
        self._state = state
        self.balances = state.balances
        for found in state.open.values():
            if found.state in {DecisionState.HELD, DecisionState.DEFERRED} and found.decision.kind in self.app.kinds:
                self.wait(found)
                if found.approvals:
                    self._again.append(found.decision.id)
        self._stood += standing.expired(state)

    # -- lookups --------------------------------------------------------------------------------------------------

    def asking(self, entry: Entry, now_us: int) -> bool:
        """Whether the entry's lookups must be asked first; it then comes back when they have answered."""
        decision = entry.decision
        if decision is None or entry.answers is not None or not self._lookups.needed(decision.kind):
            return False
        self.asked += 1
        self._spawn(self._ask(entry, decision, (decision.deadline_us - now_us) / 1e6))
        return True

    async def _ask(self, entry: Entry, decision: Decision, left_s: float) -> None:
        try:
            entry.answers = await self._lookups.ask(decision.kind, entry.value, left_s)
        finally:
            self.asked -= 1
        self._ready(entry)

    # -- gates ----------------------------------------------------------------------------------------------------

    def rechecking(self, answer: Callable[[int, str | None], None]) -> Rechecking:
        """What rules again on decisions that other gates have let in; `answer` hears why not, or None."""
        return Rechecking(self.gatekeeper, self._lookups, self, self._value_of, self._spawn, answer)

    def rule(self, entry: Entry, now_us: int) -> None:
        """Give the entry its verdict; the decision may come back amended."""
        state = self._state
        if state is None or entry.decision is None:
            return
        if entry.signal is None and self._settled(entry, state.open.get(entry.decision.id), now_us):
            return
        ruled = self.gatekeeper.rule(
            entry.decision,
            entry.value,
            self,
            state.halts,
            now_us,
            answers=entry.answers,
            approvals=entry.approvals,
        )
        entry.decision, entry.value, entry.verdict = ruled

    def _settled(self, entry: Entry, found: Open | None, now_us: int) -> bool:
        """Whether there is nothing to rule again: it ended meanwhile, or nobody answered in time."""
        if found is None or not found.waits or found.cancel_asked:
            return True  # it was cancelled, or answered, while its lookups were asked
        if found.state != DecisionState.HELD or now_us < self._answer_by(found):
            return False
        entry.verdict = Verdict(
            result=Result.REFUSED,
            at_us=now_us,
            digest=found.decision.digest,
            policy=self.gatekeeper.policy,
            code=Code.APPROVAL_TIMEOUT,
            rulings=found.verdict.rulings,
        )
        return True

    def limits(self, entry: Entry, now_us: int) -> list[Verb]:
        """The limits of scopes that this admission reserves from and that the journal does not know yet."""
        verdict, state = entry.verdict, self._state
        if verdict is None or state is None or not verdict.reservations:
            return []
        wanted: list[Verb] = []
        for reservation in verdict.reservations:
            scope = reservation.budget, reservation.scope
            if scope not in state.balances and scope not in self._limited:
                declared = self.app.balances[reservation.budget]
                try:
                    limit = declared.limit_for(reservation.scope)
                except Exception as error:  # noqa: BLE001 - a limit may be user code; what fails closes
                    seen = {"budget": reservation.budget, "error": told(error)}
                    self.refuse(entry, Code.GATE_FAILED, seen)
                    return []
                self._limited.add(scope)
                by = f"app:{self.app.version}"
                wanted.append(SetLimit(reservation.budget, reservation.scope, limit, now_us, by, declared.window_s))
        return wanted

    def refuse(self, entry: Entry, code: Code, seen: dict[str, Any]) -> None:
        """Turn an admission into a refusal, for a reason that came up after the gates."""
        verdict = entry.verdict
        if verdict is not None:
            entry.verdict = msgspec.structs.replace(
                verdict,
                result=Result.REFUSED,
                code=code,
                reservations=(),
                takes=(),
                rulings=(*verdict.rulings, Ruling("plan", "deny", "", code, seen)),
            )

    # -- decisions that wait --------------------------------------------------------------------------------------

    def wait(self, found: Open) -> None:
        """A held or deferred decision is durable: come back when its time has come."""
        heappush(self._due, (self._due_us(found), found.decision.id))
        if self._state is not None and self._state.standing and found.state == DecisionState.HELD:
            self._stand(self._state, found)

    def _stand(self, state: State, found: Open) -> None:
        """What stands is written in the next turn, and the decision ruled again in the one after it."""
        said = standing.answers(state, found, found.verdict.at_us)
        if any(type(verb) is Approve for verb in said):
            self._approved.append(found.decision.id)
        if said:
            self._stood += said
            heappush(self._due, (0, found.decision.id))

    def _due_us(self, found: Open) -> int:
        at_us = found.verdict.until_us if found.state == DecisionState.DEFERRED else None
        return min(at_us or self._answer_by(found), found.decision.deadline_us)

    def _answer_by(self, found: Open) -> int:
        """When a held decision is refused for want of an answer."""
        within_s = self.app.kinds[found.decision.kind].approve_within_s
        deadline_us = found.decision.deadline_us
        return deadline_us if within_s is None else min(deadline_us, found.verdict.at_us + int(within_s * 1e6))

    def again(self, decision: int) -> None:
        """A person has answered, or a limit or halt has changed: rule it again in the next turn."""
        self._again.append(decision)

    def take(self, now_us: int) -> list[Entry]:
        """Held and deferred decisions whose gates run again now."""
        ids, self._again = self._again, []
        while self._due and self._due[0][0] <= now_us:
            due = heappop(self._due)[1]
            found = self._state.open.get(due) if self._state else None
            if found is not None and found.waits and self._due_us(found) <= now_us:  # else it was ruled again since
                ids.append(due)
        return [entry for id_ in dict.fromkeys(ids) if (entry := self._entry(id_)) is not None]

    def _entry(self, decision: int) -> Entry | None:
        found = self._state.open.get(decision) if self._state else None
        if found is None or not found.waits or found.decision.kind not in self.app.kinds or decision in self.withdrawn:
            return None
        entry = Entry(None, None)
        try:
            entry.decision, entry.value = found.decision, self._value_of(found.decision)
        except MalformedError:
            return None  # it no longer fits its kind; it waits for a deploy whose kind takes it
        entry.approvals = found.approvals
        return entry

    def next_us(self) -> int | None:
        """When the next waiting decision is due."""
        return self._due[0][0] if self._due else None

    # -- references -----------------------------------------------------------------------------------------------

    def loaded(self, name: str, value: Any, at_us: int) -> bool:
        """A reference was loaded; whether it has another version than before.

        A new version goes into the journal, so that rehearse can read it again.
        """
        new = self.references.put(name, value, at_us)
        if new is not None:
            self._refer.append(Refer(name, new.version, at_us, new.stored))
        return new is not None

    def verbs(self) -> list[Verb]:
        """What this stage has to write."""
        self._limited.clear()
        verbs: list[Verb] = [*self._refer, *self._stood]
        self._refer = []
        if self._stood:
            self._again += self._approved
            for decision in self._approved:  # it is ruled again once that is durable
                heappush(self._due, (0, decision))
            self._stood, self._approved = [], []
        return verbs
