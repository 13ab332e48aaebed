"""Lists over a journal of a million decisions: server time of each filter, each page, and of the page that shows it.

The journal is made as `benchmarks.scale.fill` makes one, with kinds, sources, tenants, keys, codes and states of many
frequencies among them: some everywhere, some in one decision of a hundred thousand, some together never.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

from benchmarks.scale.fill import GATES, keys, pattern, replace
from benchmarks.speed.lictor_arm import build
from benchmarks.speed.run import percentile
from lictor import Node, Settings
from lictor.journal import port
from lictor.journal.port import Filter
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.records import Decision, Result
from lictor.runtime.ids import Ids

BATCH = 1_000
PER_SECOND = 10_000
Sample = dict[str, float]


def _spread(number: int, draw: random.Random) -> dict[str, str]:
    """Who decides what for whom, some often and some hardly ever."""
    return {
        "kind": "Payout" if draw.random() < 0.9 else "Refund" if draw.random() < 0.999 else "Rare",
        "tenant": f"t-{int(draw.paretovariate(0.5)) % 10_000}",
        "source": "load" if draw.random() < 0.7 else "agent" if draw.random() < 0.9999 else "seldom",
    }


async def fill(path: Path, count: int, seed: int = 1) -> None:
    """Make the file."""
    behind_us = count * 1_000_000 // PER_SECOND + 2_000_000
    told = await pattern(path, 1, behind_us)
    journal = SqliteJournal(path, durability="journal")
    start_us = time.time_ns() // 1000 - count * 1_000_000 // PER_SECOND
    await journal.open(start_us)
    ids, key_of, draw = Ids(), keys(seed), random.Random(seed)
    running: list[port.Admit] = []
    for first in range(0, count, BATCH):
        at_us = max(start_us + first * 1_000_000 // PER_SECOND, journal.state.at_us)
        verbs: list[port.Verb] = [_end(told.end(begun, at_us), begun, draw) for begun in running]
        running = []
        for number in range(first, min(first + BATCH, count)):
            admission = told.admission(number, ids.next(at_us), "tenant-0", next(key_of), at_us)
            fields = _spread(number, draw)
            decision = replace(admission.decision, order_key=None, **fields)
            if fields["source"] == "agent" and draw.random() < 0.2:
                verdict = replace(admission.verdict, result=Result.REFUSED, code="BUDGET_EXCEEDED", reservations=())
                verbs.append(port.Admit(decision, verdict))
                continue
            verdict = replace(admission.verdict, reservations=())
            begun = told.started(
                port.Admit(decision, verdict, admission.plan), journal.state.next_fence(), at_us + 6 * 10**7
            )
            running.append(begun)
            verbs.append(begun)
        await journal.write(verbs, at_us)
        journal.state.finished.clear()
        await journal.tend()
    at_us = journal.state.at_us
    await journal.write([_end(told.end(begun, at_us), begun, draw) for begun in running], at_us)
    while await journal.tend():
        pass
    await journal.close()


def _end(close: port.Close, begun: port.Admit, draw: random.Random) -> port.Close:
    """Some fail, and in ways that some sources and kinds never do."""
    d = begun.decision
    if d.source == "load" and draw.random() < 0.01:
        act = replace(close.acts[0], event="fail", code="TIMEOUT")
        outcome = replace(close.outcome, result="failed", code="TIMEOUT")
        return replace(close, event="fail", outcome=outcome, acts=(act,))
    return close


#: Filters by name: frequent, seldom, together never, by time, by key.
FILTERS: dict[str, dict[str, object]] = {
    "none": {},
    "state succeeded": {"state": "succeeded"},
    "state failed": {"state": "failed"},
    "states": {"state": ("failed", "refused")},
    "kind rare": {"kind": "Rare"},
    "source seldom": {"source": "seldom"},
    "code": {"code": "BUDGET_EXCEEDED"},
    "tenant large": {"tenant": "t-1"},
    "tenant small": {"tenant": "t-9871"},
    "together never": {"source": "load", "code": "BUDGET_EXCEEDED"},
    "together seldom": {"state": "failed", "kind": "Refund", "tenant": "t-7"},
    "all of it": {"state": "failed", "kind": "Payout", "source": "load", "code": "TIMEOUT", "tenant": "t-2"},
    "nowhere": {"source": "nobody"},
    "key": {"key": "no such key"},
    "held": {"state": "held"},
}


def asked(
    draw: random.Random, oldest: int, newest: int, oldest_us: int, newest_us: int
) -> Iterator[tuple[str, Filter]]:
    """Every filter, on the first page, on any other, and in any stretch of time."""
    for name, fields in FILTERS.items():
        yield name, Filter(**fields, limit=51)
        yield name, Filter(**fields, before=draw.randint(oldest, newest), limit=51)
        since_us = draw.randint(oldest_us, newest_us)
        width_us = draw.choice((1_000_000, 60_000_000))
        yield f"{name}, in a time", Filter(**fields, since_us=since_us, until_us=since_us + width_us, limit=51)


async def measure(path: Path, rounds: int, seed: int = 1) -> Sample:
    """Milliseconds of the journal's answer, over all filters and by filter; and of the page."""
    draw = random.Random(seed)
    took_s: dict[str, list[float]] = {}
    async with Node(build(GATES), str(path), settings=Settings(durability="journal")) as node:
        while await node.journal.tend():
            pass
        newest = (await node.journal.decisions(Filter(limit=1)))[0]
        first = await _first(node)
        span = (first.id, newest.id, first.received_us, newest.received_us)
        for _ in range(rounds):
            for name, wanted in asked(draw, *span):
                began_s = time.perf_counter()
                await node.journal.decisions(wanted)
                took_s.setdefault(name, []).append(time.perf_counter() - began_s)
        pages_s = await _pages(node, rounds)
    every = [one for times in took_s.values() for one in times]
    sample = {
        "asked": float(len(every)),
        "p50_ms": 1e3 * percentile(every, 0.5),
        "p99_ms": 1e3 * percentile(every, 0.99),
    }
    sample |= {f"{name} p99_ms": 1e3 * percentile(times, 0.99) for name, times in took_s.items()}
    if pages_s:
        sample |= {"page p50_ms": 1e3 * percentile(pages_s, 0.5), "page p99_ms": 1e3 * percentile(pages_s, 0.99)}
    return sample


