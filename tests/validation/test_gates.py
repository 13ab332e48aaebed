"""Gates: the order in which they run, what they may answer, what they read, and that all that fails refuses."""

from dataclasses import replace

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import DeclarationError, Priority, allow, amend, defer, deny, hold

FAMILIES = ["rules", "risk", "authorization", "priority", "resources"]


def gated(rig, *gates, kind=None):
    """An App whose payouts pass these gates; a gate is a function, or (function, options)."""
    app = payouts(rig.world, kind={"tightens": lambda was, now: now.amount <= was.amount} | (kind or {}))
    for n, gate in enumerate(gates):
        check, options = gate if isinstance(gate, tuple) else (gate, {})
        app.gate(Payout, **({"name": f"gate{n}"} | options))(check)
    return app


def rulings(verdict):
    return [(ruling.gate, ruling.result) for ruling in verdict.rulings if ruling.gate != "open_to_all"]


def test_families_run_in_their_order_whatever_the_order_of_declaration():
    async def main(rig):
        ran = []

        def note(family):
            def check(payout, state):
                ran.append(family)
                return allow()

            return check, {"family": family, "name": family}

        await rig.start(gated(rig, *[note(family) for family in reversed(FAMILIES)]))
        await rig.outcome(Payout("a"))
        assert ran == FAMILIES

    simulate(main)


def test_the_first_deny_ends_the_gates_and_says_what_it_saw():
    async def main(rig):
        ran = []

        def last(payout, state):
            ran.append("last")
            return allow()

        await rig.start(gated(rig, lambda p, s: allow(), lambda p, s: deny("NO", seen=p.amount), last))
        verdict = await rig.outcome(Payout("a", 7))
        assert (verdict.result, verdict.code) == ("refused", "NO")
        assert rulings(verdict) == [("gate0", "allow"), ("gate1", "deny")]
        assert verdict.rulings[-1].seen == {"seen": 7}
        assert ran == []
        assert rig.world.arrivals == []

    simulate(main)


def test_a_hold_lets_the_rest_run_so_that_the_approver_sees_everything():
    async def main(rig):
        await rig.start(gated(rig, lambda p, s: hold("ASK"), lambda p, s: allow(), lambda p, s: hold("ASK_TOO")))
        verdict = (await rig.submit(Payout("a"))).verdict
        assert verdict.result == "held"
        assert rulings(verdict) == [("gate0", "hold"), ("gate1", "allow"), ("gate2", "hold")]
        assert verdict.reservations == ()

    simulate(main)


def test_a_deny_after_a_hold_refuses():
    async def main(rig):
        await rig.start(gated(rig, lambda p, s: hold("ASK"), lambda p, s: deny("NO")))
        assert (await rig.outcome(Payout("a"))).code == "NO"

    simulate(main)


def test_an_amendment_is_what_all_gates_and_the_effector_see():
    async def main(rig):
        seen = []

        def first(payout, state):
            seen.append(payout.amount)
            return allow()

        def cap(payout, state):
            return amend(replace(payout, amount=10), "CAPPED", was=payout.amount) if payout.amount > 10 else allow()

        await rig.start(gated(rig, first, cap))
        handle = await rig.submit(Payout("a", 50))
        assert seen == [50, 10]
        assert rulings(handle.verdict) == [
            ("gate0", "allow"),
            ("gate1", "amend"),
            ("gate0", "allow"),
            ("gate1", "allow"),
        ]
        assert handle.decision.amended_from == handle.decision.submitted_digest != handle.decision.digest
        assert handle.verdict.digest == handle.decision.digest
        await rig.on(handle.outcome())
        assert rig.world.arrivals[0].amount == 10

    simulate(main)


def step_down(payout, state):
    return amend(replace(payout, amount=payout.amount - 1)) if payout.amount else allow()


@pytest.mark.parametrize(("amount", "ok"), [(3, True), (4, False)])
def test_at_most_three_amendments(amount, ok):
    async def main(rig):
        await rig.start(gated(rig, step_down))
        outcome = await rig.outcome(Payout("a", amount))
        if ok:
            assert outcome.result == "succeeded"
            assert rig.world.arrivals[0].amount == 0
        else:
            assert outcome.code == "AMENDMENT_INVALID"
            assert rig.world.arrivals == []

    simulate(main)


