"""What can be asked of a running node over its control socket. Calls the node's public methods and nothing else."""

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

from . import asks
from .flow import Flow
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


class Requests:
    """Answers requests for one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.flow = Flow(node)
        self._asks: dict[str, tuple[type[asks.Ask], Callable[[Any], Awaitable[Any]]]] = {
            "hello": (asks.Hello, self._hello),
            "submit": (asks.Submit, self._submit),
            "list": (asks.List, self._list),
            "show": (asks.Show, self._show),
            "approve": (asks.Approve, self._approve),
            "cancel": (asks.Cancel, self._cancel),
            "halt": (asks.Halt, self._halt),
            "resume": (asks.Resume, self._resume),
            "limits": (asks.Limits, self._limits),
            "set_limit": (asks.SetLimit, self._set_limit),
            "quarantine_list": (asks.QuarantineList, self._quarantine_list),
            "quarantine_show": (asks.QuarantineShow, self._quarantine_show),
            "quarantine_replay": (asks.QuarantineReplay, self._quarantine_replay),
            "quarantine_discard": (asks.QuarantineDiscard, self._quarantine_discard),
            "resolve": (asks.Resolve, self._resolve),
            "outcomes": (asks.Outcomes, self._outcomes),
            "quality": (asks.Quality, self._quality),
            "flow": (asks.Flow, self._flow),
            "metrics": (asks.Metrics, self._metrics),
            "health": (asks.Health, self._health),
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

    async def _hello(self, _ask: asks.Hello) -> Any:
        app, state = self.node.app, self.node.journal.state
        return {
            "app": app.name,
            "version": app.version,
            "policy": app.policy_version(),
            "kinds": {name: kind.version for name, kind in app.kinds.items()},
            "epoch": state.epoch,
            "open": state.open_count,
            "held": sum(found.state == "held" for found in state.open.values()),
            "durability": self.node.journal.durability,
            "halts": halts_data(self.node.journal),
        }

    async def _submit(self, ask: asks.Submit) -> Any:
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

    async def _list(self, ask: asks.List) -> Any:
        return await listed(self.node.journal, ask)

    async def _show(self, ask: asks.Show) -> Any:
        timeline = await self.node.timeline(await decision_of(self.node.journal, ask.what, ask.tenant))
        return {**plain(timeline.data()), "lines": timeline.lines()}

    async def _approve(self, ask: asks.Approve) -> Any:
        decision = await decision_of(self.node.journal, ask.what, ask.tenant)
        await self.node.approve(decision, by=ask.by, approved=ask.approved, gate=ask.gate, reason=ask.reason)
        return {"id": id_text(decision), "approved": ask.approved, "by": ask.by}

    async def _cancel(self, ask: asks.Cancel) -> Any:
        decision = await decision_of(self.node.journal, ask.what, ask.tenant)
        ended = await self.node.cancel(decision, by=ask.by, reason=ask.reason)
        return {"id": id_text(decision), "cancelled": ended, "asked": not ended}

    async def _resolve(self, ask: asks.Resolve) -> Any:
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

    async def _outcomes(self, ask: asks.Outcomes) -> Any:
        rows = await self.node.outcomes(ask.source, after=ask.after, limit=min(ask.limit, ROWS_MAX))
        return [feed_data(row) for row in rows]

    # -- what holds for many ----------------------------------------------------------------------------------------

    async def _halt(self, ask: asks.Halt) -> Any:
        await self.node.halt(ask.scope, by=ask.by, reason=ask.reason, reduce_only=ask.reduce_only)
        return {"scope": ask.scope, "mode": "reduce_only" if ask.reduce_only else "halted", "by": ask.by}

    async def _resume(self, ask: asks.Resume) -> Any:
        was = ask.scope in self.node.journal.state.halts
        await self.node.resume(ask.scope, by=ask.by, reason=ask.reason)
        return {"scope": ask.scope, "mode": "none", "by": ask.by, "was_halted": was}

    async def _limits(self, _ask: asks.Limits) -> Any:
        journal = self.node.journal
        return {"limits": limits_data(journal, self.node.clock.wall_us()), "halts": halts_data(journal)}

    async def _set_limit(self, ask: asks.SetLimit) -> Any:
        limit = amount_of(ask.limit)
        await self.node.set_limit(ask.budget, limit, scope=ask.scope, by=ask.by, reset_latch=ask.reset_latch)
        return {"budget": ask.budget, "scope": ask.scope, "limit": plain(limit), "by": ask.by}

    # -- quarantine -------------------------------------------------------------------------------------------------

    async def _quarantine_list(self, ask: asks.QuarantineList) -> Any:
        return await quarantine_listed(self.node.journal, ask)

    async def _quarantine_show(self, ask: asks.QuarantineShow) -> Any:
        return await quarantine_shown(self.node.journal, ask)

    async def _quarantine_replay(self, ask: asks.QuarantineReplay) -> Any:
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

    async def _quarantine_discard(self, ask: asks.QuarantineDiscard) -> Any:
        entry = await quarantine_entry(self.node.journal, ask.what)
        await self.node.discard(entry.id, by=ask.by)
        return {"entry": id_text(entry.id), "state": "discarded", "by": ask.by}

    # -- the node itself --------------------------------------------------------------------------------------------

    async def _quality(self, _ask: asks.Quality) -> Any:
        return self.node.quality().data()

    async def _flow(self, _ask: asks.Flow) -> Any:
        return self.flow.read()

    async def _metrics(self, _ask: asks.Metrics) -> Any:
        return self.node.metrics()

    async def _health(self, _ask: asks.Health) -> Any:
        return self.node.health().data()


async def listed(journal: Journal, ask: asks.List) -> list[dict[str, Any]]:
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


async def quarantine_listed(journal: Journal, ask: asks.QuarantineList) -> list[dict[str, Any]]:
    """What a journal keeps aside, newest first."""
    return [quarantined_data(entry) for entry in await journal.quarantined(ask.source, min(ask.limit, ROWS_MAX))]


async def quarantine_shown(journal: Journal, ask: asks.QuarantineShow) -> dict[str, Any]:
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
