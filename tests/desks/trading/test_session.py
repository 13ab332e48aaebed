"""The whole desk against a real venue over real TCP: what becomes of decisions, orders and doubts."""

import asyncio
from collections import Counter

import pytest
from tests.desks.trading.desk import decided, desk, look, outcome_of, trade, until
from tests.desks.trading.venue.process import VenueProcess

from lictor.desks.trading.kinds import Withdraw
from lictor.desks.trading.market import BUY, QTY_PER_BTC, SELL
from lictor.desks.trading.venue.truth import doubles, positions, read_truth

CALM_S = "610"  # a tick between bid and ask, and nothing happens for a while


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with VenueProcess(tmp_path_factory.mktemp("venue"), *NAMED, "--skip-s", CALM_S) as running:
        yield running


NAMES = [f"D{number}" for number in range(20)]
NAMED = [option for name in NAMES for option in ("--client", name)]


@pytest.fixture(scope="module")
def names():
    free = iter(NAMES)
    return lambda: next(free)


def arrivals(venue, sender):
    return Counter(r["key"] for r in read_truth(venue.truth) if r["event"] == "arrival" and r["client"] == sender)


def settled(session, balance):
    return session.node.journal.state.balances[balance.name, session.policy.instrument].settled(None)


def agrees(session, venue):
    """Venue, blotter and both balances say the same."""
    told = positions(venue.truth).get(session.place.sender, {"qty": 0, "money": 0})
    long, short = settled(session, session.means.long), settled(session, session.means.short)
    return (told["qty"], told["money"]) == (session.blotter.position, session.blotter.cash) and (
        long == told["qty"] == -short
    )


def test_a_trade_is_sliced_filled_measured_and_settled(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, sender=names()) as session:
            qty = 5 * QTY_PER_BTC // 100
            handle = await decided(session, trade(session, BUY, qty))
            assert handle.admitted, handle.verdict
            outcome = await outcome_of(session, venue, handle)
            assert outcome.result == "succeeded"
            orders = [value for value in outcome.value if isinstance(value, dict) and "fills" in value]
            assert len(orders) == 3
            assert sum(order["filled"] for order in orders) == qty
            mark = outcome.value[-1]
            assert mark["shortfall"]["identity_error"] == 0
            assert mark["shortfall"]["filled"] == qty
            assert mark["shortfall"]["parts_bps"]["spread"] > 0
            assert agrees(session, venue)
            assert settled(session, session.means.long) == qty

    asyncio.run(main())


def test_a_patient_trade_rests_and_then_takes_what_is_left(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, sender=names()) as session:
            handle = await decided(session, trade(session, SELL, edge_bps=0.39))
            assert handle.admitted, handle.verdict
            await until(lambda: session.blotter.resting)
            outcome = await outcome_of(session, venue, handle)
            rested, took = outcome.value[0], outcome.value[1]
            assert (rested["status"], rested["filled"]) == ("canceled", 0)
            assert took["filled"] == QTY_PER_BTC // 100
            assert not session.blotter.resting
            assert agrees(session, venue)

    asyncio.run(main())


def test_a_lost_acknowledgement_ends_in_doubt_is_reconciled_and_not_sent_twice(venue, names, tmp_path):
    async def main():
        sender = names()
        async with desk(venue, tmp_path, sender=sender, journal=str(tmp_path / "journal.db")) as session:
            venue.tell("fault", kind="drop_acks", count=1)
            handle = await decided(session, trade(session, BUY))
            outcome = await outcome_of(session, venue, handle)
            assert outcome.result == "succeeded"
            events = [
                act.event
                for row in await session.node.journal.history(handle.id)
                for act in getattr(row.verb, "acts", ())
            ]
            assert "doubt" in events
            counts = session.conversation.counts
            assert counts.in_doubt == counts.reconciled >= 1
            assert set(arrivals(venue, sender).values()) == {1}
            assert agrees(session, venue)

    asyncio.run(main())


def test_a_connection_that_breaks_after_the_venue_took_the_order_doubles_nothing(venue, names, tmp_path):
    async def main():
        sender = names()
        async with desk(venue, tmp_path, sender=sender) as session:
            venue.tell("fault", kind="cut_after_accept", count=1)
            handle = await decided(session, trade(session, BUY))
            outcome = await outcome_of(session, venue, handle)
            assert outcome.result == "succeeded"
            counts = session.conversation.counts
            assert counts.in_doubt == counts.reconciled >= 1
            assert set(arrivals(venue, sender).values()) == {1}
            assert not [name for name in doubles(venue.truth) if name.startswith(f"{sender}/")]
            assert agrees(session, venue)

    asyncio.run(main())


def test_repeated_reports_settle_once(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, sender=names()) as session:
            venue.tell("fault", kind="duplicate_reports", count=4)
            handle = await decided(session, trade(session, SELL))
            await outcome_of(session, venue, handle)
            assert agrees(session, venue)
            venue.tell("fault", kind="duplicate_reports", count=0)

    asyncio.run(main())


def test_withdrawing_a_trade_keeps_what_is_true_of_it(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, sender=names()) as session:
            handle = await decided(session, trade(session, BUY, edge_bps=0.39, name="regretted"))
            await until(lambda: session.blotter.resting)
            await session.submit(Withdraw(handle.id, "a test"), "desk")
            outcome = await outcome_of(session, venue, handle)
            assert outcome.result == "cancelled"
            assert not session.blotter.resting
            assert session.blotter.position == 0
            assert agrees(session, venue)

    asyncio.run(main())


def test_a_venue_that_is_halted_rejects_and_the_trade_fails_by_its_code(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, sender=names()) as session:
            venue.tell("halt")
            try:
                handle = await decided(session, trade(session, BUY, 3 * QTY_PER_BTC // 100))
                outcome = await outcome_of(session, venue, handle)
            finally:
                venue.tell("resume")
            assert (outcome.result, outcome.code) == ("failed", "HALTED")
            assert session.conversation.counts.rejected == 1
            assert agrees(session, venue)

    asyncio.run(main())


def test_flattening_closes_the_position_under_reduce_only(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, sender=names()) as session:
            handle = await decided(session, trade(session, BUY))
            await outcome_of(session, venue, handle)
            await session.node.halt("all", by="a person", reduce_only=True)
            await look(session, venue)
            refused = await decided(session, trade(session, BUY, name="two"))
            assert refused.verdict.code == "REDUCE_ONLY"
            flat = await session.flatten("a test")
            assert flat.admitted, flat.verdict
            await flat.outcome()
            assert session.blotter.position == 0
            assert agrees(session, venue)

    asyncio.run(main())


def test_too_many_executions_halt_the_source_until_a_named_person_lets_it_go_on(venue, names, tmp_path):
    async def main():
        from dataclasses import replace

        from tests.desks.trading.desk import POLICY

        policy = replace(POLICY, executions_max=2, executions_window_s=60.0)
        async with desk(venue, tmp_path, sender=names(), policy=policy) as session:
            first = await decided(session, trade(session, BUY, 3 * QTY_PER_BTC // 100))
            await outcome_of(session, venue, first)
            second = await decided(session, trade(session, SELL, name="two"))
            assert second.verdict.code == "HALTED"
            await session.reenable("tested", by="a person")
            third = await decided(session, trade(session, SELL, name="three"))
            assert third.admitted, third.verdict

    asyncio.run(main())
