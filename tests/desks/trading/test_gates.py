"""Every question of the seven steps, asked through a node: each refuses what it is there for, by its own code."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from lictor import Node, SystemClock
from lictor.desks.trading.app import World, trading_app
from lictor.desks.trading.blotter import Blotter, content
from lictor.desks.trading.conversation import Conversation
from lictor.desks.trading.deciders import propose
from lictor.desks.trading.kinds import Flatten, Trade, smaller
from lictor.desks.trading.market import BUY, QTY_PER_BTC, SELL, Print, Snapshot
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.tape import Tape

POLICY = Policy()
CLOCK = SystemClock()
BID, ASK = 7_840_000, 7_840_100
DEEP = 5 * QTY_PER_BTC
MODELS = {"good-1": "a person"}


@dataclass
class Bench:
    """An App with a market that a test makes, and a node to ask it; orders have nowhere to go."""

    node: Node
    means: object
    tape: Tape
    blotter: Blotter

    async def ask(self, value, source="model", **options):
        options.setdefault("confidence", getattr(value, "confidence", None))
        return await self.node.submit(value, source=source, **options)


def calm(tape, now_us, *, bid=BID, ask=ASK, qty=DEEP, trades=QTY_PER_BTC):
    """Seventy seconds of a market that moves by a tick now and then and trades a bitcoin."""
    for second in range(-70, 1):
        at_us, up = now_us + second * 1_000_000, 100 * (second % 2) * (second < -1)
        prints = [Print(at_us, bid, trades, BUY)] if second == -5 and trades else []
        tape.feed(Snapshot(at_us, ((bid + up, qty),), ((ask + up, qty),)), prints)


@asynccontextmanager
async def bench(*, policy=POLICY, market=calm):
    logging.getLogger("lictor").handlers = [logging.NullHandler()]
    tape, blotter = Tape(policy), Blotter(policy)
    conversation = Conversation(tape, blotter, CLOCK, within_s=1.0)
    means = trading_app(World(tape, blotter, conversation, lambda: MODELS), policy, ("model",))
    market(tape, CLOCK.wall_us())
    node = Node(means.app)
    conversation.node = node
    async with node:
        await node.refresh(means.blotter)
        yield Bench(node, means, tape, blotter)


def trade(bench, side=BUY, **changes):
    made = propose(bench.tape._policy, bench.tape.book, side, 1.0, 0.6, 20.0, "good-1", "s-1")
    small = QTY_PER_BTC // 100
    return replace(made, **{"wanted": small, "qty": small, "signal_us": CLOCK.wall_us(), **changes})


def verdict_of(make, *, options=None, **settings):
    """The verdict on what `make` makes of a bench."""

    async def main():
        async with bench(**settings) as found:
            return (await found.ask(make(found), **(options or {}))).verdict

    return asyncio.run(main())


def test_a_good_trade_is_admitted_and_reserves_its_worst_case():
    verdict = verdict_of(trade)
    assert verdict.result == "admitted", verdict
    reserved = {r.budget: r.amount for r in verdict.reservations}
    assert reserved["long"] == QTY_PER_BTC // 100
    assert reserved["turnover"] > QTY_PER_BTC // 100 * ASK


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("SIGNAL_INVALID", {"instrument": "ETH/USD"}),
        ("SIGNAL_INVALID", {"edge_bps": -1.0}),
        ("SIGNAL_INVALID", {"qty": 0}),
        ("TICK_SIZE", {"limit_price": ASK + 1}),
        ("LOT_SIZE", {"qty": QTY_PER_BTC // 100 + 1}),
        ("MODEL_NOT_APPROVED", {"model": "nightly"}),
        ("CONFIDENCE_LOW", {"confidence": 0.2}),
        ("DRIFTED", {"mid_half_cents": 2 * BID - 40_000}),
        ("PRICE_COLLAR", {"limit_price": ASK + 100_000 * 3}),
        ("ORDER_QTY", {"wanted": QTY_PER_BTC, "qty": QTY_PER_BTC}),
        ("EDGE_BELOW_COST", {"edge_bps": 0.01}),
        ("LARGE_ORDER", {"wanted": QTY_PER_BTC // 8, "qty": QTY_PER_BTC // 8}),
    ],
)
def test_what_each_gate_of_signal_and_risk_is_there_for(code, changes):
    verdict = verdict_of(lambda found: trade(found, **changes))
    assert verdict.code == code, verdict
    assert verdict.result == ("held" if code == "LARGE_ORDER" else "refused")


def test_an_old_signal_is_refused():
    verdict = verdict_of(lambda found: replace(trade(found), signal_us=CLOCK.wall_us() - 4_000_000))
    assert verdict.code == "SIGNAL_STALE"


def test_a_number_that_is_none_never_becomes_a_decision():
    verdict = verdict_of(lambda found: trade(found, edge_bps=float("nan")))
    assert verdict.code == "MALFORMED"


def test_a_confidence_that_is_not_stated_is_not_enough():
    assert verdict_of(trade, options={"confidence": None}).code == "CONFIDENCE_LOW"


@pytest.mark.parametrize(
    ("code", "market"),
    [
        ("SPREAD_WIDE", lambda tape, now_us: calm(tape, now_us, ask=BID + 800)),
        ("MARKET_TOO_THIN", lambda tape, now_us: calm(tape, now_us, qty=1_000, trades=0)),
        ("REFERENCE_MISSING", lambda tape, now_us: None),
    ],
)
def test_what_each_gate_of_the_market_is_there_for(code, market):
    def made(found):
        book = found.tape.book or Snapshot(CLOCK.wall_us(), ((BID, DEEP),), ((ASK, DEEP),))
        proposed = propose(POLICY, book, BUY, 1.0, 0.6, 20.0, "good-1", "s-1")
        small = QTY_PER_BTC // 100
        return replace(proposed, wanted=small, qty=small, signal_us=CLOCK.wall_us())

    assert verdict_of(made, market=market).code == code


def test_a_market_that_nobody_hears_of_any_more_refuses():
    async def main():
        async with bench(policy=replace(POLICY, market_age_s_max=0.05)) as found:
            await asyncio.sleep(0.1)  # the reference ages by the clock: there is nothing to wait for
            return (await found.ask(trade(found))).verdict

    assert asyncio.run(main()).code == "REFERENCE_STALE"


def test_a_jump_pauses_trading():
    def market(tape, now_us):
        calm(tape, now_us - 1_000_000)
        tape.feed(Snapshot(now_us, ((BID + 2_500, DEEP),), ((ASK + 2_500, DEEP),)), [])

    assert verdict_of(trade, market=market).code == "JUMP"


def test_a_market_that_ran_away_over_a_minute_is_left_alone():
    def market(tape, now_us):
        for second in range(-70, 1):
            at_us, up = now_us + second * 1_000_000, 100 * (second + 70)
            tape.feed(Snapshot(at_us, ((BID + up, DEEP),), ((ASK + up, DEEP),)), [])

    assert verdict_of(trade, market=market).code == "PRICE_COLLAR_WINDOW"


def with_blotter(change):
    """The verdict on a good trade after the blotter was changed and looked at."""

    async def main():
        async with bench() as found:
            wanted = trade(found)
            change(found.blotter, wanted)
            await found.node.refresh(found.means.blotter)
            return (await found.ask(wanted)).verdict

    return asyncio.run(main())


def test_the_same_order_a_moment_ago_is_a_duplicate():
    def change(blotter, wanted):
        blotter.sent[content("model", wanted.side, wanted.wanted, wanted.limit_price)] = CLOCK.wall_us() - 1_000_000

    assert with_blotter(change).code == "DUPLICATE_ORDER"


def test_it_would_meet_our_own_order():
    assert with_blotter(lambda blotter, wanted: blotter.resting.update(k=(SELL, ASK, 1_000))).code == "SELF_TRADE"


def test_the_loss_of_the_day_is_reached():
    assert with_blotter(lambda blotter, wanted: setattr(blotter, "cash", -POLICY.loss_max)).code == "DAILY_LOSS"


def test_too_many_messages_for_what_trades():
    def change(blotter, wanted):
        blotter.messages, blotter.trades = 500, 10

    assert with_blotter(change).code == "ORDER_TO_TRADE"


def test_no_room_is_left_for_another_position():
    async def main():
        async with bench() as found:
            await found.node.set_limit("long", 0, scope=POLICY.instrument, by="a test")
            return (await found.ask(trade(found))).verdict

    assert asyncio.run(main()).code == "POSITION"


def test_a_size_is_cut_to_what_is_left_of_the_room_and_the_amended_trade_passes_again():
    async def main():
        async with bench() as found:
            await found.node.set_limit("long", QTY_PER_BTC // 200, scope=POLICY.instrument, by="a test")
            handle = await found.ask(trade(found))
            return handle, found.node.journal.state.open[handle.id].decision

    handle, decision = asyncio.run(main())
    assert handle.admitted
    ruling = next(r for r in handle.verdict.rulings if r.result == "amend")
    assert (ruling.gate, ruling.seen["bound_by"]) == ("sized", "room")
    assert json.loads(decision.payload)["qty"] == QTY_PER_BTC // 200


def test_a_large_order_is_admitted_once_a_named_person_has_approved_it():
    async def main():
        async with bench() as found:
            much = QTY_PER_BTC // 8
            handle = await found.ask(replace(trade(found), wanted=much, qty=much))
            assert handle.verdict.result == "held"
            await found.node.approve(handle.id, by="a person")
            while handle.verdict.result == "held":
                await asyncio.sleep(0)
            return handle.verdict

    assert asyncio.run(main()).result == "admitted"


def test_flatten_only_ever_reduces():
    async def main():
        async with bench() as found:
            found.blotter.position = 1_000_000
            await found.node.refresh(found.means.blotter)
            mid = BID + ASK
            more = Flatten(POLICY.instrument, BUY, 1_000_000, ASK, mid, "a test", CLOCK.wall_us())
            through = Flatten(POLICY.instrument, SELL, 2_000_000, BID, mid, "a test", CLOCK.wall_us())
            reduces = Flatten(POLICY.instrument, SELL, 1_000_000, BID, mid, "a test", CLOCK.wall_us())
            return [(await found.ask(order, source="desk")).verdict for order in (more, through, reduces)]

    more, through, reduces = asyncio.run(main())
    assert more.code == through.code == "NOT_REDUCING"
    assert reduces.result == "admitted", reduces


def test_only_a_smaller_quantity_is_an_amendment():
    made = Trade("BTC/USD", BUY, 10, 10, 100, 199, 0.1, 1.0, 0.5, 20.0, "m", "s", 0)
    assert smaller(made, replace(made, qty=9))
    assert not smaller(made, replace(made, qty=11))
    assert not smaller(made, replace(made, qty=0))
    assert not smaller(made, replace(made, qty=9, limit_price=101))
