"""A `compensate` that does not end when its time is over is called again once it has, and only then."""

import asyncio

from tests.rig import Payout, payouts, simulate

from lictor import all_or_compensate


def test_a_compensate_that_outlives_its_time_out_is_called_again_when_it_has_ended():
    async def main(rig):
        def plan(transfer, payout):
            return all_or_compensate(transfer.action("one", 1), transfer.action("two", 1))

        app = payouts(rig.world, plan=plan, timeout_s=1, poll_after_s=1)
        calls = []

        @app.effectors["transfer"].compensate
        async def take_back(call, account: str, amount: int) -> None:
            calls.append(rig.loop.time())
            if len(calls) == 1:
                try:
                    await rig.clock.sleep(60)
                except asyncio.CancelledError:  # a client library that finishes what it has begun
                    await rig.clock.sleep(3)
                    raise

        await rig.start(app)
        rig.world.says("two", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert outcome.result == "compensated"
        assert len(calls) == 2
        assert calls[1] - calls[0] >= 4.0  # a second until its time was over, three more until it had ended

    simulate(main)
