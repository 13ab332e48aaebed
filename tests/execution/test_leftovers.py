"""What a deploy takes away stops nobody, and what has ended leaves nothing behind."""

import asyncio
from dataclasses import dataclass
from typing import Any

from lictor import App, Call, EffectFailed, Node, Settings, all_or_compensate, allow, pending
from lictor.execution.agenda import Agenda
from lictor.execution.tokens import BUCKETS_MAX, Tokens
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.records import Take
from lictor.runtime.clock import SystemClock

QUICK = Settings(drain_s=0.0)


@dataclass(frozen=True)
class Do:
    what: int = 1


async def done(call: Call, what: int) -> None:
    """Nothing."""


def app_of(perform: Any, *, rated: bool = False) -> App:
    app = App("deploys", version="1")
    app.decision(expires_in_s=36_000)(Do)
    rate = app.rate("calls", per_hour=1) if rated else None
    app.gate(Do)(lambda do, state: allow(rate.take()) if rate is not None else allow())
    effector = app.effector(idempotent=True, timeout_s=5, slots=1, name="do")(perform)
    app.plan(Do)(lambda do: effector.action(do.what))
    return app


async def until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0)


def test_work_that_waits_for_a_rate_goes_on_when_a_deploy_has_removed_the_rate():
    disk = MemoryDisk()

    async def main():
        async with Node(app_of(done, rated=True), MemoryJournal(disk), settings=QUICK) as node:
            await node.submit_many([Do(n) for n in range(3)])
            await asyncio.wait_for(until(lambda: len(node.journal.state.open) == 2), 10)  # one took the only token
        async with Node(app_of(done), MemoryJournal(disk), settings=QUICK) as node:
            await asyncio.wait_for(until(lambda: not node.journal.state.open), 10)
            return node.failure, [row.outcome.result for row in await node.outcomes()]

    assert asyncio.run(main()) == (None, ["succeeded"] * 3)


def test_cancelling_what_has_started_and_is_not_declared_any_more_does_not_say_that_it_has_ended():
    disk = MemoryDisk()

    async def at_work(call: Call, what: int) -> Any:
        return pending("there", poll_after_s=600)

    async def main():
        async with Node(app_of(at_work), MemoryJournal(disk), settings=QUICK) as node:
            decision = (await node.submit(Do())).id
            await asyncio.wait_for(until(lambda: node.journal.state.open[decision].actions[0].state == "pending"), 10)
        async with Node(App("deploys", version="2"), MemoryJournal(disk), settings=QUICK) as node:
            return await node.cancel(decision, by="ann"), decision in node.journal.state.open

    assert asyncio.run(main()) == (False, True)


def test_nothing_is_undone_by_an_effector_that_is_halted():
    app, undone = App("undoes", version="1"), []
    app.decision(expires_in_s=600)(Do)
    go_on = asyncio.Event()
    first = app.effector(idempotent=True, timeout_s=5, name="first")(done)

    @first.compensate
    async def undo(call: Call, what: int) -> None:
        undone.append(call.key)

    @app.effector(idempotent=True, timeout_s=5)
    async def second(call: Call) -> None:
        await go_on.wait()
        raise EffectFailed("no")

    @second.compensate
    async def nothing(call: Call) -> None:
        """Nothing to undo."""

    @app.plan(Do)
    def both(do: Do) -> Any:
        action = first.action(do.what)
        return all_or_compensate(action, second.action().after(action))

    async def main():
        async with Node(app, settings=QUICK) as node:
            handle = await node.submit(Do())
            found = node.journal.state.open[handle.id]
            await asyncio.wait_for(until(lambda: found.actions[1].state == "started"), 10)
            await node.halt("effector:first", by="ann")
            go_on.set()
            await asyncio.wait_for(until(lambda: found.state == "compensating"), 10)
            await node.halt("effector:second", by="ann")  # a turn more
            before = list(undone)
            await node.resume("effector:first", by="ann")
            return before, (await asyncio.wait_for(handle.outcome(), 10)).result

    assert asyncio.run(main()) == ([], "compensated")
    assert len(undone) == 1


