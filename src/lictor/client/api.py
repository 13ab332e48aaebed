"""Every call of the API as steps: what is sent, when it may be sent again, what the answer is.

`again` says of each call whether it may arrive twice. Reads may. A submit may if it has a key. What sets something to a
value may; what answers a person's question (approve, deny, discard) may not, because the second time means something
else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from .answers import (
    Answered,
    Budgets,
    Cancelled,
    Decision,
    Outcome,
    Outcomes,
    Quarantined,
    Standing,
    Stopped,
    Story,
    Submitted,
    Verdict,
)
from .failures import ApiError, UnreachableError
from .signals import Signal, encode
from .sse import Reading
from .steps import END, Give, Line, Manner, Pause, Problem, Send, Steps, Take, ask, error_of, read

NDJSON = "application/x-ndjson"
#: So many bytes of a stream are sent at most before their answers are read: what every connection can hold, so that
#: neither side ever waits for the other to read.
CHUNK_BYTES = 48 << 10
#: Decisions on one page, outcomes in one answer.
PAGE = 500
#: The feed is asked again after so long without news.
FEED_WAIT_S = 25.0


class Page(msgspec.Struct, frozen=True):
    """One page of decisions; `next` is the last id, None where there is no more."""

    decisions: tuple[Decision, ...]
    next: str | None = None


class _Entries(msgspec.Struct, frozen=True):
    entries: tuple[Quarantined, ...]


class _Halts(msgspec.Struct, frozen=True):
    halts: tuple[Stopped, ...]


class _Standing(msgspec.Struct, frozen=True):
    standing: tuple[Standing, ...]


class _Withdrawn(msgspec.Struct, frozen=True):
    withdrawn: tuple[Standing, ...]


class _Resumed(msgspec.Struct, frozen=True):
    was_halted: bool


class _Resolved(msgspec.Struct, frozen=True):
    new: bool


class _Sources(msgspec.Struct, frozen=True):
    sources: tuple[dict[str, Any], ...]


class _Line(msgspec.Struct, frozen=True):
    """One answer of a stream: a verdict, or what is wrong with the line."""

    line: int
    id: str | None = None
    duplicate: bool = False
    verdict: Verdict | None = None
    outcome: Outcome | None = None
    error: Problem | None = None


# -- submit -----------------------------------------------------------------------------------------------------------


def submit(signal: Signal, wait_s: float | None, manner: Manner) -> Steps[Submitted]:
    """One decision and its verdict; a shed one is sent again while patience lasts, because it was not taken."""
    query = {} if wait_s is None else {"wait_s": f"{wait_s:g}"}
    safe = signal.key is not None
    send = Send("POST", "/v1/decisions", query, encode(signal), again=safe, wait_s=wait_s or 0.0)
    reply = yield from ask(send, manner)
    return read(Submitted, reply.body)


def submit_many(manner: Manner) -> Steps[None]:
    """Every decision that is taken, and for each its verdict, in order; or the error that its line is."""
    waiting: list[Signal] = []
    lines: list[bytes] = []
    size = 0
    while (signal := (yield Take())) is not END:
        line = encode(signal) + b"\n"
        if waiting and size + len(line) > CHUNK_BYTES:
            yield from _chunk(waiting, lines, manner)
            waiting, lines, size = [], [], 0
        waiting.append(signal)
        lines.append(line)
        size += len(line)
    if waiting:
        yield from _chunk(waiting, lines, manner)


def _chunk(signals: list[Signal], lines: list[bytes], manner: Manner) -> Steps[None]:
    """Lines that are answered before the next ones are sent; those that were shed are sent again, with patience."""
    told: dict[int, Submitted | ApiError] = {}
    tried = 0
    while open_ := [place for place in range(len(signals)) if _again(told.get(place))]:
        tried += 1
        body = b"".join(lines[place] for place in open_)
        keyed = all(signals[place].key is not None for place in open_)
        reply = yield from ask(Send("POST", "/v1/decisions", {}, body, NDJSON, again=keyed), manner)
        for place, line in zip(open_, reply.body.splitlines(), strict=False):
            told[place] = _line(read(_Line, line))
        if missing := [place for place in open_ if place not in told]:
            raise UnreachableError(f"{len(missing)} of {len(open_)} lines were not answered", unknown=True)
        shed = [found for place in open_ if _again(found := told[place]) and isinstance(found, Submitted)]
        if not shed:
            break
        after_s = max((one.verdict.retry_after_s or 0.0 for one in shed), default=0.0)
        wait_s = manner.patience.wait_s(tried, after_s, manner.draw)
        if wait_s is None:
            break
        yield Pause(wait_s)
    for place in range(len(signals)):
        yield Give(told[place])


def _again(told: Submitted | ApiError | None) -> bool:
    """It has no answer yet, or was not taken."""
    return told is None or (isinstance(told, Submitted) and told.verdict.result == "shed")


def _line(line: _Line) -> Submitted | ApiError:
    if line.verdict is None:
        told = line.error or Problem(detail="a line without a verdict")
        return error_of(told, told.status)
    return Submitted(id=line.id, duplicate=line.duplicate, verdict=line.verdict, outcome=line.outcome)


# -- look -------------------------------------------------------------------------------------------------------------


def story(what: str, tenant: str | None, manner: Manner) -> Steps[Story]:
    """What happened to one decision."""
    reply = yield from ask(Send("GET", _decision(what), _given(tenant=tenant)), manner)
    return read(Story, reply.body)


def decisions(filters: Mapping[str, Any], limit: int | None, manner: Manner) -> Steps[None]:
    """Decisions, newest first, page by page; at most `limit`."""
    after: str | None = None
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        query = _given(**filters, after=after, limit=size)
        reply = yield from ask(Send("GET", "/v1/decisions", query), manner)
        page = read(Page, reply.body)
        for found in page.decisions:
            yield Give(found)
        left = None if left is None else left - len(page.decisions)
        after = page.next
        if after is None:
            return


def outcomes(after: int, source: str | None, limit: int, wait_s: float, manner: Manner) -> Steps[Outcomes]:
    """Outcomes after a cursor; waits for news where there are none."""
    query = _given(after=after, source=source, limit=limit, wait_s=f"{wait_s:g}")
    reply = yield from ask(Send("GET", "/v1/outcomes", query, wait_s=wait_s), manner)
    return read(Outcomes, reply.body)


def follow(after: int, source: str | None, manner: Manner) -> Steps[None]:
    """Every outcome after a cursor, and then each new one, without end."""
    while True:
        found = yield from outcomes(after, source, PAGE, FEED_WAIT_S, manner)
        for row in found.outcomes:
            yield Give(row)
        after = found.after


def data(path: str, manner: Manner) -> Steps[Any]:
    """An answer that has no record of its own, as plain data."""
    reply = yield from ask(Send("GET", path), manner)
    return read(Any, reply.body)


def budgets(manner: Manner) -> Steps[Budgets]:
    """Balances."""
    reply = yield from ask(Send("GET", "/v1/budgets"), manner)
    return read(Budgets, reply.body)


def halts(manner: Manner) -> Steps[tuple[Stopped, ...]]:
    """What is halted."""
    reply = yield from ask(Send("GET", "/v1/halts"), manner)
    return read(_Halts, reply.body).halts


def sources(manner: Manner) -> Steps[tuple[dict[str, Any], ...]]:
    """Who decides."""
    reply = yield from ask(Send("GET", "/v1/sources"), manner)
    return read(_Sources, reply.body).sources


def quarantine(source: str | None, limit: int, manner: Manner) -> Steps[tuple[Quarantined, ...]]:
    """What is kept aside."""
    reply = yield from ask(Send("GET", "/v1/quarantine", _given(source=source, limit=limit)), manner)
    return read(_Entries, reply.body).entries


def kept(entry: str, manner: Manner) -> Steps[Quarantined]:
    """One entry, with its signal."""
    reply = yield from ask(Send("GET", f"/v1/quarantine/{quote(entry, safe='')}"), manner)
    return read(Quarantined, reply.body)


# -- steer ------------------------------------------------------------------------------------------------------------


def answer(
    what: str, body: Mapping[str, Any], tenant: str | None, manner: Manner, *, approved: bool
) -> Steps[Answered]:
    """A person's answer: given once, since the second time it is denied as one too many."""
    path = f"{_decision(what)}/{'approve' if approved else 'deny'}"
    reply = yield from ask(_post(path, body, _given(tenant=tenant), again=False), manner)
    return read(Answered, reply.body)