def broken(was, now):
    raise RuntimeError("cannot compare")


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (Payout("a", 99), {}, "looser"),
        (Payout("a", 1), {"tightens": None}, "tightens"),
        (Payout("a", 1), {"tightens": broken}, "cannot compare"),
        (Payout("b", 1), {"order_by": "account"}, "order key"),
        ("something else", {}, "Payout"),
        (object(), {}, "Payout"),
    ],
)
def test_an_amendment_that_loosens_or_is_no_payout_refuses(value, kind, why):
    async def main(rig):
        node = await rig.start(gated(rig, lambda p, s: amend(value), kind=kind))
        verdict = await rig.outcome(Payout("a", 50))
        assert (verdict.result, verdict.code) == ("refused", "AMENDMENT_INVALID")
        assert why in verdict.rulings[-1].seen["error"]
        assert node.failure is None

    simulate(main)


def test_an_amendment_to_the_same_content_allows():
    async def main(rig):
        await rig.start(gated(rig, lambda p, s: amend(p)))
        assert (await rig.outcome(Payout("a"))).result == "succeeded"

    simulate(main)


def test_a_deferred_decision_passes_all_gates_again_when_its_time_has_come():
    async def main(rig):
        times = []

        def later(payout, state):
            times.append(rig.loop.time())
            return defer(7, "CLOSED") if rig.loop.time() < 10 else allow()

        await rig.start(gated(rig, later))
        handle = await rig.submit(Payout("a"))
        assert (handle.verdict.result, handle.verdict.code) == ("deferred", "CLOSED")
        assert handle.verdict.until_us - rig.clock.wall_us() == 7_000_000
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert [round(at) for at in times] == [0, 7, 14]
        assert handle.admitted

    simulate(main)


def test_not_before_defers_until_then():
    async def main(rig):
        await rig.start(gated(rig))
        handle = await rig.submit(Payout("a"), not_before_us=rig.clock.wall_us() + 5_000_000)
        assert (handle.verdict.result, handle.verdict.code) == ("deferred", "NOT_BEFORE")
        await rig.on(handle.outcome())
        assert rig.world.arrivals[0].at_s == pytest.approx(5, abs=0.01)

    simulate(main)


def test_a_deferral_past_the_deadline_ends_in_a_refusal():
    async def main(rig):
        await rig.start(gated(rig, lambda p, s: defer(1000), kind={"expires_in_s": 5}))
        handle = await rig.submit(Payout("a"))
        assert await rig.on(handle.outcome()) is None
        assert (handle.verdict.result, handle.verdict.code) == ("refused", "EXPIRED")
        assert rig.loop.time() == pytest.approx(5, abs=0.01)

    simulate(main)


@pytest.mark.parametrize(
    "answer", [deny("NO"), hold("ASK"), defer(5), amend(Payout("b", 0)), "nothing", RuntimeError("broken")]
)
def test_a_shadow_gate_is_recorded_and_changes_nothing(answer):
    async def main(rig):
        def check(payout, state):
            if isinstance(answer, Exception):
                raise answer
            return answer

        await rig.start(gated(rig, (check, {"shadow": True})))
        handle = await rig.submit(Payout("a", 5))
        assert handle.admitted
        shadow = handle.verdict.rulings[-1]
        assert shadow.shadow
        assert shadow.result == getattr(answer, "result", "deny")
        assert (await rig.on(handle.outcome())).result == "succeeded"
        assert rig.world.arrivals[0].amount == 5

    simulate(main)


@pytest.mark.parametrize("answer", [RuntimeError("broken"), None, True, "allow"])
def test_a_gate_that_raises_or_answers_nothing_refuses(answer):
    async def main(rig):
        def check(payout, state):
            if isinstance(answer, Exception):
                raise answer
            return answer

        node = await rig.start(gated(rig, check))
        verdict = await rig.outcome(Payout("a"))
        assert (verdict.result, verdict.code) == ("refused", "GATE_FAILED")
        assert verdict.rulings[-1].seen["gate"] == "gate0"
        assert node.failure is None

    simulate(main)


def test_what_a_gate_saw_is_kept_even_if_it_has_no_plain_form():
    async def main(rig):
        class Odd:
            def __repr__(self):
                return "<odd>"

        node = await rig.start(gated(rig, lambda p, s: deny("NO", odd=Odd(), many={1, 2})))
        verdict = await rig.outcome(Payout("a"))
        assert "<odd>" in str(verdict.rulings[-1].seen)
        assert node.failure is None

    simulate(main)


