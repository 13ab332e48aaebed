"""What can be asked of a running node, by whatever transport. Calls the node's public methods and nothing else.

`Requests(node)` answers whoever owns the node: the control socket does. `seen_by(principal)` answers one who has shown
a credential: what they do not see is not found, `by` is their name, and source and tenant are what they may decide as.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from lictor.entry import Handle
from lictor.errors import MalformedError, NotFoundError
from lictor.journal.port import Filter, Journal
from lictor.monitoring.redaction import Redactor
from lictor.node import Node
from lictor.records import Amount, Report, Signal
from lictor.runtime.ids import id_number, id_text

from . import asks, overview, shapes
from .access import asking
from .access.principal import Principal
from .answering import Answering
from .calling import Calling
from .flow import Flow
from .halting import in_flight
from .proofs import Proving
from .sight import OWNER, Sight, record_of
from .views import (
    decision_data,
    feed_data,
    halts_data,
    limits_data,
    outcome_data,
    plain,
    quarantined_data,
    verdict_data,
)

#: Rows of one answer, at most; the client asks again from the last.
ROWS_MAX = 1_000
#: Entries of quarantine that are looked through for one who sees only some.
ENTRIES_MAX = 10_000


class Requests(Answering, Calling, Proving):
    """Answers requests for one node."""

    __slots__ = ("flow", "node", "sight")

    def __init__(self, node: Node, sight: Sight = OWNER, flow: Flow | None = None) -> None:
        self.node = node
        self.sight = sight
        self.flow = Flow(node) if flow is None else flow

    def seen_by(self, principal: Principal) -> Requests:
        """The same for one who has shown a credential."""
        return Requests(self.node, Sight(principal), self.flow)

    async def ask(self, do: str, **asked: Any) -> Any:
        """The answer to one request, from what is given by name; what is None is not given."""
        return await self.answer(do, {name: value for name, value in asked.items() if value is not None})

    async def answer(self, do: str, asked: dict[str, Any]) -> Any:
        """The answer to one request, as plain data.

        Raises:
            LictorError: it cannot be done; with a code.
        """
        if do not in ASKS:
            raise MalformedError(f"no request {do!r}", hint=f"there are: {', '.join(ASKS)}")
        try:
            ask = msgspec.convert(asked, ASKS[do])
        except msgspec.ValidationError as error:
            raise MalformedError(f"{do}: {error}") from error
        return await getattr(self, f"_{do}")(ask)

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
            "halts": self.halted(),
        }

    async def _submit(self, ask: asks.Submit) -> Any:
        signal = Signal(
            kind=ask.kind,
            payload=msgspec.json.encode(ask.payload),
            source=self.sight.source(ask.source),
            tenant=self.sight.tenant(ask.tenant),
            key=ask.key,
            priority=ask.priority,
            expires_in_s=ask.expires_in_s,
            confidence=ask.confidence,
            expects=ask.expects,
        )
        return await self.submitted(await self.node.submit(signal), ask.wait_s)

    async def submitted(self, handle: Handle, wait_s: float | None = None) -> shapes.Submitted:
        """What is told of a decision that has its verdict; with `wait_s`, its outcome where it comes in that time."""
        outcome = None
        if wait_s is not None and not handle.done:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    outcome = await handle.outcome()
        elif handle.done and (handle.duplicate or wait_s is not None):
            outcome = await handle.outcome()
        return {
            "id": None if handle.id is None else id_text(handle.id),
            "duplicate": handle.duplicate,
            "verdict": verdict_data(handle.verdict),
            "outcome": None if outcome is None else outcome_data(outcome),
        }

    async def _list(self, ask: asks.List) -> Any:
        return await listed(self.node.journal, ask, self.sight)

    async def _show(self, ask: asks.Show) -> Any:
        timeline = await self.node.timeline(await self.sight.decision(self.node.journal, ask.what, ask.tenant))
        return {**plain(timeline.data()), "lines": timeline.lines()}

    async def _cancel(self, ask: asks.Cancel) -> Any:
        decision = await self.sight.decision(self.node.journal, ask.what, ask.tenant)
        ended = await self.node.cancel(decision, by=self.sight.by(ask.by), reason=ask.reason)
        return {"id": id_text(decision), "cancelled": ended, "asked": not ended}

    async def _resolve(self, ask: asks.Resolve) -> Any:
        by, journal = self.sight.by(ask.by), self.node.journal
        where: int | str = ask.what  # the world's name for the action, unless a decision has this id or key
        if self.sight.whole:
            with suppress(NotFoundError):
                where = await self.sight.decision(journal, ask.what, ask.tenant)
        else:
            where = await self.sight.decision(journal, ask.what, ask.tenant)
        news = Report(
            id=ask.report or f"{by}:{ask.what}:{ask.ordinal}:{ask.result}",
            final=True,
            result=ask.result,
            code=ask.code,
            value=ask.value,
            settled={budget: amount_of(text) for budget, text in ask.settled.items()},
        )
        new = await self.node.resolve(where, news, ordinal=ask.ordinal, by=by)
        return {"what": ask.what, "result": ask.result, "new": new}

    async def _outcomes(self, ask: asks.Outcomes) -> Any:
        return (await self.outcomes(ask))[0]

    async def outcomes(self, ask: asks.Outcomes) -> tuple[list[shapes.FeedRow], int]:
        """The outcomes after a cursor that one sees, and the cursor to go on from."""
        limit = max(1, min(ask.limit, ROWS_MAX))
        rows = await self.node.outcomes(ask.source, after=ask.after, limit=limit)
        after = rows[-1].cursor if rows else ask.after
        if not self.sight.whole:
            journal, seen = self.node.journal, []
            for row in rows:
                found = await record_of(journal, row.decision)
                if found is not None and self.sight.sees(found.source, found.tenant):
                    seen.append(row)
            rows = seen
        return [feed_data(row) for row in rows], after

    # -- what holds for many ----------------------------------------------------------------------------------------

    async def _halt(self, ask: asks.Halt) -> Any:
        by = self.sight.by(ask.by)
        self.sight.may_halt(ask.scope)
        await self.node.halt(ask.scope, by=by, reason=ask.reason, reduce_only=ask.reduce_only)
        mode = "reduce_only" if ask.reduce_only else "halted"
        return {"scope": ask.scope, "mode": mode, "by": by, **in_flight(self.node, ask.scope, self.sight)}

    async def _resume(self, ask: asks.Resume) -> Any:
        by = self.sight.by(ask.by)
        self.sight.may_halt(ask.scope)
        was = ask.scope in self.node.journal.state.halts
        await self.node.resume(ask.scope, by=by, reason=ask.reason)
        return {"scope": ask.scope, "mode": "none", "by": by, "was_halted": was}

    async def _halts(self, _ask: asks.Halts) -> Any:
        return [{**halt, **in_flight(self.node, halt["scope"], self.sight)} for halt in self.halted()]

    def halted(self) -> list[shapes.Halted]:
        """Everyone is told what holds for everyone; a scope that names a source or tenant tells of it."""
        seen = []
        for halt in halts_data(self.node.journal):
            what, _, name = halt["scope"].partition(":")
            principal = self.sight.principal
            if (
                what not in {"source", "tenant"}
                or principal is None
                or (what == "source" and (principal.sources is None or name in principal.sources))
                or (what == "tenant" and (principal.tenants is None or name in principal.tenants))
            ):
                seen.append(halt)
        return seen

    async def _limits(self, _ask: asks.Limits) -> Any:
        node = self.node
        rows = limits_data(node.journal, node.clock.wall_us())
        seen = [row for row in rows if self.sight.sees_scope(node, row["budget"], row["scope"])]
        return {"limits": seen, "halts": self.halted()}

    def _scope(self, budget: str, scope: str) -> None:
        if not self.sight.sees_scope(self.node, budget, scope):
            raise NotFoundError(f"no balance {budget!r} has a scope {scope!r}")

    async def _set_limit(self, ask: asks.SetLimit) -> Any:
        limit, by = amount_of(ask.limit), self.sight.by(ask.by)
        self._scope(ask.budget, ask.scope)
        await self.node.set_limit(ask.budget, limit, scope=ask.scope, by=by, reset_latch=ask.reset_latch)
        return {"budget": ask.budget, "scope": ask.scope, "limit": plain(limit), "by": by}

    async def _reset_latch(self, ask: asks.ResetLatch) -> Any:
        by = self.sight.by(ask.by)
        self._scope(ask.budget, ask.scope)
        found = self.node.journal.state.balances.get((ask.budget, ask.scope))
        if found is None:
            raise NotFoundError(f"no balance {ask.budget!r} has a scope {ask.scope!r}", hint="see `lictor limits`")
        await self.node.set_limit(ask.budget, found.limit, scope=ask.scope, by=by, reset_latch=True)
        return {"budget": ask.budget, "scope": ask.scope, "limit": plain(found.limit), "by": by}

    async def _sources(self, _ask: asks.Sources) -> Any:
        return [row for row in overview.sources(self.node) if self.sight.sees_source(self.node, row["source"])]

    async def _reinstate(self, ask: asks.Reinstate) -> Any:
        by = self.sight.by(ask.by)
        if not self.sight.sees_source(self.node, ask.source):
            raise NotFoundError(f"nothing is known of a source {ask.source!r}")
        await self.node.reinstate(ask.source, by=by, reason=ask.reason)
        return {"source": ask.source, "by": by}

    # -- quarantine -------------------------------------------------------------------------------------------------

    async def _quarantine_list(self, ask: asks.QuarantineList) -> Any:
        return await quarantine_listed(self.node.journal, ask, self.sight)

    async def _quarantine_show(self, ask: asks.QuarantineShow) -> Any:
        entry = self.sight.entry(self.node.journal, ask.what)
        return quarantined_data(entry, self.node.pipeline.monitoring.redact)

    async def _quarantine_replay(self, ask: asks.QuarantineReplay) -> Any:
        entry, by = self.sight.entry(self.node.journal, ask.what), self.sight.by(ask.by)
        payload = None if ask.payload is None else msgspec.json.encode(ask.payload)
        handle = await self.node.replay(entry.id, by=by, payload=payload)
        return {"entry": id_text(entry.id), **await self.submitted(handle)}

    async def _quarantine_discard(self, ask: asks.QuarantineDiscard) -> Any:
        entry, by = self.sight.entry(self.node.journal, ask.what), self.sight.by(ask.by)
        await self.node.discard(entry.id, by=by)
        return {"entry": id_text(entry.id), "state": "discarded", "by": by}

    # -- the node itself --------------------------------------------------------------------------------------------

    async def _effectors(self, _ask: asks.Effectors) -> Any:
        return overview.effectors(self.node, self.sight)

    async def _quality(self, _ask: asks.Quality) -> Any:
        self.sight.need_whole("quality")
        return self.node.quality().data()

    async def _flow(self, _ask: asks.Flow) -> Any:
        self.sight.need_whole("the flow")
        return self.flow.read()

    async def _metrics(self, _ask: asks.Metrics) -> Any:
        self.sight.need_whole("what is measured")
        return self.node.metrics()

    async def _health(self, _ask: asks.Health) -> Any:
        return self.node.health().data()

    async def _rehearse(self, ask: asks.Rehearse) -> Any:
        self.sight.need_whole("a rehearsal")
        return await overview.rehearsed(self.node, ask, {k: amount_of(v) for k, v in ask.limits.items()})

    # -- API keys ---------------------------------------------------------------------------------------------------

    async def _keys_list(self, _ask: asks.KeysList) -> Any:
        self.sight.need_whole("the list of keys")
        return asking.listed(self.node.journal.state.grants, self.node.clock.wall_us())

    async def _keys_change(self, ask: asks.KeysChange) -> Any:
        self.sight.need_whole("giving keys")
        ask = msgspec.structs.replace(ask, by=self.sight.by(ask.by))
        node = self.node
        found, told = asking.changed(node.journal.state.grants, ask, node.clock.wall_us(), node.randomness.bytes)
        await node.set_grants(*found)
        return told

    _keys_make = _keys_rotate = _keys_revoke = _keys_change


#: By name: what is asked. The method of that name, with an underscore before it, answers.
ASKS: dict[str, type[asks.Ask]] = {
    "hello": asks.Hello,
    "submit": asks.Submit,
    "call": asks.Call,
    "outcome": asks.Outcome,
    "tools": asks.Tools,
    "list": asks.List,
    "show": asks.Show,
    **Answering.ASKS,
    "cancel": asks.Cancel,
    "halt": asks.Halt,
    "resume": asks.Resume,
    "halts": asks.Halts,
    "limits": asks.Limits,
    "set_limit": asks.SetLimit,
    "reset_latch": asks.ResetLatch,
    "sources": asks.Sources,
    "reinstate": asks.Reinstate,
    "effectors": asks.Effectors,
    "quarantine_list": asks.QuarantineList,
    "quarantine_show": asks.QuarantineShow,
    "quarantine_replay": asks.QuarantineReplay,
    "quarantine_discard": asks.QuarantineDiscard,
    "resolve": asks.Resolve,
    "outcomes": asks.Outcomes,
    "quality": asks.Quality,
    "flow": asks.Flow,
    "metrics": asks.Metrics,
    "health": asks.Health,
    "rehearse": asks.Rehearse,
    "keys_make": asks.KeysMake,
    "keys_list": asks.KeysList,
    "keys_rotate": asks.KeysRotate,
    "keys_revoke": asks.KeysRevoke,
    **Proving.ASKS,
}


async def listed(journal: Journal, ask: asks.List, sight: Sight = OWNER) -> list[shapes.Decision]:
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
    return [decision_data(row) for row in await sight.rows(journal, wanted)]


async def quarantine_listed(
    journal: Journal, ask: asks.QuarantineList, sight: Sight = OWNER
) -> list[shapes.Quarantined]:
    """What a journal keeps aside, newest first."""
    limit = max(1, min(ask.limit, ROWS_MAX))
    entries = await journal.quarantined(ask.source, limit if sight.whole else ENTRIES_MAX)
    return [quarantined_data(entry) for entry in entries if sight.sees_entry(entry)][:limit]


async def quarantine_shown(journal: Journal, ask: asks.QuarantineShow) -> shapes.Quarantined:
    """One entry with its signal, secrets redacted."""
    return quarantined_data(OWNER.entry(journal, ask.what), Redactor())


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
