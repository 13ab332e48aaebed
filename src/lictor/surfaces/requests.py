"""What can be asked of a running node over its control socket. Calls the node's public methods and nothing else.

Each request is a frozen struct: its fields are the wire format, a field too many or of another type is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from lictor.errors import MalformedError, NotFoundError
from lictor.journal.port import Filter, Journal
from lictor.monitoring.redaction import Redactor
from lictor.node import Node
from lictor.records import Amount, Report, Signal
from lictor.runtime.ids import id_number, id_text

from .views import (
    decision_data,
    decision_of,
    feed_data,
    halts_data,
    limits_data,
    outcome_data,
    plain,
    quarantine_entry,
    quarantined_data,
    verdict_data,
)

#: Rows of one answer, at most; the client asks again from the last.
ROWS_MAX = 1_000


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request."""


class Hello(Ask, frozen=True):
    """Who is there."""


class Submit(Ask, frozen=True):
    """Submit one decision; with `wait_s`, also wait for its outcome."""

    kind: str
    payload: Any
    source: str = "local"
    tenant: str = "default"
    key: str | None = None
    priority: int | None = None
    expires_in_s: float | None = None
    confidence: float | None = None
    expects: dict[str, Any] | None = None
    wait_s: float | None = None


class List(Ask, frozen=True):
    """Decisions, newest first."""

    state: str | None = None
    kind: str | None = None
    tenant: str | None = None
    source: str | None = None
    code: str | None = None
    key: str | None = None
    open_only: bool = False
    before: str | None = None
    limit: int = 50


class Show(Ask, frozen=True):
    """The story of one decision."""

    what: str
    tenant: str | None = None


class Approve(Ask, frozen=True):
    """A person's answer to a held decision."""

    what: str
    by: str
    approved: bool = True
    gate: str | None = None
    reason: str = ""
    tenant: str | None = None


class Cancel(Ask, frozen=True):
    """A request to cancel."""

    what: str
    by: str
    reason: str = ""
    tenant: str | None = None


class Halt(Ask, frozen=True):
    """Halt a scope, or admit only what reduces."""

    scope: str
    by: str
    reason: str = ""
    reduce_only: bool = False


class Resume(Ask, frozen=True):
    """Lift a halt."""

    scope: str
    by: str
    reason: str = ""


class Limits(Ask, frozen=True):
    """All balances, and what is halted."""


class SetLimit(Ask, frozen=True):
    """Another limit, from now on."""

    budget: str
    limit: str
    by: str
    scope: str = "all"
    reset_latch: bool = False


class QuarantineList(Ask, frozen=True):
    """What is kept aside."""

    source: str | None = None
    limit: int = 100


class QuarantineShow(Ask, frozen=True):
    """One entry, its signal included."""

    what: str


class QuarantineReplay(Ask, frozen=True):
    """Through the door again, as it was or with another payload."""

    what: str
    by: str
    payload: Any = None


class QuarantineDiscard(Ask, frozen=True):
    """Out of quarantine for good."""

    what: str
    by: str


class Resolve(Ask, frozen=True):
    """News of an action that is pending or in doubt, from a person or a program: by decision, or by the world's ref."""

    what: str
    result: str
    by: str
    code: str | None = None
    value: Any = None
    settled: dict[str, str] = {}
    ordinal: int = 0
    report: str | None = None
    tenant: str | None = None


class Outcomes(Ask, frozen=True):
    """The outcome feed after a cursor."""

    source: str | None = None
    after: int = 0
    limit: int = 100


class Metrics(Ask, frozen=True):
    """Prometheus metrics, as text."""


class Health(Ask, frozen=True):
    """Alive, ready, and why not."""