def test_a_name_that_two_actions_share_stays_with_the_one_that_is_open():
    async def at_work(call: Call, what: int) -> Any:
        return pending("shared", poll_after_s=600)

    async def main():
        async with Node(app_of(at_work), settings=QUICK) as node:
            first, second = await node.submit_many([Do(1), Do(2)])
            states = node.journal.state.open
            for handle in (first, second):
                await asyncio.wait_for(until(lambda h=handle: states[h.id].actions[0].state == "pending"), 10)
            refs = node.pipeline.execution.resolution.refs
            named = refs["shared"][0].open.decision.id
            other = first.id if named == second.id else second.id
            node.pipeline.execution.ended(other)
            return refs["shared"][0].open.decision.id == named

    assert asyncio.run(main())


def test_the_agenda_forgets_what_has_ended():
    agenda, known = Agenda(), set()
    for number in range(100_000):
        agenda.add(1_000_000 + number, "expire", number)
        known.add(number)
        known.discard(number - 10)
        agenda.trim(known)
    assert len(agenda) < 2_100
    assert {decision for _, decision, _ in agenda.due(2_000_000)} >= known


def test_a_new_bucket_does_not_look_through_all_others_each_time():
    rates = app_of(done, rated=True).rates
    tokens = Tokens(rates, SystemClock(), lambda work: None)
    looked = []
    forget = tokens._forget
    tokens._forget = lambda now: (looked.append(now), forget(now))
    for number in range(2 * BUCKETS_MAX + 10):
        assert tokens.take((Take("calls", f"scope-{number}", 1.0),))  # none of them is idle for an hour
    assert len(looked) == 2


def test_work_that_expires_before_an_effector_that_hangs_does_not_pile_up():
    app = App("hangs", version="1")
    app.decision(expires_in_s=0.2)(Do)

    @app.effector(idempotent=False, timeout_s=60, slots=1)
    async def hangs(call: Call, what: int) -> None:
        await asyncio.Event().wait()

    app.plan(Do)(lambda do: hangs.action(do.what))

    async def main():
        async with Node(app, settings=QUICK) as node:
            lane, state = node.pipeline.execution.lanes["hangs"], node.journal.state
            admitted = 0
            while admitted < 4_000:
                admitted += sum(handle.admitted for handle in await node.submit_many([Do(n) for n in range(500)]))
                await asyncio.wait_for(until(lambda: len(state.open) <= 1), 10)
            return lane.ready.size

    assert asyncio.run(main()) < 1_600


def test_work_that_expires_while_it_waits_for_tokens_does_not_pile_up(monkeypatch):
    app = App("short", version="1")
    app.decision(expires_in_s=0.2)(Do)
    rate = app.rate("calls", per_hour=1)
    app.gate(Do)(lambda do, state: allow(rate.take()))
    effector = app.effector(idempotent=True, timeout_s=60, slots=1_000, name="do")(done)
    app.plan(Do)(lambda do: effector.action(do.what))

    async def main():
        async with Node(app, settings=QUICK) as node:
            monkeypatch.setattr(node.pipeline.execution.tokens, "wait_s", lambda takes, decision: 0.0)  # lets all in
            admitted = 0
            while admitted < 4_000:
                admitted += sum(handle.admitted for handle in await node.submit_many([Do(n) for n in range(500)]))
                await asyncio.wait_for(until(lambda: not node.journal.state.open), 10)
            return sum(bucket.waiting.size for bucket in node.pipeline.execution.tokens._buckets.values())

    assert asyncio.run(main()) < 1_600


def test_decisions_whose_lookups_are_slow_are_bounded():
    app = App("slow", version="1")
    app.decision(expires_in_s=600)(Do)
    answer = asyncio.Event()

    @app.lookup(Do, timeout_s=60)
    async def slow(do: Do) -> int:
        await answer.wait()
        return 1

    app.gate(Do)(lambda do, state: allow() if state[slow] else None)
    effector = app.effector(idempotent=True, timeout_s=60, name="do")(done)
    app.plan(Do)(lambda do: effector.action(do.what))

    async def main():
        async with Node(app, settings=Settings(drain_s=0.0, waiting_max=50)) as node:
            first = [asyncio.ensure_future(node.submit(Do(n))) for n in range(50)]
            await asyncio.wait_for(until(lambda: node.pipeline.validation.asked == 50), 10)
            shed = await node.submit(Do(50))
            answer.set()
            later = [handle.admitted for handle in await asyncio.gather(*first)]
            return shed.verdict.code, all(later), (await node.submit(Do(51))).admitted

    assert asyncio.run(main()) == ("OVERLOADED", True, True)
