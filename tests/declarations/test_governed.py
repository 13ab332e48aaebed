"""`app.govern`: an existing function becomes a governed one; what is refused says so; a run does each call once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.rig import simulate

from lictor import (
    App,
    BlockingNode,
    Call,
    EffectFailed,
    Failed,
    Held,
    NotDone,
    Refused,
    Run,
    Unfinished,
    allow,
    deny,
    pending,
    report,
)
from lictor.declarations.refusal import refusal_of
from lictor.declarations.runs import TRIES_MAX, call_key
from lictor.journal.port import Filter
from lictor.records import Result, Ruling, Verdict


class Mail:
    """What a mail server has sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.fails = 0

    async def send(self, to: str, text: str = "hi") -> str:
        """Send a mail."""
        if self.fails:
            self.fails -= 1
            raise EffectFailed("the server is away")
        self.sent.append((to, text))
        return f"mail {len(self.sent)}"


def office(mail: Mail, **terms: Any) -> tuple[App, Any]:
    app = App("office")
    return app, app.govern(mail.send, **terms)


def governing(test):
    """Run `test(rig, app, governed, mail, node)` in simulation, on a node of an App with one governed function."""

    def run(**terms: Any):
        async def main(rig):
            mail = Mail()
            app, send = office(mail, **terms)
            node = await rig.start(app)
            return await rig.on(test(node, send, mail))

        return simulate(main)

    return run


def test_a_call_gives_its_result():
    async def main(node, send, mail):
        assert await send(node, "ann") == "mail 1"
        assert await send(node, "ann", text="bye") == "mail 2"
        assert mail.sent == [("ann", "hi"), ("ann", "bye")]

    governing(main)()


def test_the_same_call_of_a_run_is_done_once_and_at_another_step_again():
    async def main(node, send, mail):
        run = Run("order-1")
        with run:
            assert await send(node, "ann") == "mail 1"
            assert await send(node, to="ann", text="hi") == "mail 1"  # the same arguments, written otherwise
            assert await send(node, "bob") == "mail 2"
            with run.step("reminder"):
                assert await send(node, "ann") == "mail 3"
        with Run("order-1"):  # repeated, as after a crash
            assert await send(node, "ann") == "mail 1"
            with Run("order-1").step("reminder"):
                assert await send(node, "ann") == "mail 3"
        with Run("order-2"):
            assert await send(node, "ann") == "mail 4"
        assert Run.current() is None

    governing(main)()


def test_without_a_run_each_call_is_one_of_its_own():
    async def main(node, send, mail):
        assert await send(node, "ann") != await send(node, "ann")

    governing(main)()


def test_a_refusal_says_what_would_be_allowed():
    async def main(rig):
        mail = Mail()
        app = App("office")
        stamps = app.balance("stamps", limit=3)
        send = app.govern(mail.send, budget=lambda text: stamps.reserve(len(text)))
        node = await rig.start(app)
        assert await rig.on(send(node, "ann")) == "mail 1"
        with pytest.raises(Refused) as refused:
            await rig.on(send(node, "ann"))
        told = refused.value
        assert (told.code, told.allowed, told.refusal.said_by) == ("BUDGET_EXCEEDED", {"stamps": 1}, "journal")
        assert "needs 2 of the budget stamps, and 1 are left of 3" in str(told)
        assert await rig.on(send(node, "ann", "!")) == "mail 2"

    simulate(main)


def test_a_check_says_what_it_allows():
    async def main(node, send, mail):
        with pytest.raises(Refused) as refused:
            await send(node, "ann", "far too long")
        assert refused.value.allowed == {"text": "at most 5 letters"}
        assert refused.value.code == "TOO_LONG"
        assert not mail.sent

    def short(text):
        return allow() if len(text) <= 5 else deny("TOO_LONG", allowed={"text": "at most 5 letters"})

    governing(main)(check=short)


def test_a_held_call_goes_on_once_it_is_approved():
    async def main(node, send, mail):
        with Run("r"):
            with pytest.raises(Held) as held:
                await send(node, "ann@far")
            with pytest.raises(Held) as again:
                await send(node, "ann@far")
            assert held.value.decision == again.value.decision
            assert again.value.refusal.duplicate
            assert not mail.sent
            await node.approve(held.value.decision, by="eva")
            assert await send(node, "ann@far") == "mail 1"
            assert await send(node, "bob") == "mail 2"

    governing(main)(approve_if=lambda to: "@" in to)


def test_what_a_person_denied_is_not_asked_again_in_the_same_step():
    async def main(node, send, mail):
        with Run("r") as run:
            with pytest.raises(Held) as held:
                await send(node, "ann")
            await node.approve(held.value.decision, by="eva", approved=False)
            with pytest.raises(Refused) as refused:
                await send(node, "ann")
            assert refused.value.code == "APPROVAL_DENIED"
            with run.step("later"), pytest.raises(Held):
                await send(node, "ann")

    governing(main)(approve_if=lambda: True)


def test_a_patient_call_waits_for_the_person():
    async def main(rig):
        mail = Mail()
        app, send = office(mail, approve_if=lambda: True)
        node = await rig.start(app)

        async def approve():
            await rig.clock.sleep(5)
            (row,) = [found for found in node.journal.state.open.values() if found.state == "held"]
            await node.approve(row.decision.id, by="eva")

        approving = rig.loop.create_task(rig.on(approve()))
        assert await rig.on(send.on(node, patience_s=60)("ann")) == "mail 1"
        await approving

    simulate(main)


