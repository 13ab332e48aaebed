"""Makes a journal of any number of decisions, closed and open, as the engine would have left it, in minutes.

    python -m benchmarks.scale.fill out/scale/ten-million.db --closed 10_000_000 --open 50_000 --tenants 10_000

A real node decides one decision of each tenant on the file first: declaration, limits, rulings, plan and settlement
are the engine's own. What follows copies these facts with other ids, keys, contents, times and fences, and hands them
to the journal's `write` in batches: decided, folded, hashed, indexed and stored as any others. Nothing is written past
the port. The App is that of the speed benchmark, so that `benchmarks.speed` can go on on the file.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.speed.lictor_arm import build
from lictor import Node, Settings, Signal
from lictor.journal import port
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.records import Lease, Reservation
from lictor.runtime.clock import SystemClock
from lictor.runtime.ids import Ids

#: Decisions of a commit.
BATCH = 1_000
#: Recorded decisions a second: history ends now and begins so much earlier.
PER_SECOND = 10_000
#: How long an open decision still has.
OPEN_FOR_S = 86_400
#: Commits between two records of what was learned.
LEARN_EACH = 10
GATES = 5
SOURCE = "load"

replace = msgspec.structs.replace


class Filled(NamedTuple):
    """What a journal was filled with."""

    closed: int
    still_open: int
    seconds: float


def tenant_name(number: int) -> str:
    """The tenant of a decision, by its number among the tenants."""
    return f"tenant-{number}"


def body(number: int) -> bytes:
    """The content of a decision."""
    return b'{"account":"a-%d","amount":%d,"currency":"EUR","memo":"invoice %d of the month, to be paid at once"}' % (
        number % 1000,
        1 + number % 250,
        number,
    )


class _PastClock(SystemClock):
    """The machine's clock, so many microseconds ago."""

    __slots__ = ("_behind_us",)

    def __init__(self, behind_us: int) -> None:
        self._behind_us = behind_us

    def wall_us(self) -> int:
        return super().wall_us() - self._behind_us


class Pattern:
    """The facts of one real decision, to be told again of others."""

    def __init__(self, admit: port.Admit, close: port.Close) -> None:
        self._admit, self._close = admit, close
        decision = admit.decision
        self._prefix = f"{decision.kind}\0{decision.version}\0".encode()
        self._plans = {}
        (self._action,) = admit.plan.actions
        (self._act,) = close.acts

    def admission(self, number: int, id_: int, tenant: str, key: str, at_us: int) -> port.Admit:
        """The admission of another decision, not begun yet."""
        payload = body(number)
        digest = sha256(self._prefix + tenant.encode() + b"\0" + payload).digest()
        before = self._admit.decision
        decision = replace(
            before,
            id=id_,
            key=key,
            tenant=tenant,
            payload=payload,
            digest=digest,
            submitted_digest=digest,
            received_us=at_us,
            deadline_us=at_us + before.deadline_us - before.received_us,
        )
        (held,) = self._admit.verdict.reservations
        reserved = (Reservation(held.budget, tenant, 1 + number % 250),)
        verdict = replace(self._admit.verdict, at_us=at_us, digest=digest, reservations=reserved)
        account = number % 1000
        plan = self._plans.get(account)
        if plan is None:
            action = replace(self._action, args=(f"a-{account}",))
            plan = self._plans[account] = replace(self._admit.plan, actions=(action,))
        return port.Admit(decision, verdict, plan)

    def started(self, admission: port.Admit, fence: int, until_us: int) -> port.Admit:
        """The same, begun in the transaction that admits it."""
        return port.Admit(admission.decision, admission.verdict, admission.plan, Lease(fence, until_us))

    def waiting(self, admission: port.Admit, for_s: int) -> port.Admit:
        """The same, with so long to begin."""
        decision = admission.decision
        later = replace(decision, deadline_us=decision.received_us + for_s * 1_000_000)
        return port.Admit(later, admission.verdict, admission.plan)

    def end(self, begun: port.Admit, at_us: int) -> port.Close:
        """How it ended."""
        decision, began_us = begun.decision, begun.decision.received_us
        outcome = replace(self._close.outcome, decision=decision.id, at_us=at_us, started_us=began_us)
        act = replace(self._act, fence=begun.lease.fence)
        return port.Close(decision.id, self._close.event, outcome, (act,))