def test_references_are_read_by_version_and_refuse_when_missing_or_old():
    async def main(rig):
        loaded = [{"a": 1}]

        def load():
            if loaded[0] is None:
                raise ConnectionError("down")
            return loaded[0]

        app = payouts(rig.world)
        prices = app.reference("prices", load, max_age_s=10, refresh_s=3)
        app.gate(Payout, name="priced")(lambda p, s: allow() if p.account in s[prices] else deny("NO_PRICE"))
        await rig.start(app)
        first = (await rig.submit(Payout("a"))).verdict
        assert (await rig.outcome(Payout("b"))).code == "NO_PRICE"
        loaded[0] = {"a": 1, "b": 2}
        await rig.settle(4)
        second = (await rig.submit(Payout("b"))).verdict
        assert second.result == "admitted"
        reads = [next(r for v in verdict.rulings for r in v.reads) for verdict in (first, second)]
        assert reads[0].name == reads[1].name == "prices"
        assert reads[0].version != reads[1].version
        for read in reads:
            assert await rig.node.journal.reference("prices", read.version)
        loaded[0] = None
        await rig.settle(11)
        stale = await rig.outcome(Payout("a"))
        assert stale.code == "REFERENCE_STALE"
        assert stale.rulings[-1].seen["reference"] == "prices"
        await rig.restart(app)
        assert (await rig.outcome(Payout("a"))).code == "REFERENCE_MISSING"

    simulate(main)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        ("good", None),
        ("bad", "FRAUD"),
        (RuntimeError("down"), "LOOKUP_FAILED"),
        (100, "LOOKUP_FAILED"),
    ],
)
def test_lookups_are_asked_before_the_gates_with_a_timeout(ask, code):
    async def main(rig):
        app = payouts(rig.world)

        @app.lookup(Payout, timeout_s=5)
        async def fraud(payout):
            if isinstance(ask, Exception):
                raise ask
            if isinstance(ask, int):
                await rig.clock.sleep(ask)
            return ask

        app.gate(Payout, name="honest")(lambda p, s: deny("FRAUD") if s[fraud] == "bad" else allow())
        await rig.start(app)
        outcome = await rig.outcome(Payout("a"))
        assert getattr(outcome, "code", None) == code
        if isinstance(ask, int):
            assert rig.loop.time() == pytest.approx(5, abs=0.01)

    simulate(main)


def test_a_lookup_has_slots_and_never_outlasts_the_deadline():
    async def main(rig):
        running = [0, 0]
        app = payouts(rig.world)

        @app.lookup(Payout, timeout_s=50, slots=2)
        async def slow(payout):
            running[0] += 1
            running[1] = max(running)
            await rig.clock.sleep(3)
            running[0] -= 1
            return 1

        app.gate(Payout, name="slow")(lambda p, s: allow() if s[slow] else deny("NO"))
        await rig.start(app)
        handles = await rig.on(rig.node.submit_many([Payout(str(n)) for n in range(6)], expires_in_s=7))
        assert running[1] == 2
        assert [handle.verdict.code for handle in handles].count(None) == 4
        assert {h.verdict.code for h in handles if not h.admitted} <= {"LOOKUP_FAILED", "EXPIRED"}

    simulate(main)


def test_a_priority_gate_lowers_the_class_and_never_raises_it():
    async def main(rig):
        app = gated(rig, (lambda p, s: allow(priority=p.amount), {"family": "priority"}))
        app.source("agent", priority=Priority.HIGH)
        await rig.start(app)
        low = await rig.submit(Payout("a", Priority.LOW), source="agent")
        high = await rig.submit(Payout("a", Priority.URGENT), source="agent")
        assert (low.decision.priority, high.decision.priority) == (Priority.LOW, Priority.NORMAL)

    simulate(main)


def test_the_policy_version_follows_the_gates():
    async def main(rig):
        def policy(*gates, version="1"):
            app = gated(rig, *gates)
            app.version = version
            return app.policy_version()

        one, two = (lambda p, s: allow()), (lambda p, s: deny("NO"))
        assert policy(one) == policy(one)
        assert len({policy(one), policy(two), policy(one, two), policy((one, {"shadow": True}))}) == 4
        assert policy((one, {"parameters": {"max": 1}})) != policy((one, {"parameters": {"max": 2}}))
        assert policy(one) != policy(one, version="2")
        await rig.start(gated(rig, one))
        assert (await rig.submit(Payout("a"))).verdict.policy == policy(one)

    simulate(main)


def test_what_a_gate_may_not_be():
    async def main(rig):
        app = payouts(rig.world)
        with pytest.raises(DeclarationError, match="family"):
            app.gate(Payout, family="luck")
        with pytest.raises(DeclarationError, match="names the kinds"):
            app.gate()
        with pytest.raises(DeclarationError, match="no decision kind"):
            app.gate(str)(lambda p, s: allow())
        with pytest.raises(DeclarationError, match="twice"):
            app.gate(Payout, name="open_to_all")(lambda p, s: allow())
        with pytest.raises(DeclarationError, match="capitals"):
            deny("no")

    simulate(main)
