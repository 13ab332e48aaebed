"""The desk's view of the market: what was known when, and that silence is not news."""

import pytest

from lictor.desks.trading.market import BUY, Print, Snapshot
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.tape import MarketSilent, Tape

S = 1_000_000


def book(at_us, bid):
    return Snapshot(at_us, ((bid, 10),), ((bid + 100, 20),))


@pytest.fixture
def tape():
    made = Tape(Policy())
    for second, bid in ((0, 1000), (1, 1000), (2, 1100), (61, 1200)):
        made.feed(book(second * S, bid), [Print(second * S, bid, 7, BUY)])
    return made


def test_the_mid_at_a_time_is_the_last_one_before_it(tape):
    assert tape.mid_at(-1) is None
    assert tape.mid_at(2 * S - 1) == 2100
    assert tape.mid_at(2 * S) == 2300
    assert tape.mid == 2500


def test_a_view_is_given_once_for_each_piece_of_news(tape):
    view = tape.view()
    assert (view["time_us"], view["mid_then"], view["volume"]) == (61 * S, 2100, 7 * 3)
    with pytest.raises(MarketSilent):
        tape.view()
    tape.feed(book(62 * S, 1200), [])
    assert tape.view()["time_us"] == 62 * S


def test_a_crossed_book_is_seen_and_gives_no_mid(tape):
    tape.feed(Snapshot(63 * S, ((1300, 1),), ((1200, 1),)), [])
    assert tape.time_us == 63 * S
    assert tape.mid_at(63 * S) == 2500


def test_a_jump_is_noted_and_a_move_of_the_usual_size_is_not():
    made = Tape(Policy())
    for second in range(100):
        made.feed(book(second * S, 7_840_000 + 100 * (second % 2)), [])
    made.view()
    made.feed(book(100 * S, 7_840_200), [])
    assert made.view()["jumped_us"] is None
    made.feed(book(101 * S, 7_843_000), [])
    assert made.view()["jumped_us"] == 101 * S


def test_the_touch_is_of_the_own_side(tape):
    assert (tape.touch(BUY), tape.touch(-BUY)) == (1200, 1300)


def test_impact_grows_with_the_root_of_the_quantity_until_there_is_no_more_volume(tape):
    one, four = tape.impact_bps(1, 20.0), tape.impact_bps(4, 20.0)
    assert four == pytest.approx(2 * one)
    assert tape.impact_bps(10**9, 20.0) == tape.impact_bps(10**8, 20.0)
