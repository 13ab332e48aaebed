"""Calls of kinds as tools: who repeats a call gets the one decision that it already is; who is refused is told why.

The key follows from run, step and canonical arguments, or is the caller's own. A caller without a run, which is what
most protocols leave it, means the same call while that is open and for a while after it was done.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec

from lictor.declarations.refusal import refusal_of
from lictor.declarations.runs import TRIES_MAX, call_key, nth, tries_again
from lictor.entry import Handle
from lictor.errors import MalformedError, NotFoundError
from lictor.journal.port import Admit, HistoryRow, Journal
from lictor.node import Node
from lictor.records import Outcome, Signal, Verdict
from lictor.runtime.ids import id_text

from . import asks
from .sight import Sight, record_of
from .tools import tools_of
from .views import outcome_data, verdict_data

#: The run of whoever names none; no run that somebody names has this form.
NO_RUN = "\0"
#: Nobody waits longer in one request.
WAIT_S_MAX = 3_600.0

_sorted = msgspec.json.Encoder(order="sorted").encode


class Calling:
    """The requests of it, for one node and one who asks."""

    __slots__ = ()

    node: Node
    sight: Sight

    async def _call(self, ask: asks.Call) -> Any:
        return await called(self.node, self.sight, ask)

    async def _outcome(self, ask: asks.Outcome) -> Any:
        return await became(self.node, self.sight, ask)

    async def _tools(self, _ask: asks.Tools) -> Any:
        return tools_of(self.node.app)


async def called(node: Node, sight: Sight, ask: asks.Call) -> dict[str, Any]:
    """Submit the call, unless it is one that was made before, and tell what came of it."""
    payload = msgspec.json.encode(ask.payload)
    signal = Signal(
        kind=ask.kind,
        payload=payload,
        source=sight.source(ask.source),
        tenant=sight.tenant(ask.tenant),
    )
    if ask.key is not None:
        handle = await node.submit(msgspec.structs.replace(signal, key=ask.key))
    else:
        key = call_key(ask.run or NO_RUN, ask.step, ask.kind, _canonical(node, signal))
        handle = await _once(node, ask, signal, key)
    outcome = None
    if handle.done:
        outcome = await handle.outcome()
    elif handle.verdict.result != "held":
        outcome = await _waited(handle, ask.wait_s)
    return told(handle.id, handle.verdict, outcome, duplicate=handle.duplicate)


async def _once(node: Node, ask: asks.Call, signal: Signal, base: str) -> Handle:
    """The decision that this call is: the last try of it, or a new one where that had no effect or is long done."""
    tried = await _tries(node, signal, base)
    if tried:
        handle = await node.submit(msgspec.structs.replace(signal, key=nth(base, tried - 1)))
        if not (handle.duplicate and handle.done):
            return handle
        outcome = await handle.outcome()
        if not _anew(node, ask, handle, outcome) or (ask.run is not None and tried >= TRIES_MAX):
            return handle
    return await node.submit(msgspec.structs.replace(signal, key=nth(base, tried)))


def _anew(node: Node, ask: asks.Call, handle: Handle, outcome: Outcome | None) -> bool:
    """Whether the call is made anew, its last try being over."""
    governed = node.app.governed.get(ask.kind)
    verdict, result = handle.verdict, None if outcome is None else outcome.result
    certain = governed is not None and governed.failed_is_certain
    if tries_again(verdict.result, verdict.code, result, failed_is_certain=certain):
        return True
    over_us = verdict.at_us if outcome is None else outcome.at_us
    return ask.run is None and node.clock.wall_us() - over_us > ask.again_after_s * 1e6


async def _tries(node: Node, signal: Signal, base: str) -> int:
    """How often the call was tried; keys of tries follow one another, so that few look-ups tell."""
    journal = node.journal

    async def there(count: int) -> bool:
        return bool(await journal.find(signal.tenant, signal.source, nth(base, count - 1)))

    low, high = 0, 1
    while await there(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await there(middle) else (low, middle)
    return low


def _canonical(node: Node, signal: Signal) -> bytes:
    """Arguments that mean the same in the same text; those that do not fit are refused with their reason later."""
    shaper = node.pipeline.decisions.shapers.get(signal.kind)
    payload = signal.payload or b""
    if shaper is not None:
        with suppress(MalformedError):
            return shaper.canonical(payload)
    return _sorted(msgspec.json.decode(payload))


async def became(node: Node, sight: Sight, ask: asks.Outcome) -> dict[str, Any]:
    """What became of a decision: at once where it is known, and within `wait_s` where it comes in that time.

    Raises:
        NotFoundError: there is none of this id or key, or it is another source's.
    """
    journal = node.journal
    id_ = await sight.decision(journal, ask.what, ask.tenant)
    record = await record_of(journal, id_)
    if ask.source is not None and record is not None and record.source != sight.source(ask.source):
        raise NotFoundError(f"no decision has the id or key {ask.what!r}")
    found = journal.state.find(id_)
    if found is not None and ask.wait_s > 0:
        handles = node.pipeline.handles
        handle = handles.follow(found.decision, found.verdict)
        try:
            outcome = await _waited(handle, ask.wait_s)
        finally:
            handles.leave(handle)
        found = journal.state.find(id_)
        if outcome is not None or handle.done:
            return told(id_, handle.verdict, outcome)
    if found is not None:
        return told(id_, found.verdict, None)
    rows = await journal.history(id_)
    verdicts = [row.verb.verdict for row in rows if isinstance(row.verb, Admit)]
    if not verdicts:
        raise NotFoundError(f"decision {id_text(id_)} is not in this journal any more")
    return told(id_, verdicts[-1], await _closed(journal, id_, rows))


async def _closed(journal: Journal, id_: int, rows: list[HistoryRow]) -> Outcome | None:
    """The outcome of a closed decision, which stands in the feed at the fact that closed it."""
    for row in reversed(rows):
        for found in await journal.outcomes(None, row.seq - 1, 1):
            if found.decision == id_:
                return found.outcome
    return None


async def _waited(handle: Handle, wait_s: float) -> Outcome | None:
    if wait_s <= 0:
        return None
    with suppress(TimeoutError):
        async with asyncio.timeout(min(wait_s, WAIT_S_MAX)):
            return await handle.outcome()
    return None


def told(id_: int | None, verdict: Verdict, outcome: Outcome | None, *, duplicate: bool = False) -> dict[str, Any]:
    """A decision as whoever called it is told: how it stands, the result, or why not and what would be allowed."""
    name = None if id_ is None else id_text(id_)
    refusal = refusal_of(verdict, outcome, decision=name, duplicate=duplicate)
    return {
        "id": name,
        "status": "succeeded" if refusal is None else refusal.status,
        "duplicate": duplicate,
        "verdict": verdict_data(verdict),
        "outcome": None if outcome is None else outcome_data(outcome),
        "refusal": None if refusal is None else {**refusal.data(), "text": refusal.text()},
    }