def standing(limit: int, manner: Manner) -> Steps[tuple[Standing, ...]]:
    """What is approved again without asking."""
    reply = yield from ask(Send("GET", "/v1/standing", _given(limit=limit)), manner)
    return read(_Standing, reply.body).standing


def withdraw(what: str, gate: str | None, tenant: str | None, manner: Manner) -> Steps[tuple[Standing, ...]]:
    """Ask a person again; the second time there is nothing to withdraw."""
    path = f"/v1/standing/{quote(what, safe='')}"
    reply = yield from ask(Send("DELETE", path, _given(gate=gate, tenant=tenant), again=False), manner)
    return read(_Withdrawn, reply.body).withdrawn


def cancel(what: str, reason: str, tenant: str | None, manner: Manner) -> Steps[Cancelled]:
    """Ask to cancel; asking twice is asking once."""
    reply = yield from ask(_post(f"{_decision(what)}/cancel", {"reason": reason}, _given(tenant=tenant)), manner)
    return read(Cancelled, reply.body)


def resolve(what: str, body: Mapping[str, Any], tenant: str | None, manner: Manner) -> Steps[bool]:
    """News of an action; counts once if it names its report."""
    safe = body.get("report") is not None
    reply = yield from ask(_post(f"{_decision(what)}/resolve", body, _given(tenant=tenant), again=safe), manner)
    return read(_Resolved, reply.body).new


