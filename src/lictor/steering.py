"""How people and the world steer a running node: approve, cancel, halt, resume, set limits, bring reports.

Each is one durable request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from lictor.app import App
from lictor.declarations.budgets import check_amount
from lictor.declarations.plain import text
from lictor.errors import DeclarationError, DeniedError, NodeStoppedError, NotFoundError, WrongLoopError
from lictor.journal import port
from lictor.journal.open import Open, approved_by
from lictor.pipeline import Pipeline
from lictor.records import Amount, Approval, Decision, Grant, Halt, Report, Ruling, Standing
from lictor.runtime.clock import Clock
from lictor.runtime.ids import id_number, id_text

#: The longest that an approval may stand: a month.
STANDING_S_MAX = 31 * 86_400.0


class Steering:
    """The part of a node that takes requests."""

    app: App
    clock: Clock
    journal: port.Journal
    pipeline: Pipeline
    failure: BaseException | None
    _tasks: list[asyncio.Task[None]]
    _asked: set[asyncio.Future[Any]]
    #: The event loop that the node runs on, from its start on.
    _loop: asyncio.AbstractEventLoop | None

    def _here(self) -> asyncio.AbstractEventLoop:
        """The running loop, which must be the node's: nothing of a node may be touched from another thread.

        Raises:
            WrongLoopError: it is not.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop and self._loop is not None:
            raise WrongLoopError(hint="use BlockingNode, or asyncio.run_coroutine_threadsafe with the node's own loop")
        return loop

    def wake(self) -> None:
        """There is something for the next turn."""
        raise NotImplementedError

    async def _request(self, verb: port.Verb) -> port.Answer:
        if self.failure is not None or not self._tasks:
            raise NodeStoppedError
        future: asyncio.Future[port.Answer] = self._here().create_future()
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        self.pipeline.requests.append((verb, future))
        self.wake()
        return await future

    async def approve(
        self,
        decision: int | str,
        *,
        by: str,
        approved: bool = True,
        gate: str | None = None,
        reason: str = "",
        again_for_s: float | None = None,
    ) -> int:
        """Answer a held decision, for the gate that holds it or a named one.

        With `again_for_s` the same content of the same source is approved by the same person for so long, each time
        anew, while the gate stays as it is.

        Returns:
            How many other persons must approve before it goes on; 0 for none.

        Raises:
            NotFoundError: it is not held.
            DeniedError: nobody is named, the approver is its source, it was answered before, or two must approve it.
        """
        if not by:
            raise DeniedError("an answer needs the name of a person")
        decision = id_of(decision)
        found = self.journal.state.open.get(decision)
        holding = [r for r in found.verdict.rulings if r.result == "hold" and not r.shadow] if found else []
        wanted = [r for r in holding if gate in (None, r.gate)]
        if found is None or not wanted:
            raise NotFoundError(f"decision {id_text(decision)} is not held" + (f" by {gate}" if gate else ""))
        if again_for_s is not None:
            check_standing(wanted, again_for_s, approved=approved)
        more = 0
        for ruling in wanted:
            approval = Approval(
                decision=decision,
                gate=ruling.gate,
                gate_version=ruling.version,
                digest=found.decision.digest,
                approver=text(by),
                approved=approved,
                at_us=self.clock.wall_us(),
                reason=text(reason),
            )
            by_now = approved_by(await self._answered(found, approval, again_for_s), ruling.gate, ruling.version)
            more = max(more, ruling.approvers - len(by_now)) if approved else 0
        if not more:
            self.pipeline.validation.again(decision)
            self.wake()
        return more

    async def _answered(self, found: Open, approval: Approval, again_for_s: float | None) -> tuple[Approval, ...]:
        """One answer, and whether it stands for the next ones; all approvals that the decision has then."""
        verbs: list[port.Verb] = [port.Approve(approval)]
        if again_for_s is not None:
            verbs.append(port.SetStanding(standing_of(found.decision, approval, again_for_s)))
        answers = await asyncio.gather(*map(self._request, verbs))
        for number, answer in enumerate(answers):
            if not answer.ok:
                if number and answers[0].ok:  # it is approved all the same
                    self.pipeline.validation.again(approval.decision)
                    self.wake()
                what = "the next ones too, of" if number else "of"
                which = f"{approval.gate} {what} decision {id_text(approval.decision)}"
                raise DeniedError(f"{answer.code}: {which}, by {approval.approver}")
        now = answers[0].open
        return now.approvals if now is not None else ()

    async def withdraw(self, gate: str, subject: str, *, by: str) -> None:
        """Take a standing approval back; what it approved stays so.

        Raises:
            NotFoundError: there is none.
            DeniedError: nobody is named.
        """
        if not by:
            raise DeniedError("a standing approval is withdrawn by a named person")
        found = self.journal.state.standing.get((gate, subject))
        if found is not None and (await self._request(port.SetStanding(withdrawn(found, by)))).ok:
            return
        raise NotFoundError(f"no standing approval of {gate} for {subject}")

    async def cancel(self, decision: int | str, *, by: str, reason: str = "") -> bool:
        """Ask to cancel: True when it ended cancelled here, False when it had started and its effectors are asked.

        Raises:
            NotFoundError: it is not open.
        """
        decision = id_of(decision)
        withdrawn = self.pipeline.validation.withdrawn
        withdrawn.add(decision)
        try:
            answer = await self._request(port.Cancel(decision, self.clock.wall_us(), text(by), text(reason)))
        finally:
            withdrawn.discard(decision)
        if not answer.ok and answer.code != "ALREADY_ASKED":
            raise NotFoundError(f"decision {id_text(decision)} is not open")
        work = self.pipeline.execution.work.get(decision)
        if work is not None:
            self.pipeline.execution.resolution.cancel(work)
        return answer.outcome is not None

    async def halt(self, scope: str = "all", *, by: str, reason: str = "", reduce_only: bool = False) -> None:
        """Stop all starts in a scope: `all`, or `kind:`, `source:`, `tenant:`, `effector:` and a name.

        In effect when this returns, and in memory before (I12).
        """
        check_scope(scope)
        self._check_declared(scope)
        self._here()
        if reduce_only and scope.startswith("effector:"):
            raise DeclarationError(f"{scope}: an effector is halted or not", hint="reduce a kind, source or tenant")
        mode = "reduce_only" if reduce_only else "halted"
        scope = text(scope)
        halt = Halt(scope=scope, mode=mode, at_us=self.clock.wall_us(), by=text(by), reason=text(reason))
        self.journal.state.halts[scope] = halt
        await self._request(port.SetHalt(halt))

    def _check_declared(self, scope: str) -> None:
        """A kill switch with a slip of the pen must not answer that it works."""
        what, _, name = scope.partition(":")
        names: dict[str, list[str]] = {
            "kind": list(self.app.kinds),
            "effector": list(self.app.effectors),
            "source": list(self.app.sources),
        }
        declared = names.get(what)
        if declared and name not in declared:
            raise DeclarationError(f"{scope}: no {what} {name!r} is declared", hint=f"there are: {', '.join(declared)}")

    async def resume(self, scope: str = "all", *, by: str, reason: str = "") -> None:
        """Lift a halt; a named person does it."""
        check_scope(scope)
        if not by:
            raise DeniedError("resuming needs the name of a person")
        scope, by, reason = text(scope), text(by), text(reason)
        await self._request(
            port.SetHalt(Halt(scope=scope, mode="none", at_us=self.clock.wall_us(), by=by, reason=reason))
        )
        self.pipeline.execution.resumed()

    async def set_limit(
        self, budget: str, limit: Amount, *, scope: str = "all", by: str, reset_latch: bool = False
    ) -> None:
        """Change the limit of a balance's scope from now on.

        And with `reset_latch` lift the latch that an overrun set.
        """
        declared = self.app.balances.get(budget)
        if declared is None:
            raise NotFoundError(f"no balance {budget!r}; there are: {', '.join(self.app.balances)}")
        check_amount(limit, budget)
        await self._request(
            port.SetLimit(budget, text(scope), limit, self.clock.wall_us(), text(by), declared.window_s, reset_latch)
        )

    async def set_grants(self, *grants: Grant) -> None:
        """Put API keys in force, as they are from now on; all in one transaction.

        Raises:
            DeniedError: one was revoked, or would open more than it did.
        """
        answers = await asyncio.gather(*(self._request(port.SetGrant(grant)) for grant in grants))
        for answer, grant in zip(answers, grants, strict=True):
            if not answer.ok:
                raise DeniedError(f"{answer.code}: the key {grant.id} of {grant.name}", hint="make a new one")

    async def reset_adjustment(
        self, name: str, subject: str, *, by: str, value: float | None = None, reason: str = ""
    ) -> None:
        """Set an adjustment anew, to its default or a value within its bounds, and lift its latch.

        Raises:
            NotFoundError: nothing of this name is in force for the subject.
            DeniedError: nobody is named.
        """
        if self.failure is not None or not self._tasks:
            raise NodeStoppedError
        now_us = self.clock.wall_us()
        subject, by, reason = text(subject), text(by), text(reason)
        durable = self.pipeline.feedback.reset(name, subject, by=by, now_us=now_us, value=value, reason=reason)
        self.wake()
        await durable

    async def reinstate(self, source: str, *, by: str, reason: str = "") -> None:
        """Admit again what a demoted source decides; its quality score starts anew.

        Raises:
            NotFoundError: it is not demoted.
            DeniedError: nobody is named, or the source itself.
        """
        if by == source:
            raise DeniedError(f"{source} cannot reinstate itself")
        await self.reset_adjustment("demoted", source, by=by, reason=reason)

    async def mark(self, name: str, cursor: int) -> None:
        """Keep how far somebody outside has been told, by name; durable when this returns."""
        await self._request(port.Mark(text(name), cursor, self.clock.wall_us()))

    async def resolve(self, where: int | str, news: Report, *, ordinal: int = 0, by: str = "world") -> bool:
        """Bring news of an action: from a webhook or stream by the world's `ref`, from a person by the decision's id.

        Durable when this returns. A report may come before its effector has told the `ref`; it is kept for it.

        Returns:
            False when the report was known or the action had ended.

        Raises:
            MalformedError: the report says nothing that a journal can keep.
            NotFoundError: no open action has this ref, or the decision is not executing.
        """
        if self.failure is not None or not self._tasks:
            raise NodeStoppedError
        told = self.pipeline.execution.resolution.hearing.hear(where, ordinal, news, text(by))
        self._asked.add(told)
        told.add_done_callback(self._asked.discard)
        self.wake()
        return await told


