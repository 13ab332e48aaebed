"""One turn: what it writes in which order, and how many rows a decision costs."""

from collections import Counter

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import allow


def events(rig, decision=None):
    return [row.event for row in rig.disk.rows if decision in (None, row.decision)]


def test_a_decision_with_one_action_costs_two_rows():
    async def main(rig):
        await rig.start(payouts(rig.world))
        before = len(rig.disk.rows)
        handle = await rig.submit(Payout("a"), key="k")
        await rig.on(handle.outcome())
        mine = [row for row in rig.disk.rows[before:] if row.event != "learn"]  # lessons have rows of their own
        assert [row.event for row in mine] == ["admit", "close"]
        assert mine[0].commit < mine[1].commit

    simulate(main)


def test_what_arrives_together_is_committed_together():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=100))
        before = rig.disk.commits
        handles = await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(100)]))
        for handle in handles:
            await rig.on(handle.outcome())
        assert rig.disk.commits - before <= 12  # for 200 facts

    simulate(main)


def test_a_turn_is_bounded():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=100), turn_max=10)
        before = rig.disk.commits
        await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(100)]))
        admitted = Counter(row.commit for row in rig.disk.rows if row.event == "admit" and row.commit > before)
        assert max(admitted.values()) == 10

    simulate(main)


def test_later_decisions_of_a_turn_see_the_reservations_of_earlier_ones():
    async def main(rig):
        app = payouts(rig.world)
        cash = app.balance("cash", 10)
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        await rig.start(app)
        handles = await rig.on(rig.node.submit_many([Payout("a", 6), Payout("b", 6), Payout("c", 4)]))
        assert [handle.verdict.code for handle in handles] == [None, "BUDGET_EXCEEDED", None]
        assert len({row.commit for row in rig.disk.rows if row.event == "admit"}) == 1

    simulate(main)


def test_a_scope_gets_its_limit_before_its_first_reservation_and_only_once():
    async def main(rig):
        app = payouts(rig.world)
        cash = app.balance("cash", 100, per="tenant")
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        await rig.start(app)
        await rig.on(rig.node.submit_many([Payout("a")] * 5, tenant="acme"))
        await rig.submit(Payout("a"), tenant="acme")
        assert events(rig).count("limit") == 1
        assert events(rig).index("limit") < events(rig).index("admit")

    simulate(main)


def test_a_refusal_leaves_one_row_and_nothing_open():
    async def main(rig):
        app = payouts(rig.world)
        cash = app.balance("cash", 1)
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        node = await rig.start(app)
        handle = await rig.submit(Payout("a", 5))
        assert events(rig, handle.id) == ["admit"]
        assert node.journal.state.open == {}
        assert node.pipeline.execution.lanes["transfer"].free == 8  # the slot that it had taken is back

    simulate(main)


def test_slots_and_tokens_that_a_refused_start_had_taken_come_back():
    async def main(rig):
        app = payouts(rig.world, slots=1)
        cash, calls = app.balance("cash", 1), app.rate("calls", per_minute=1, burst=1)
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount), calls.take()))
        await rig.start(app)
        for _ in range(5):
            assert (await rig.outcome(Payout("a", 5))).code == "BUDGET_EXCEEDED"
        assert (await rig.outcome(Payout("a", 1))).result == "succeeded"
        assert rig.loop.time() < 1

    simulate(main)


@pytest.mark.parametrize("seed", range(10))
def test_the_journal_folds_to_the_live_state(seed):
    """I15: reopening the disk gives the state that the node had in memory."""

    async def main(rig):
        app = payouts(rig.world, kind={"order_by": "account", "expires_in_s": 600}, slots=3)
        cash = app.balance("cash", 40, per="account")
        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        node = await rig.start(app)
        random = rig.loop.streams.of("workload")
        for account in "abc":
            rig.world.says(account, *random.choices(["ok", "retry", "pending", "lost", 3, "fail"], k=8))
        await rig.on(node.submit_many([Payout(random.choice("abc"), random.randint(1, 9)) for _ in range(20)]))
        await rig.settle(random.uniform(0, 12))
        live = node.journal.state
        from lictor.journal.memory import MemoryJournal

        rig.machine.crash()
        folded = await MemoryJournal(rig.disk).open(rig.clock.wall_us())
        assert folded.open.keys() == live.open.keys()
        for decision, found in folded.open.items():
            was = live.open[decision]
            assert (found.state, found.actions, found.held) == (was.state, was.actions, was.held) or [
                (a.state, a.attempts, a.fence, a.code, a.ref, a.settled) for a in found.actions
            ] == [(a.state, a.attempts, a.fence, a.code, a.ref, a.settled) for a in was.actions]
            assert found.held == was.held
        assert {k: (b.limit, b.latched, b.sums) for k, b in folded.balances.items()} == {
            k: (b.limit, b.latched, b.sums) for k, b in live.balances.items()
        }

    simulate(main, seed)