class Requests:
    """Answers requests for one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._asks: dict[str, tuple[type[Ask], Callable[[Any], Awaitable[Any]]]] = {
            "hello": (Hello, self._hello),
            "submit": (Submit, self._submit),
            "list": (List, self._list),
            "show": (Show, self._show),
            "approve": (Approve, self._approve),
            "cancel": (Cancel, self._cancel),
            "halt": (Halt, self._halt),
            "resume": (Resume, self._resume),
            "limits": (Limits, self._limits),
            "set_limit": (SetLimit, self._set_limit),
            "quarantine_list": (QuarantineList, self._quarantine_list),
            "quarantine_show": (QuarantineShow, self._quarantine_show),
            "quarantine_replay": (QuarantineReplay, self._quarantine_replay),
            "quarantine_discard": (QuarantineDiscard, self._quarantine_discard),
            "resolve": (Resolve, self._resolve),
            "outcomes": (Outcomes, self._outcomes),
            "metrics": (Metrics, self._metrics),
            "health": (Health, self._health),
        }

    async def answer(self, do: str, asked: dict[str, Any]) -> Any:
        """The answer to one request, as plain data.

        Raises:
            LictorError: it cannot be done; with a code.
        """
        if do not in self._asks:
            raise MalformedError(f"no request {do!r}", hint=f"there are: {', '.join(self._asks)}")
        type_, answer = self._asks[do]
        try:
            ask = msgspec.convert(asked, type_)
        except msgspec.ValidationError as error:
            raise MalformedError(f"{do}: {error}") from error
        return await answer(ask)

    # -- decisions --------------------------------------------------------------------------------------------------

    async def _hello(self, _ask: Hello) -> Any:
        app, state = self.node.app, self.node.journal.state
        return {
            "app": app.name,
            "version": app.version,
            "policy": app.policy_version(),
            "kinds": {name: kind.version for name, kind in app.kinds.items()},
            "epoch": state.epoch,
            "open": len(state.open),
            "held": sum(found.state == "held" for found in state.open.values()),
            "durability": self.node.journal.durability,
            "halts": halts_data(self.node.journal),
        }

    async def _submit(self, ask: Submit) -> Any:
        payload = msgspec.json.encode(ask.payload)
        handle = await self.node.submit(
            Signal(
                kind=ask.kind,
                payload=payload,
                source=ask.source,
                tenant=ask.tenant,
                key=ask.key,
                priority=ask.priority,
                expires_in_s=ask.expires_in_s,
                confidence=ask.confidence,
                expects=ask.expects,
            )
        )
        outcome = None
        if ask.wait_s is not None:
            try:
                async with asyncio.timeout(ask.wait_s):
                    outcome = await handle.outcome()
            except TimeoutError:
                outcome = None
        elif handle.duplicate and handle.done:
            outcome = await handle.outcome()
        return {
            "id": None if handle.id is None else id_text(handle.id),
            "duplicate": handle.duplicate,
            "verdict": verdict_data(handle.verdict),
            "outcome": None if outcome is None else outcome_data(outcome),
        }

    async def _list(self, ask: List) -> Any:
        return await listed(self.node.journal, ask)

    async def _show(self, ask: Show) -> Any:
        timeline = await self.node.timeline(await decision_of(self.node.journal, ask.what, ask.tenant))
        return {**plain(timeline.data()), "lines": timeline.lines()}

    async def _approve(self, ask: Approve) -> Any:
        decision = await decision_of(self.node.journal, ask.what, ask.tenant)
        await self.node.approve(decision, by=ask.by, approved=ask.approved, gate=ask.gate, reason=ask.reason)
        return {"id": id_text(decision), "approved": ask.approved, "by": ask.by}

    async def _cancel(self, ask: Cancel) -> Any:
        decision = await decision_of(self.node.journal, ask.what, ask.tenant)
        ended = await self.node.cancel(decision, by=ask.by, reason=ask.reason)
        return {"id": id_text(decision), "cancelled": ended, "asked": not ended}

    async def _resolve(self, ask: Resolve) -> Any:
        where: int | str = ask.what  # the world's name for the action, unless a decision has this id or key
        with suppress(NotFoundError):
            where = await decision_of(self.node.journal, ask.what, ask.tenant)
        news = Report(
            id=ask.report or f"{ask.by}:{ask.what}:{ask.ordinal}:{ask.result}",
            final=True,
            result=ask.result,
            code=ask.code,
            value=ask.value,
            settled={budget: amount_of(text) for budget, text in ask.settled.items()},
        )
        new = await self.node.resolve(where, news, ordinal=ask.ordinal, by=ask.by)
        return {"what": ask.what, "result": ask.result, "new": new}

    async def _outcomes(self, ask: Outcomes) -> Any:
        rows = await self.node.outcomes(ask.source, after=ask.after, limit=min(ask.limit, ROWS_MAX))
        return [feed_data(row) for row in rows]

    # -- what holds for many ----------------------------------------------------------------------------------------

    async def _halt(self, ask: Halt) -> Any:
        await self.node.halt(ask.scope, by=ask.by, reason=ask.reason, reduce_only=ask.reduce_only)
        return {"scope": ask.scope, "mode": "reduce_only" if ask.reduce_only else "halted", "by": ask.by}

    async def _resume(self, ask: Resume) -> Any:
        was = ask.scope in self.node.journal.state.halts
        await self.node.resume(ask.scope, by=ask.by, reason=ask.reason)
        return {"scope": ask.scope, "mode": "none", "by": ask.by, "was_halted": was}

    async def _limits(self, _ask: Limits) -> Any:
        journal = self.node.journal
        return {"limits": limits_data(journal, self.node.clock.wall_us()), "halts": halts_data(journal)}

    async def _set_limit(self, ask: SetLimit) -> Any:
        limit = amount_of(ask.limit)
        await self.node.set_limit(ask.budget, limit, scope=ask.scope, by=ask.by, reset_latch=ask.reset_latch)
        return {"budget": ask.budget, "scope": ask.scope, "limit": plain(limit), "by": ask.by}

    # -- quarantine -------------------------------------------------------------------------------------------------

    async def _quarantine_list(self, ask: QuarantineList) -> Any:
        return await quarantine_listed(self.node.journal, ask)

    async def _quarantine_show(self, ask: QuarantineShow) -> Any:
        return await quarantine_shown(self.node.journal, ask)

    async def _quarantine_replay(self, ask: QuarantineReplay) -> Any:
        entry = await quarantine_entry(self.node.journal, ask.what)
        payload = None if ask.payload is None else msgspec.json.encode(ask.payload)
        handle = await self.node.replay(entry.id, by=ask.by, payload=payload)
        return {
            "entry": id_text(entry.id),
            "id": None if handle.id is None else id_text(handle.id),
            "duplicate": handle.duplicate,
            "verdict": verdict_data(handle.verdict),
            "outcome": None,
        }

    async def _quarantine_discard(self, ask: QuarantineDiscard) -> Any:
        entry = await quarantine_entry(self.node.journal, ask.what)
        await self.node.discard(entry.id, by=ask.by)
        return {"entry": id_text(entry.id), "state": "discarded", "by": ask.by}

    # -- the node itself --------------------------------------------------------------------------------------------

    async def _metrics(self, _ask: Metrics) -> Any:
        return self.node.metrics()

    async def _health(self, _ask: Health) -> Any:
        return self.node.health().data()


async def listed(journal: Journal, ask: List) -> list[dict[str, Any]]:
    """Decisions of a journal, newest first."""
    before = None if ask.before is None else id_number(ask.before)
    if ask.before is not None and before is None:
        raise MalformedError(f"before={ask.before!r} is no id")
    wanted = Filter(
        state=ask.state,
        kind=ask.kind,
        tenant=ask.tenant,
        source=ask.source,
        code=ask.code,
        key=ask.key,
        open_only=ask.open_only,
        before=before,
        limit=max(1, min(ask.limit, ROWS_MAX)),
    )
    return [decision_data(row) for row in await journal.decisions(wanted)]


async def quarantine_listed(journal: Journal, ask: QuarantineList) -> list[dict[str, Any]]:
    """What a journal keeps aside, newest first."""
    return [quarantined_data(entry) for entry in await journal.quarantined(ask.source, min(ask.limit, ROWS_MAX))]


async def quarantine_shown(journal: Journal, ask: QuarantineShow) -> dict[str, Any]:
    """One entry with its signal, secrets redacted."""
    return quarantined_data(await quarantine_entry(journal, ask.what), Redactor())


def amount_of(text: str) -> Amount:
    """An amount as people write it: whole, or with a decimal point.

    Raises:
        MalformedError: it is none.
    """
    try:
        return int(text.replace("_", "").replace(",", ""))
    except ValueError:
        try:
            amount = Decimal(text)
        except InvalidOperation as error:
            raise MalformedError(f"{text!r} is no amount", hint="write 2500 or 12.50") from error
        if not amount.is_finite():
            raise MalformedError(f"{text!r} is no amount", hint="write 2500 or 12.50") from None
        return amount