async def pattern(path: Path, tenants: int, behind_us: int) -> Pattern:
    """Let a node decide one decision of each tenant on the file, and read what became of the last."""
    settings = Settings(durability="journal", tune_collector=False, waiting_max=10_000_000, backlog_max=10_000_000)
    node = Node(build(GATES), str(path), settings=settings, clock=_PastClock(behind_us))
    await node.start()
    handles = await node.submit_many(
        Signal(source=SOURCE, kind="Payout", payload=body(0), tenant=tenant_name(number), key=f"first-{number}")
        for number in range(tenants)
    )
    for handle in handles:
        await handle.outcome()
    facts = [row.verb for row in await node.journal.history(handles[-1].id)]
    await node.stop()
    admit = next(fact for fact in facts if isinstance(fact, port.Admit))
    close = next(fact for fact in facts if isinstance(fact, port.Close))
    return Pattern(admit, close)


def keys(seed: int) -> Iterator[str]:
    """Keys as callers make them: 16 random bytes."""
    draw = random.Random(seed)
    while True:
        yield draw.randbytes(16).hex()


async def fill(
    path: Path,
    *,
    closed: int,
    still_open: int = 0,
    tenants: int = 1,
    batch: int = BATCH,
    seed: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> Filled:
    """Make the file; its history ends now. Tenants take turns; decisions that stay open are the youngest.

    The n-th key of `keys(seed)` belongs to the n-th decision, the closed ones first.
    """
    began_s = time.monotonic()
    count = closed + still_open
    behind_us = (count * 1_000_000) // PER_SECOND + tenants * 1_000 + 1_000_000
    told = await pattern(path, tenants, behind_us)
    journal = SqliteJournal(path, durability="journal")
    start_us = time.time_ns() // 1000 - count * 1_000_000 // PER_SECOND
    await journal.open(start_us)
    learned = [row.verb async for row in journal.scan() if isinstance(row.verb, port.Learn)][-1]
    ids, key_of = Ids(), keys(seed)
    running: list[port.Admit] = []
    for first in range(0, count, batch):
        at_us = max(start_us + first * 1_000_000 // PER_SECOND, journal.state.at_us)
        verbs: list[port.Verb] = [told.end(begun, at_us) for begun in running]
        running = []
        for number in range(first, min(first + batch, count)):
            tenant = tenant_name(number % tenants)
            admission = told.admission(number, ids.next(at_us), tenant, next(key_of), at_us)
            if number < closed:
                admission = told.started(admission, journal.state.next_fence(), at_us + 60_000_000)
                running.append(admission)
            else:
                admission = told.waiting(admission, OPEN_FOR_S)
            verbs.append(admission)
        if first // batch % LEARN_EACH == 0:  # as a node does every second; else the next one learns from all of it
            verbs.append(replace(learned, at_us=at_us))
        await _write(journal, verbs, at_us)
        if first // batch % 100 == 99:
            tell(f"{first + batch:,} of {count:,} in {time.monotonic() - began_s:.0f} s")
    at_us = journal.state.at_us
    last = replace(learned, at_us=at_us)
    await _write(journal, [*(told.end(begun, at_us) for begun in running), last], at_us)
    await journal.close()
    return Filled(closed, still_open, time.monotonic() - began_s)


async def _write(journal: SqliteJournal, verbs: list[port.Verb], at_us: int) -> None:
    for verb, answer in zip(verbs, await journal.write(verbs, at_us), strict=True):
        if not answer.ok or (answer.verdict is not None and answer.verdict.code is not None):
            raise RuntimeError(f"the journal refused {verb}: {answer}")
    journal.state.finished.clear()
    await journal.rest()


def main() -> None:
    """Make what the arguments describe."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.fill", description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, help="the file to make")
    parser.add_argument("--closed", type=int, default=1_000_000, help="decisions that have ended")
    parser.add_argument("--open", type=int, default=0, help="decisions that are admitted and have not begun")
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--batch", type=int, default=BATCH, help="decisions of a commit")
    parser.add_argument("--seed", type=int, default=1, help="what keys are drawn from")
    options = parser.parse_args()
    if options.path.exists():
        parser.error(f"there is already something at {options.path}")
    options.path.parent.mkdir(parents=True, exist_ok=True)
    filled = asyncio.run(
        fill(
            options.path,
            closed=options.closed,
            still_open=options.open,
            tenants=options.tenants,
            batch=options.batch,
            seed=options.seed,
            tell=lambda line: print(line, flush=True),
        )
    )
    megabytes = options.path.stat().st_size / 1e6
    print(f"{filled.closed:,} closed and {filled.still_open:,} open in {filled.seconds:.0f} s, {megabytes:,.0f} MB")


if __name__ == "__main__":
    main()