async def _first(node: Node) -> Decision:
    """The oldest decision."""
    async with aclosing(node.journal.scan()) as rows:
        async for row in rows:
            if isinstance(row.verb, port.Admit):
                return row.verb.decision
    raise RuntimeError("the journal has no decision")


async def _pages(node: Node, rounds: int) -> list[float]:
    """The decisions page and the API's list as the server answers them, through the whole site and no socket."""
    import httpx2

    from benchmarks.surfaces.server import token
    from lictor.surfaces.http.server import HttpServer

    took_s: list[float] = []
    async with HttpServer(node, port=0) as server:
        headers = {"authorization": f"Bearer {await token(node, ['admin'])}"}
        transport = httpx2.ASGITransport(app=server.app)
        async with httpx2.AsyncClient(transport=transport, base_url=server.url, headers=headers) as http:
            for path in ("/decisions", "/v1/decisions"):
                await http.get(path)  # templates and schemas are compiled once a process
            for number in range(rounds):
                for fields in FILTERS.values():
                    plain = {name: value for name, value in fields.items() if isinstance(value, str)}
                    for path in ("/decisions", "/v1/decisions"):
                        began_s = time.perf_counter()
                        answer = await http.get(path, params=plain)
                        took_s.append(time.perf_counter() - began_s)
                        if answer.status_code != 200 and (number, path) == (0, "/v1/decisions"):
                            raise RuntimeError(f"{path} {plain}: {answer.status_code} {answer.text[:200]}")
    return took_s


__all__ = ["FILTERS", "fill", "measure"]
if __name__ == "__main__":
    import json
    import sys

    path = Path(sys.argv[1])
    if not path.exists():
        asyncio.run(fill(path, int(sys.argv[2])))
    print(json.dumps(asyncio.run(measure(path, int(sys.argv[3]) if len(sys.argv) > 3 else 5))))
