"""An attempt of which nobody knows stays so: what is not tried again is asked about, and never just given up (I8)."""

from tests.rig import Payout, payouts, simulate

from lictor import Report, allow


def _app(rig, **effector):
    return payouts(rig.world, idempotent=True, timeout_s=2, extra_work=1.0, poll_after_s=1.0, **effector)


def test_a_refusal_of_the_second_attempt_does_not_tell_of_the_first():
    async def main(rig):
        await rig.start(_app(rig))
        rig.world.says("a", "done_and_silent", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value) == ("succeeded", "found")
        assert list(rig.world.effects.values()) == [1]

    simulate(main)


def test_what_the_world_has_never_seen_fails_as_the_last_attempt_says():
    async def main(rig):
        await rig.start(_app(rig))
        rig.world.says("a", "lost", "fail", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "NO_FUNDS")
        assert len(rig.world.asked) == 1
        assert not rig.world.effects

    simulate(main)


def test_a_cancel_between_two_attempts_keeps_the_true_result():
    async def main(rig):
        node = await rig.start(_app(rig, retry_base_s=20.0, retry_max_s=20.0))
        rig.world.says("a", "done_and_silent")
        handle = await rig.submit(Payout("a"))
        await rig.settle(2.5)
        assert rig.state(handle.id) == "backing_off"
        await rig.on(node.cancel(handle.id, by="ann"))
        outcome = await rig.on(handle.outcome())
        assert (outcome.result, outcome.value) == ("succeeded", "found")

    simulate(main)


def test_so_does_one_after_a_restart():
    async def main(rig):
        app = _app(rig, retry_base_s=20.0, retry_max_s=20.0)
        await rig.start(app)
        rig.world.says("a", "done_and_silent")
        handle = await rig.submit(Payout("a"))
        await rig.settle(2.5)
        node = await rig.restart(app)
        await rig.on(node.cancel(handle.id, by="ann"))
        await rig.settle(5.0)
        assert rig.outcomes()[handle.id].result == "succeeded"

    simulate(main)


def test_who_has_no_time_left_for_another_attempt_asks():
    async def main(rig):
        await rig.start(_app(rig, kind={"expires_in_s": 6}, retry_base_s=3.0, retry_max_s=3.0))
        rig.world.says("a", "done_and_silent", "done_and_silent")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.value) == ("succeeded", "found")

    simulate(main)


def test_who_cannot_be_asked_is_given_up():
    async def main(rig):
        await rig.start(_app(rig, asks=False))
        rig.world.says("a", "lost", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "NO_FUNDS")

    simulate(main)


def unasked(rig, **effector):
    """An idempotent effector that nobody can be asked about."""
    return payouts(rig.world, idempotent=True, timeout_s=2, asks=False, **effector)


def test_out_of_extra_work_what_may_have_happened_is_in_doubt_and_its_money_is_kept():
    """Also where nobody can be asked: a person says what became of it. It once failed, and its money was free."""

    async def main(rig):
        app = unasked(rig, extra_work=0.0)
        cash = app.balance("cash", limit=10)
        app.gate(Payout, name="affordable")(lambda p, s: allow(cash.reserve(5)))
        node = await rig.start(app)
        rig.world.says("a", *["done_and_silent"] * 9)
        handle = await rig.submit(Payout("a"))
        await rig.settle(60)
        assert rig.state(handle.id) == "in_doubt"
        assert node.journal.state.balances["cash", "all"].reserved(None) == 5
        news = Report(id="r", final=True, result="succeeded", settled={"cash": 5})
        assert await rig.on(node.resolve(handle.id, news, by="ann"))
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert node.journal.state.balances["cash", "all"].settled(None) == 5

    simulate(main)


def test_what_the_other_side_refuses_under_the_same_key_has_failed_where_nobody_can_be_asked():
    async def main(rig):
        await rig.start(unasked(rig, extra_work=1.0))
        rig.world.says("a", "lost", "fail")
        outcome = await rig.outcome(Payout("a"))
        assert (outcome.result, outcome.code) == ("failed", "NO_FUNDS")

    simulate(main)
