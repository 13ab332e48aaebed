"""What a reference that the gates read forbids by now does not start (`checked`); `fast` is the ablation."""

from __future__ import annotations

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import allow, deny


def blocking(rig, blocked, asked=None):
    """An App with one slot whose gate reads who is blocked."""
    app = payouts(rig.world, slots=1, idempotent=True)
    names = app.reference("blocked", lambda: sorted(blocked), max_age_s=1_000)
    other = app.reference("other", lambda: sorted(blocked), max_age_s=1_000)

    @app.gate(Payout, name="not_blocked")
    def not_blocked(payout, state):
        if asked is not None:
            asked.append(payout.account)
        return deny("BLOCKED") if payout.account in state[names] else allow()

    return app, names, other


@pytest.mark.parametrize(("assurance", "started"), [("fast", 2), ("checked", 1)])
def test_what_a_reference_forbids_by_now_does_not_start(assurance: str, started: int) -> None:
    """`fast` is the ablation."""

    async def main(rig):
        blocked: set[str] = set()
        app, names, _ = blocking(rig, blocked)
        node = await rig.start(app, assurance=assurance)
        rig.world.says("first", 5)
        for account in ("first", "a-1", "a-2"):
            await rig.submit(Payout(account))
        blocked.add("a-1")
        await node.refresh(names)
        await rig.settle(30)
        return rig.world.order(), [o for o in rig.outcomes().values() if o.result == "cancelled"]

    order, ends = simulate(main)
    assert sum(account.startswith("a-") for account in order) == started
    if assurance == "checked":
        assert [end.code for end in ends] == ["POLICY_CHANGED"]
        assert "what its gates read has changed: refused by not_blocked: BLOCKED" in ends[0].detail


@pytest.mark.parametrize("read", [True, False])
def test_only_who_read_the_reference_is_asked_again_and_once_a_version(*, read: bool) -> None:
    async def main(rig):
        blocked: set[str] = set()
        asked: list[str] = []
        app, names, other = blocking(rig, blocked, asked)
        node = await rig.start(app)
        rig.world.says("first", 5)
        for account in ("first", "a-1", "a-2"):
            await rig.submit(Payout(account))
        blocked.add("nobody")
        await node.refresh(names if read else other)
        await node.refresh(names if read else other)  # the same version: nothing has changed
        await rig.settle(30)
        return rig.world.order(), asked

    order, asked = simulate(main)
    assert [account for account in order if account != "first"] == ["a-1", "a-2"]
    assert [asked.count(account) for account in ("first", "a-1", "a-2")] == ([1, 2, 2] if read else [1, 1, 1])


def test_a_version_that_comes_while_it_waits_again_is_asked_for_too() -> None:
    async def main(rig):
        blocked: set[str] = set()
        app, names, _ = blocking(rig, blocked)
        node = await rig.start(app)
        for account in ("first", "a-1"):
            rig.world.says(account, 5)
        for account in ("first", "a-1", "a-2"):
            await rig.submit(Payout(account))
        blocked.add("nobody")
        await node.refresh(names)
        await rig.settle(6)  # a-1 was ruled again and runs; a-2 waits behind it
        blocked.add("a-2")
        await node.refresh(names)
        await rig.settle(30)
        return rig.world.order()

    assert "a-2" not in simulate(main)


@pytest.mark.parametrize("watched", [True, False])
def test_what_is_forbidden_while_its_start_is_written_does_not_begin(monkeypatch, *, watched: bool) -> None:
    """Without the look just before the call it begins: the ablation."""

    async def main(rig):
        blocked: set[str] = set()
        app, names, _ = blocking(rig, blocked)
        node = await rig.start(app)
        if not watched:
            monkeypatch.setattr(node.pipeline.execution.assurance, "stale", lambda work: False)
        write = node.journal.write

        async def slow(verbs, at_us):
            answers = await write(verbs, at_us)
            if not blocked and any(answer.started for answer in answers):
                blocked.add("a-1")
                await node.refresh(names)
            return answers

        node.journal.write = slow
        handle = await rig.submit(Payout("a-1"))
        await rig.settle(30)
        allowed = await rig.submit(Payout("a-2"))
        await rig.settle(30)
        return rig.world.order(), rig.outcomes()[handle.id], rig.outcomes()[allowed.id].result, node.journal.state.open

    order, outcome, other, open_ = simulate(main)
    assert ("a-1" in order) is not watched
    assert other == "succeeded"
    assert not open_
    assert outcome.result == ("cancelled" if watched else "succeeded")


def test_what_is_still_allowed_then_begins_all_the_same() -> None:
    async def main(rig):
        blocked: set[str] = set()
        app, names, _ = blocking(rig, blocked)
        node = await rig.start(app)
        write = node.journal.write

        async def slow(verbs, at_us):
            answers = await write(verbs, at_us)
            if not blocked and any(answer.started for answer in answers):
                blocked.add("nobody")
                await node.refresh(names)
            return answers

        node.journal.write = slow
        return (await rig.outcome(Payout("a-1"))).result, rig.world.order()

    assert simulate(main) == ("succeeded", ["a-1"])
