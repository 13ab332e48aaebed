"""The engine against a slow one written down here, and the levels kept beside it against its own."""

from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.fix.records import TimeInForce
from lictor.desks.trading.market import BUY, SELL
from lictor.desks.trading.venue.book import OrderBook

GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


class Oracle:
    """Price-time priority in the fewest words. An order that meets one of its own user ends there."""

    def __init__(self):
        self.resting = []  # [user, side, price, qty, number] in order of arrival

    def place(self, number, user, side, price, qty, tif, post_only):
        crossing = sorted(
            (r for r in self.resting if r[1] == -side and (price - r[2]) * side >= 0), key=lambda r: r[2] * side
        )
        if post_only and crossing:
            return [], 0
        before_own = crossing[: next((i for i, r in enumerate(crossing) if r[0] == user), len(crossing))]
        if tif is FOK and sum(r[3] for r in before_own) < qty:
            return [], 0
        trades = []
        for resting in before_own:
            traded = min(qty, resting[3])
            if not traded:
                break
            qty -= traded
            resting[3] -= traded
            trades.append((resting[4], resting[2], traded))
        self.resting = [r for r in self.resting if r[3]]
        met_own = bool(qty) and len(before_own) < len(crossing)
        rests = qty if tif is GTC and not met_own else 0
        if rests:
            self.resting.append([user, side, price, rests, number])
        return trades, rests

    def levels(self, side):
        found = {}
        for _, its_side, price, qty, _ in self.resting:
            if its_side == side:
                found[price] = found.get(price, 0) + qty
        return tuple(sorted(found.items(), key=lambda level: -side * level[0]))


placements = st.tuples(
    st.just("place"),
    st.integers(1, 4),
    st.sampled_from([BUY, SELL]),
    st.integers(95, 105),
    st.integers(1, 20),
    st.sampled_from([GTC, GTC, IOC, FOK]),
    st.booleans(),
)
withdrawals = st.tuples(st.just("withdraw"), st.integers(0, 60))


@given(st.lists(st.one_of(placements, placements, withdrawals), max_size=60))
def test_trades_and_levels_are_those_of_price_time_priority(steps):
    book, oracle = OrderBook(), Oracle()
    ids, users = {}, {}
    for number, (what, *arguments) in enumerate(steps):
        if what == "withdraw":
            (which,) = arguments
            if which in ids:
                known = sum(r[3] for r in oracle.resting if r[4] == which)
                oracle.resting = [r for r in oracle.resting if r[4] != which]
                assert book.withdraw(ids[which], users[which]) == known
        else:
            user, side, price, qty, tif, post_only = arguments
            post_only = post_only and tif is GTC
            placed = book.place(user, side, price, qty, tif, post_only=post_only)
            ids[number], users[number] = placed.book_id, user
            number_of = {book_id: known for known, book_id in ids.items()}
            trades = [(number_of[m.maker_id], m.price, m.qty) for m in placed.matches]
            assert (trades, placed.resting) == oracle.place(number, user, side, price, qty, tif, post_only)
            assert all(match.taker_id == placed.book_id and match.side == side for match in placed.matches)
        listed = book.engine_levels()
        for side in (BUY, SELL):
            assert book.levels(side, 100) == oracle.levels(side)
            assert dict(book.levels(side, 100)) == listed[side]
            assert book.best(side) == (oracle.levels(side)[0][0] if oracle.levels(side) else None)


def test_why_an_order_does_not_rest():
    book = OrderBook()
    book.place(1, SELL, 100, 5)
    assert book.place(2, BUY, 100, 9, FOK).code == "FOK_CANNOT_FILL"
    assert book.place(2, BUY, 100, 9, post_only=True).code == "POST_ONLY_WOULD_CROSS"
    assert book.place(1, BUY, 100, 9).code == "LEFT_OVER"  # met its own
    assert book.place(2, BUY, 100, 9, IOC).code == "LEFT_OVER"
    assert book.place(2, BUY, 100, 9).code == ""