def halt(scope: str, reason: str, manner: Manner, *, reduce_only: bool) -> Steps[Stopped]:
    """The kill switch."""
    body = {"scope": scope, "reason": reason, "reduce_only": reduce_only}
    reply = yield from ask(_post("/v1/halts", body), manner)
    return read(Stopped, reply.body)


def resume(scope: str, reason: str, manner: Manner) -> Steps[bool]:
    """Go on."""
    reply = yield from ask(Send("DELETE", "/v1/halts", {"scope": scope, "reason": reason}), manner)
    return read(_Resumed, reply.body).was_halted


def set_limit(budget: str, body: Mapping[str, Any], manner: Manner) -> Steps[None]:
    """Another limit."""
    path = f"/v1/budgets/{quote(budget, safe='')}/limit"
    yield from ask(Send("PUT", path, {}, encode(body)), manner)


def reset_latch(budget: str, scope: str, manner: Manner) -> Steps[None]:
    """Open again after an overrun."""
    yield from ask(_post(f"/v1/budgets/{quote(budget, safe='')}/reset", {"scope": scope}), manner)


def reinstate(source: str, reason: str, manner: Manner) -> Steps[None]:
    """Admit again what a demoted source decides."""
    path = f"/v1/sources/{quote(source, safe='')}/reinstate"
    yield from ask(_post(path, {"reason": reason}, again=False), manner)


def replay(entry: str, payload: Any, manner: Manner) -> Steps[Submitted]:
    """Through the door again; it keeps a key, so that it is submitted once."""
    path = f"/v1/quarantine/{quote(entry, safe='')}/replay"
    reply = yield from ask(_post(path, {} if payload is None else {"payload": payload}), manner)
    return read(Submitted, reply.body)


def discard(entry: str, manner: Manner) -> Steps[None]:
    """Out for good."""
    yield from ask(_post(f"/v1/quarantine/{quote(entry, safe='')}/discard", {}, again=False), manner)


def rehearse(body: Mapping[str, Any], manner: Manner) -> Steps[Any]:
    """Which verdicts of the past the rules in force would change; performs nothing."""
    reply = yield from ask(_post("/v1/rehearse", body), manner)
    return read(Any, reply.body)


# -- listen -----------------------------------------------------------------------------------------------------------


def events(manner: Manner) -> Steps[None]:
    """Everything that changes, without end; comes back after the last event where the connection breaks."""
    reading = Reading()
    while True:
        headers = {"accept": "text/event-stream"}
        if reading.last_id is not None:
            headers["last-event-id"] = reading.last_id
        yield from ask(Send("GET", "/v1/events", headers=headers), manner, listen=True)
        while (line := (yield Line())) is not None:
            if (event := reading.line(line)) is not None:
                yield Give(event)
        yield Pause(reading.retry_s or manner.draw(0.0, 1.0))


def _decision(what: str) -> str:
    return f"/v1/decisions/{quote(what, safe='')}"


def _post(path: str, body: Any, query: Mapping[str, str] | None = None, *, again: bool = True) -> Send:
    return Send("POST", path, query or {}, encode(body), again=again)


def _given(**values: Any) -> dict[str, str]:
    """What is not None, as text."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
