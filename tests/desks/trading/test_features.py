from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.features import EVEN, ODD, FeatureStream
from lictor.desks.trading.market import BUY, QTY_PER_BTC, SELL, Print, Snapshot

SECOND_US = 1_000_000
START_US = 1_777_689_380_500_000
CENTRE = 7_831_950


def run(events, **options):
    stream = FeatureStream(**options)
    return [features for event in events for features in stream.feed(event)]


def mirrored(event):
    """The same event in the market where bids are asks."""
    if isinstance(event, Print):
        return replace(event, price=2 * CENTRE - event.price, side=-event.side)
    return Snapshot(
        event.time_us,
        tuple((2 * CENTRE - price, qty) for price, qty in event.asks),
        tuple((2 * CENTRE - price, qty) for price, qty in event.bids),
    )


def steady(seconds, bid_qty=3, ask_qty=1):
    return [
        Snapshot(START_US + i * 250_000, ((7_831_900, bid_qty * QTY_PER_BTC),), ((7_832_000, ask_qty * QTY_PER_BTC),))
        for i in range(seconds * 4)
    ]


def test_one_record_a_second_once_warm_all_finite(market):
    rows = run(market)
    assert [later.time_us - earlier.time_us for earlier, later in pairwise(rows)] == [SECOND_US] * (len(rows) - 1)
    assert rows[0].time_us % SECOND_US == 0
    assert 14 * 60 < len(rows) < 15 * 60
    for row in rows:
        assert (len(row.odd), len(row.even)) == (len(ODD), len(EVEN))
        assert all(-1e3 < value < 1e3 for value in (*row.odd, *row.even))
        assert all(-1 <= row.odd[i] <= 1 for i, name in enumerate(ODD) if name.startswith(("imbalance", "flow")))


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_the_future_changes_nothing_in_the_past(market, spoiled, cut):
    rows = run(market)
    last = int(len(rows) * cut)
    now_us = rows[last].time_us
    other = run(spoiled(event) if event.time_us >= now_us else event for event in market)
    assert other[: last + 1] == rows[: last + 1]  # floats compared bit for bit
    assert other[last + 1].odd != rows[last + 1].odd


def test_the_mirror_turns_odd_features_and_keeps_even_ones(market):
    rows, reflected = run(market[:2000]), run(map(mirrored, market[:2000]))
    assert len(rows) > 300
    for row, other in zip(rows, reflected, strict=True):
        # to what a return of 1e-4 loses when prices are reflected
        assert other.odd == pytest.approx([-value for value in row.odd], rel=1e-2, abs=1e-3)
        assert other.even == pytest.approx(row.even, rel=1e-2, abs=1e-9)


def test_a_faster_feed_of_the_same_book_says_the_same(market):
    faster = []
    for event, following in pairwise(market):
        faster.append(event)
        if isinstance(event, Snapshot) and following.time_us > event.time_us + 1:
            faster.append(replace(event, time_us=(event.time_us + following.time_us) // 2))
    assert len(faster) > 1.5 * len(market)
    slow = [replace(row, book_time_us=0) for row in run(market[:-1])]
    assert [replace(row, book_time_us=0) for row in run(faster)] == slow


def test_levels_beyond_the_tenth_do_not_count(market):
    books = [
        event for event in market[:1000] if isinstance(event, Snapshot) and len(event.bids) == len(event.asks) == 10
    ]
    deeper = [
        replace(
            event,
            bids=(*event.bids, (event.bids[-1][0] - 1, 10**12)),
            asks=(*event.asks, (event.asks[-1][0] + 1, 10**12)),
        )
        for event in books
    ]
    assert run(books)
    assert run(deeper) == run(books)


def test_what_they_say_of_a_steady_book():
    row = run(steady(60))[-1]
    named = dict(zip(ODD + EVEN, row.odd + row.even, strict=True))
    assert named["imbalance_1"] == named["imbalance_3"] == 0.5
    assert named["microprice_bps"] == pytest.approx(row.spread_bps / 4)
    assert named["return_5s_bps"] == named["volatility_bps"] == named["flow_5s"] == 0.0


def test_flow_leans_to_who_takes_and_forgets():
    buys = Print(START_US + 40 * SECOND_US, 7_832_000, 5 * QTY_PER_BTC, BUY)
    events = sorted([*steady(120), buys], key=lambda event: event.time_us)
    flow = {row.time_us: row.odd[ODD.index("flow_5s")] for row in run(events)}
    first, last = min(time for time in flow if time > buys.time_us), max(flow)
    assert flow[first] > 0.98
    assert 0 <= flow[last] < 0.01
    assert flow[first - SECOND_US] == 0.0


def test_news_that_comes_late_does_not_rewrite_the_past():
    stream = FeatureStream()
    rows = [row for event in steady(60) for row in stream.feed(event)]
    late = stream.feed(Print(START_US, 7_832_000, QTY_PER_BTC, SELL))
    assert late == []
    following = stream.advance(START_US + 61 * SECOND_US)
    assert rows
    assert following[0].time_us > rows[-1].time_us
    assert following[0].odd[ODD.index("flow_5s")] < -0.9


@pytest.mark.parametrize(
    "hole",
    [((), ()), (((7_831_900, 5),), ()), (((7_832_000, 5),), ((7_832_000, 5),)), (((7_831_900, 0),), ((7_832_000, 5),))],
    ids=["empty", "one side", "locked", "no quantity"],
)
def test_a_book_without_a_mid_says_nothing_and_then_goes_on(hole):
    events = steady(90)
    events[200:204] = [Snapshot(event.time_us, *hole) for event in events[200:204]]
    rows = run(events)
    times = {row.time_us for row in rows}
    silent = [step for step in range(min(times), max(times), SECOND_US) if step not in times]
    assert len(silent) == 1
    assert silent[0] == pytest.approx(events[203].time_us, abs=SECOND_US)


def test_after_a_long_silence_it_starts_again():
    stream = FeatureStream()
    for event in steady(60):
        stream.feed(event)
    back = [replace(event, time_us=event.time_us + 10**6 * SECOND_US) for event in steady(60)]
    rows = [row for event in back for row in stream.feed(event)]
    assert rows[0].time_us >= back[0].time_us + 30 * SECOND_US
    assert len(rows) <= 30


LEVEL = st.tuples(st.integers(1, 10**8), st.integers(0, 10**12))
EVENT = st.one_of(
    st.builds(
        Snapshot,
        st.integers(START_US, START_US + 300 * SECOND_US),
        st.lists(LEVEL, max_size=12).map(tuple),
        st.lists(LEVEL, max_size=12).map(tuple),
    ),
    st.builds(
        Print,
        st.integers(START_US, START_US + 300 * SECOND_US),
        st.just(1),
        st.integers(1, 10**12),
        st.sampled_from([BUY, SELL]),
    ),
)


@given(st.lists(EVENT, max_size=60))
def test_nothing_that_a_venue_may_send_breaks_it(events):
    times = [row.time_us for row in run(events, step_us=5 * SECOND_US)]
    assert times == sorted(set(times))


def test_a_grid_that_cannot_hold_its_returns_is_refused():
    with pytest.raises(ValueError, match="warm-up"):
        FeatureStream(step_us=1_000, warmup_steps=30)
