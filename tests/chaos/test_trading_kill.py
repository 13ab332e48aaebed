"""A short run of the trading campaign: a real venue, a real node, really killed in the middle of trading."""

import asyncio

from tests.chaos.trading import TradingCampaign


def test_positions_equal_the_venues_after_kill_9_and_no_order_is_doubled(tmp_path):
    tally = asyncio.run(TradingCampaign(tmp_path, seed=3).run(kills=2))
    assert tally.problems == []
    assert tally.kills == 2
    assert tally.acknowledged > 0
    assert tally.orders > 0
