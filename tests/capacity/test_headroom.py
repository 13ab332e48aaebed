"""Headroom in a real node on simulated time: admitted work keeps to its share, and what an outage leaves drains."""

from __future__ import annotations

import asyncio

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Settings
from lictor.errors import DeclarationError


async def offered(rig, headroom: float, per_s: float, seconds: float) -> tuple[int, int]:
    """How many of so many a second were done; 8 slots of 0.1 s do 80 a second."""
    node = await rig.start(payouts(rig.world, kind={"expires_in_s": 1.0}, slots=8), headroom=headroom)
    count = int(per_s * seconds)
    for number in range(count):
        rig.world.says(f"a-{number}", 0.1)
        rig.machine.spawn(node.submit(Payout(f"a-{number}")))
        await asyncio.sleep(1 / per_s)
    await asyncio.sleep(3)
    return count, sum(outcome.result == "succeeded" for outcome in rig.outcomes().values())


@pytest.mark.parametrize("headroom", [0.1, 0.3, 0.5])
def test_admission_uses_its_share_of_capacity_and_no_more(headroom: float) -> None:
    _, done = simulate(lambda rig: offered(rig, headroom, 240, 12))
    assert done == pytest.approx(80 * (1 - headroom) * (12 + 1), rel=0.08)


def test_without_it_all_of_capacity_is_used() -> None:
    """The ablation."""
    _, done = simulate(lambda rig: offered(rig, 0.0, 240, 12))
    assert done > 0.95 * 80 * 12


def test_what_fits_into_the_share_is_all_admitted() -> None:
    count, done = simulate(lambda rig: offered(rig, 0.3, 40, 10))
    assert done == count


def test_it_is_a_share() -> None:
    with pytest.raises(DeclarationError, match="headroom"):
        Settings(headroom=1.0)