def test_a_refused_or_failed_try_is_made_anew():
    async def main(node, send, mail):
        with Run("r"):
            mail.fails = 1
            with pytest.raises(Failed) as failed:
                await send(node, "ann")
            assert failed.value.code == "EFFECT_FAILED"
            await node.halt(by="eva", reason="lunch")
            with pytest.raises(Refused) as refused:
                await send(node, "ann")
            assert refused.value.code == "HALTED"
            assert "all is halted by eva: lunch" in refused.value.why
            await node.resume(by="eva")
            assert await send(node, "ann") == "mail 1"
            assert await send(node, "ann") == "mail 1"

    governing(main)()


def test_tries_are_bounded():
    async def main(node, send, mail):
        with Run("r"):
            for _ in range(TRIES_MAX + 5):
                with pytest.raises(Refused):
                    await send(node, "ann")
        assert len(await node.journal.decisions(Filter(limit=1_000))) == TRIES_MAX

    governing(main)(check=lambda: deny("NEVER"))


def test_a_failure_that_is_not_certain_is_not_tried_under_another_key():
    async def main(rig):
        keys: list[str] = []

        async def book(call: Call, what: str) -> str:
            keys.append(call.key)
            raise RuntimeError("the line went dead")

        app = App("office")
        booked = app.govern(book, idempotent=True)
        node = await rig.start(app)
        with Run("r"):
            for _ in range(2):  # nobody knows what became of it, and no one can be asked: a person says
                with pytest.raises(Unfinished):
                    await rig.on(booked.on(node, wait_s=5)("x"))
        assert len(set(keys)) == 1

    simulate(main)


def test_what_takes_longer_is_unfinished_and_found_again():
    async def main(rig):
        app = App("office")

        async def order(what: str) -> str:
            await rig.clock.sleep(10)
            return "ordered"

        ordering = app.govern(order)
        node = await rig.start(app)
        with Run("r"):
            bound = ordering.on(node, wait_s=1)
            with pytest.raises(Unfinished):
                await rig.on(bound("tea"))
            assert await rig.on(ordering(node, "tea")) == "ordered"
        assert len(node.journal.state.open) == 0

    simulate(main)


def test_source_tenant_and_run_of_a_bound_function():
    async def main(rig):
        mail = Mail()
        app, send = office(mail)
        node = await rig.start(app)
        bound = send.on(node, source="agent-7", tenant="acme", run=Run("r"), confidence=0.5)
        await rig.on(bound("ann"))
        (row,) = await rig.on(node.outcomes("agent-7"))
        assert row.key == call_key("r", "", "send", b'{"to":"ann","text":"hi"}')
        assert (bound.__name__, bound.__doc__) == ("send", "Send a mail.")

    simulate(main)


def test_a_sync_function_and_a_blocking_node(tmp_path):
    class Bank:
        def __init__(self):
            self.paid = []

        def pay(self, to: str, amount: Decimal, *, note: str = "") -> dict[str, str]:
            self.paid.append((to, amount, note))
            return {"receipt": f"{to}-{amount}"}

    bank, app = Bank(), App("bank")
    pay = app.govern(bank.pay)
    with BlockingNode(app, str(tmp_path / "bank.db")) as node, Run("r"):
        assert node.call(pay, "ann", Decimal("1.50"), note="tea") == {"receipt": "ann-1.50"}
        assert node.call(pay, "ann", amount=Decimal("1.50"), note="tea") == {"receipt": "ann-1.50"}
        assert bank.paid == [("ann", Decimal("1.50"), "tea")]


def test_a_rate_and_further_gates_hold_for_it():
    async def main(rig):
        mail, app = Mail(), App("office")
        send = app.govern(mail.send, limit=app.rate("mail", per_s=0.5, burst=1), expires_in_s=5)

        @app.gate(send.kind)
        def known(value, state):
            return allow() if value.to in {"ann", "bob"} else deny("UNKNOWN", to=value.to)

        node = await rig.start(app)
        with pytest.raises(Refused, match="unknown; seen: to eva"):
            await rig.on(send(node, "eva"))
        began = rig.clock.monotonic()
        await rig.on(send(node, "ann"))
        await rig.on(send(node, "ann"))
        assert rig.clock.monotonic() - began >= 1.9

    simulate(main)


def test_an_effect_that_takes_time_is_waited_for():
    async def main(rig):
        async def order(call: Call, what: str) -> str:
            return pending("ref-1", poll_after_s=1_000)

        app = App("shop")
        ordering = app.govern(order)
        node = await rig.start(app)
        with Run("r"):
            with pytest.raises(Unfinished):
                await rig.on(ordering.on(node, wait_s=1)("tea"))
            await rig.on(node.resolve("ref-1", report("n", final=True, result="succeeded", value="came")))
            assert await rig.on(ordering(node, "tea")) == "came"

    simulate(main)


def test_keys_of_different_calls_differ():
    keys = [
        call_key("a/b", "", "f", b"1"),
        call_key("a", "b", "f", b"1"),
        call_key("a", "", "b/f", b"1"),
        call_key("a%2Fb", "", "f", b"1"),
        call_key("a" * 500, "", "f", b"1"),
        call_key("a" * 501, "", "f", b"1"),
        call_key("\ud800", "", "f", b"1"),
    ]
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) < 512


def test_what_is_told_is_data_too():
    ruling = Ruling("inputs", "deny", "", "OVERLOADED", {"waiting_max": 5})
    verdict = Verdict(result=Result.SHED, at_us=0, digest=b"", code="OVERLOADED", rulings=(ruling,), retry_after_s=0.25)
    told = refusal_of(verdict, None)
    assert told.data() == {
        "status": "shed",
        "code": "OVERLOADED",
        "why": "there is too much to do at the moment",
        "retry_after_s": 0.25,
        "said_by": "inputs",
        "duplicate": False,
    }
    assert told.text() == "shed (OVERLOADED): there is too much to do at the moment. Try again after 0.25 s."
    assert isinstance(Refused(told), NotDone)
