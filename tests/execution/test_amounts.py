"""What an action has used is booked, also where nobody can say into which scope."""

from tests.rig import Payout, payouts, simulate

from lictor.execution.amounts import SCOPE_UNKNOWN


def budgeted(rig, per="tenant", **options):
    app = payouts(rig.world)
    return app, app.balance("cash", limit=100, per=per, **options)


def test_what_was_used_in_a_scope_that_cannot_be_found_is_booked_and_latches():
    async def main(rig):
        app, cash = budgeted(rig, per=lambda payout: 1 / 0)

        async def used(call):
            call.settle(cash, 7)
            return "ok"

        rig.world.says("a", used)
        await rig.start(app)
        assert (await rig.outcome(Payout("a"))).result == "succeeded"
        balance = rig.node.journal.state.balances["cash", SCOPE_UNKNOWN]
        assert (balance.settled(None), balance.limit, balance.latched) == (7, 0, True)
        await rig.restart(app)
        assert rig.node.journal.state.balances["cash", SCOPE_UNKNOWN].settled(None) == 7

    simulate(main)


def test_a_deploy_changes_the_window_of_a_balance():
    async def main(rig):
        for window_s in (None, 60.0, 3_600.0, None):
            app, cash = budgeted(rig, **({} if window_s is None else {"window_s": window_s}))

            async def used(call, cash=cash):
                call.settle(cash, 7)
                return "ok"

            rig.world.says("a", used)
            await rig.restart(app) if rig.machine else await rig.start(app)
            await rig.outcome(Payout("a"))
            (balance,) = rig.node.journal.state.balances.values()
            assert balance.window_us == (None if window_s is None else window_s * 1e6)
            assert sum(settled for settled, _ in balance.sums.values()) == 7

    simulate(main)