def id_of(decision: object) -> int:
    """A decision's id, given as the number that `handle.id` is or as the text that people see.

    Raises:
        NotFoundError: it is neither.
    """
    if isinstance(decision, int):
        return decision
    number = id_number(decision) if isinstance(decision, str) else None
    if number is None:
        raise NotFoundError(
            f"{decision!r:.60} is no decision's id", hint="give handle.id, or the 13 letters that are shown"
        )
    return number


def check_scope(scope: str) -> None:
    """Refuse what no halt can have as its scope.

    Raises:
        DeclarationError: it is none.
    """
    kind, _, name = scope.partition(":")
    if scope != "all" and not (kind in {"kind", "source", "tenant", "effector"} and name):
        raise DeclarationError(
            f"{scope!r} is no scope", hint="all, kind:NAME, source:NAME, tenant:NAME or effector:NAME"
        )


def check_standing(rulings: Sequence[Ruling], for_s: float, *, approved: bool) -> None:
    """Refuse what cannot stand, before anything is answered.

    Raises:
        DeniedError: it is no approval, it stands for too long or no time, or two must approve.
    """
    if not (approved and 0 < for_s <= STANDING_S_MAX):
        raise DeniedError(f"again_for_s={for_s:g}", hint=f"for an approval; above 0, at most {STANDING_S_MAX:g}")
    for ruling in rulings:
        if ruling.approvers > 1:
            raise DeniedError(
                f"TWO_PERSONS: {ruling.gate} asks {ruling.approvers} persons, each time anew",
                hint="approve it without `again_for_s`",
            )


def withdrawn(standing: Standing, by: str) -> Standing:
    """A standing approval that somebody takes back."""
    return msgspec.structs.replace(standing, until_us=0, reason=text(f"withdrawn by {by}"))


def standing_of(decision: Decision, approval: Approval, for_s: float) -> Standing:
    """What an approval says of the next ones of the same content and source, for so long."""
    return Standing(
        gate=approval.gate,
        gate_version=approval.gate_version,
        digest=approval.digest,
        source=decision.source,
        approver=approval.approver,
        at_us=approval.at_us,
        until_us=approval.at_us + int(for_s * 1e6),
        decision=decision.id,
        kind=decision.kind,
        reason=approval.reason,
    )
