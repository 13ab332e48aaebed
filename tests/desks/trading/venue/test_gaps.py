"""After a cut each side may have sent what the other never got: both gaps must close, over real TCP."""

import asyncio

from tests.desks.trading.venue.process import VenueProcess

from lictor.desks.trading.fix import FixClient, Order, Status
from lictor.desks.trading.market import BUY

NAME = "GAPS"
SOON_S = 20
QTY = 1_000_000


def test_a_gap_on_both_sides_closes(tmp_path):
    """Each side's resend request then comes out of turn, and must be answered all the same."""

    async def main(venue):
        state = tmp_path / "desk"
        bid, _ = venue.best()
        async with FixClient("127.0.0.1", venue.port, state, sender=NAME) as client:
            await client.ready(SOON_S)
            await client.submit(Order("rest", BUY, QTY, bid - 1000, 5))
            await client.subscribe(within_s=SOON_S)
        numbers = state / f"{NAME}-VENUE.numbers"
        sent, settled = (int(number) for number in numbers.read_text().split())
        numbers.write_text(f"{sent + 7:019d} {settled - 2:019d}\n")
        async with FixClient("127.0.0.1", venue.port, state, sender=NAME) as client:
            await client.ready(SOON_S)
            status = await client.order_status("rest", within_s=SOON_S)
            assert status is not None
            assert (status.status, status.code) == (Status.CANCELED, "DISCONNECTED")
            await client.subscribe(within_s=SOON_S)

    with VenueProcess(tmp_path / "venue", "--client", NAME, "--skip-s", "146.4") as running:
        asyncio.run(main(running))
