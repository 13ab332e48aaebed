"""A crash in each state, and what the next node makes of it: nothing is lost, nothing is blindly repeated."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, Priority, allow, defer, hold, report


async def crashed(rig, app, *, after_s=0.001, **options):
    """The id of a decision whose node crashed so long after it was admitted."""
    await rig.start(app)
    handle = await rig.submit(Payout("a"), **options)
    await rig.settle(after_s)
    return handle.id


def test_queued_work_is_done():
    async def main(rig):
        app = payouts(rig.world, slots=1, kind={"expires_in_s": 600})
        await rig.start(app)
        rig.world.says("blocker", 5)
        await rig.submit(Payout("blocker"))
        handles = await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(20)]))
        await rig.restart(app)
        await rig.settle(60)
        outcomes = rig.outcomes()
        assert {outcomes[handle.id].result for handle in handles} == {"succeeded"}
        assert set(rig.world.effects.values()) == {1}

    simulate(main)


@pytest.mark.parametrize("behaviour", ["done_and_silent", "lost"])
def test_a_started_attempt_of_an_idempotent_effector_is_made_again_under_its_key(behaviour):
    async def main(rig):
        app = payouts(rig.world, idempotent=True, asks=False)
        rig.world.says("a", behaviour)
        decision = await crashed(rig, app)
        await rig.restart(app)
        await rig.settle(5)
        assert rig.outcomes()[decision].result == "succeeded"
        first, second = rig.world.arrivals
        assert first.key == second.key
        assert first.fence < second.fence

    simulate(main)


@pytest.mark.parametrize("behaviour", ["done_and_silent", "lost"])
def test_one_of_another_is_in_doubt_and_asked_about(behaviour):
    async def main(rig):
        app = payouts(rig.world)
        rig.world.says("a", behaviour)
        decision = await crashed(rig, app)
        await rig.restart(app)
        await rig.settle(5)
        assert rig.outcomes()[decision].result == "succeeded"
        assert list(rig.world.effects.values()) == [1]
        assert len(rig.world.arrivals) == (1 if behaviour == "done_and_silent" else 2)

    simulate(main)


def test_without_a_way_to_ask_it_waits_for_a_person_and_is_never_repeated():
    async def main(rig):
        app = payouts(rig.world, asks=False)
        rig.world.says("a", "lost")
        decision = await crashed(rig, app)
        for _ in range(3):
            await rig.restart(app)
            await rig.settle(100)
            assert rig.state(decision) == "in_doubt"
        assert len(rig.world.arrivals) == 1
        assert await rig.on(rig.node.resolve(decision, report("r", final=True, result="absent"), by="ann"))
        await rig.settle(1)
        assert rig.outcomes()[decision].result == "expired"  # the person said so after the deadline

    simulate(main)


def test_after_the_deadline_it_is_only_asked_about():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 5}, idempotent=True)
        rig.world.says("a", "lost")
        decision = await crashed(rig, app)
        rig.machine.crash()
        await rig.settle(10)
        await rig.start(app)
        await rig.settle(10)
        assert rig.outcomes()[decision].result == "expired"
        assert len(rig.world.arrivals) == 1

    simulate(main)


def test_recovered_repetitions_are_paced():
    async def main(rig):
        app = payouts(rig.world, idempotent=True, asks=False, slots=1000)
        await rig.start(app)
        for n in range(400):
            rig.world.says(f"a{n}", "lost")
        await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(400)]))
        await rig.settle(0.001)
        assert len(rig.world.arrivals) == 400
        await rig.restart(app)
        await rig.settle(1)
        assert 100 <= len(rig.world.arrivals) - 400 <= 201
        await rig.settle(2)
        assert len(rig.outcomes()) == 400

    simulate(main)


@pytest.mark.parametrize(
    ("behaviour", "state"), [("retry", "backing_off"), ("pending", "pending"), ("done_and_raise", "in_doubt")]
)
def test_what_waits_goes_on_waiting(behaviour, state):
    async def main(rig):
        app = payouts(rig.world, retry_base_s=30, poll_after_s=20)
        rig.world.says("a", behaviour)
        rig.world.answers["a"].extend([None] * 2)
        decision = await crashed(rig, app)
        assert rig.state(decision) == state
        await rig.restart(app)
        assert rig.state(decision) == state
        await rig.settle(200)
        assert rig.outcomes()[decision].result == "succeeded"
        assert list(rig.world.effects.values()) == [1]

    simulate(main)


def test_what_was_given_back_by_a_halt_starts_when_it_is_resumed_after_a_restart():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        node = await rig.start(app)
        submitting = rig.machine.spawn(node.submit(Payout("a")))
        await rig.on(node.halt("effector:transfer", by="ann"))
        handle = await rig.on(submitting)
        await rig.settle(1)
        node = await rig.restart(app)
        await rig.settle(1)
        assert rig.world.arrivals == []
        await rig.on(node.resume("effector:transfer", by="ann"))
        await rig.settle(1)
        assert rig.outcomes()[handle.id].result == "succeeded"

    simulate(main)


def test_a_cancel_that_was_asked_for_is_asked_for_again():
    async def main(rig):
        app = payouts(rig.world)
        rig.world.says("a", "pending")
        decision = await crashed(rig, app)
        await rig.on(rig.node.cancel(decision, by="ann"))
        rig.world.answers["a"].append(None)
        rig.world.answers["cancel a"].append(report("c", final=True, result="cancelled"))
        await rig.restart(app)
        await rig.settle(1)
        assert rig.outcomes()[decision].result == "cancelled"

    simulate(main)


def test_held_and_deferred_decisions_wait_on():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        app.gate(Payout, family="authorization", name="boss")(
            lambda p, s: hold("ASK") if p.amount > 10 else defer(20) if rig.loop.time() < 10 else allow()
        )
        node = await rig.start(app)
        held = await rig.submit(Payout("a", 11))
        deferred = await rig.submit(Payout("b", 1))
        node = await rig.restart(app)
        await rig.settle(30)
        assert rig.outcomes()[deferred.id].result == "succeeded"
        await rig.on(node.approve(held.id, by="boss"))
        await rig.settle(1)
        assert rig.outcomes()[held.id].result == "succeeded"

    simulate(main)


def test_an_approval_that_was_not_acted_on_is():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        app.gate(Payout, family="authorization", name="boss")(lambda p, s: hold("ASK"))
        node = await rig.start(app)
        held = await rig.submit(Payout("a", 11))
        approving = rig.machine.spawn(node.approve(held.id, by="boss"))
        while not node.journal.state.open[held.id].approvals:
            await rig.settle(0)
        await rig.restart(app)
        await rig.settle(1)
        assert rig.outcomes()[held.id].result == "succeeded"
        assert not approving.done()

    simulate(main)


def without(rig, *, kind=False):
    """The App of a deploy that no longer declares the effector, or the kind."""
    app = App("payouts", version="2")
    if not kind:
        app.decision(order_by="account")(Payout)
        other = app.effector(idempotent=True, timeout_s=5, name="other")(rig.world.perform)
        app.plan(Payout)(lambda p: other.action(p.account, p.amount))
    return app


@pytest.mark.parametrize("kind", [True, False])
@pytest.mark.parametrize("behaviour", ["pending", "lost", "retry", None])
def test_work_that_is_no_longer_declared_waits_for_a_deploy_that_declares_it(kind, behaviour):
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600}, slots=1, retry_base_s=10)
        await rig.start(app)
        if behaviour is None:
            rig.world.says("blocker", "lost")
            await rig.submit(Payout("blocker"))
        else:
            rig.world.says("a", behaviour)
        handle = await rig.submit(Payout("a"))
        await rig.settle(0.001)
        node = await rig.restart(without(rig, kind=kind))
        arrivals = len(rig.world.arrivals)
        await rig.settle(60)
        assert len(rig.world.arrivals) == arrivals
        assert handle.id in node.journal.state.open
        assert handle.id in node.pipeline.execution.undeclared
        await rig.restart(app)
        await rig.settle(60)
        assert rig.outcomes()[handle.id].result == "succeeded"

    simulate(main)


def test_undeclared_work_holds_its_order_key_and_can_be_cancelled():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600, "order_by": "account"}, slots=1)
        await rig.start(app)
        rig.world.says("blocker", 5)
        await rig.submit(Payout("blocker"))
        old = await rig.submit(Payout("a", 1))
        node = await rig.restart(without(rig))
        await rig.submit(Payout("a", 2))
        await rig.settle(30)
        assert [a.amount for a in rig.world.arrivals if a.account == "a"] == []
        assert await rig.on(node.cancel(old.id, by="ann"))
        await rig.settle(1)
        assert [a.amount for a in rig.world.arrivals if a.account == "a"] == [2]

    simulate(main)


def test_held_work_of_an_undeclared_kind_waits_and_breaks_nothing():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        app.gate(Payout, family="authorization", name="boss")(lambda p, s: hold("ASK"))
        await rig.start(app)
        held = await rig.submit(Payout("a", 11))
        node = await rig.restart(without(rig, kind=True))
        await rig.on(node.approve(held.id, by="boss"))
        await rig.settle(30)
        assert node.failure is None
        await rig.restart(app)
        await rig.settle(1)
        assert rig.outcomes()[held.id].result == "succeeded"

    simulate(main)


@pytest.mark.parametrize("seed", range(40))
def test_at_any_moment_of_a_mixed_load(seed):
    """Crash after a drawn number of steps, again and again; then let everything end, and compare with the world."""

    async def main(rig):
        app = payouts(rig.world, kind={"order_by": "account", "expires_in_s": 10_000}, slots=3, extra_work=1)
        await rig.start(app)
        random = rig.loop.streams.of("workload")
        keys = []
        for round_ in range(4):
            accounts = [f"{random.choice('abcdef')}" for _ in range(8)]
            for account in accounts:
                rig.world.says(account, random.choice(["ok", "retry", "pending", "lost", "done_and_silent", 2, "fail"]))
            for n, account in enumerate(accounts):
                key = f"{round_}-{n}"
                keys.append(key)
                rig.machine.spawn(rig.node.submit(Payout(account, n), key=key, priority=random.choice(list(Priority))))
            await rig.settle(random.choice([0, 0.0001, 1, 11]))
            await rig.restart(app)
        await rig.settle(3000)
        assert not rig.node.journal.state.open
        assert set(rig.world.effects.values()) <= {1}
        outcomes = rig.outcomes()
        for key in keys:
            for decision in await rig.node.journal.find("default", "local", key):
                assert outcomes[decision].result in {"succeeded", "failed"}
        done = sum(outcome.result == "succeeded" for outcome in outcomes.values())
        assert done == sum(rig.world.effects.values())

    simulate(main, seed)


@pytest.mark.parametrize("idempotent", [True, False])
def test_after_a_restore_what_was_open_is_in_doubt_and_never_blindly_repeated(idempotent):
    """The backup was taken before anything began; since then all of it has been done."""

    async def main(rig):
        app = payouts(rig.world, idempotent=idempotent, slots=1, kind={"expires_in_s": 600, "order_by": "account"})
        await rig.start(app)
        rig.world.says("a", 1)
        handles = await rig.on(rig.node.submit_many([Payout("a", n) for n in range(4)]))
        backup = list(rig.disk.rows)
        await rig.settle(10)
        assert len(rig.world.arrivals) == 4
        rig.machine.crash()
        restored(rig.disk, backup)
        node = await rig.start(app)
        assert node.journal.state.doubt == ""
        await rig.settle(30)
        outcomes = rig.outcomes()
        assert {outcomes[handle.id].result for handle in handles} == {"succeeded"}
        keys = {arrival.key for arrival in rig.world.arrivals}
        assert len(keys) == 4
        if not idempotent:
            assert len(rig.world.arrivals) == 4  # all of it was found by asking

    simulate(main)


def restored(disk, rows):
    """What `lictor restore` does: the rows of the backup, under an epoch that doubts what was open."""
    from lictor.journal import codec, port
    from lictor.journal.memory import Row

    epoch = port.Epoch(disk.epoch + 1, rows[-1].at_us, "restored")
    commit = rows[-1].commit + 1
    disk.rows[:] = [*rows, Row(commit, rows[-1].at_us, None, "epoch", *codec.encode(epoch))]
    disk.commits, disk.epoch = commit, disk.epoch + 1
