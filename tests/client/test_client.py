"""Both clients against a real node behind a real server, over real sockets."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from itertools import islice

import pytest
from tests.client.conftest import calling, node_served

from lictor.client import (
    ONCE,
    ApiError,
    AsyncClient,
    BadRequestError,
    Client,
    NotAllowedError,
    NotThereError,
    Patience,
    Signal,
    Submitted,
    UnreachableError,
)


@dataclass
class Payout:
    account: str
    amount: int


def payout(amount: int, account: str = "a-17") -> dict:
    return {"account": account, "amount": amount}


# -- sync -------------------------------------------------------------------------------------------------------------


def test_a_decision_its_outcome_and_its_story(client: Client) -> None:
    told = client.submit("Payout", Payout("a-17", 10), key="one", wait_s=10)
    assert (told.admitted, told.duplicate, told.outcome.result) == (True, False, "succeeded")
    assert told.outcome.value == "receipt a-17"
    assert (told.verdict.rulings[0].gate, told.verdict.rulings[0].result) == ("account_known", "allow")
    assert told.verdict.reserved[0].amount == 10
    again = client.submit("Payout", Payout("a-17", 10), key="one")
    assert (again.id, again.duplicate, again.outcome.result) == (told.id, True, "succeeded")
    assert any("account_known allowed" in line for line in client.show("one").lines)
    assert client.show(told.id).decision == told.id


def test_a_refusal_is_an_answer_with_its_reason(client: Client) -> None:
    told = client.submit("Payout", payout(10, "nobody"))
    assert (told.verdict.result, told.verdict.code) == ("refused", "ACCOUNT_UNKNOWN")
    assert (told.verdict.why.gate, told.verdict.why.seen) == ("account_known", {"account": "nobody"})
    assert client.submit("Payout", payout(11), key="reused").admitted
    assert client.submit("Payout", payout(12), key="reused").verdict.code == "KEY_REUSED"


def test_what_cannot_be_done_is_an_error_with_the_engine_s_code(client: Client, served) -> None:
    with pytest.raises(NotThereError) as missing:
        client.show("no such key")
    assert (missing.value.code, missing.value.status) == ("NOT_FOUND", 404)
    with pytest.raises(BadRequestError) as malformed:
        client.submit("Payout", payout(1), priority="immediate")
    assert malformed.value.code == "MALFORMED"
    with Client(served["server"].url, key="lk_none_none") as stranger, pytest.raises(NotAllowedError) as denied:
        stranger.show("one")
    assert denied.value.status == 401


def test_many_come_back_in_order_with_what_is_wrong_with_one(client: Client) -> None:
    signals = [Signal(kind="Payout", payload=payout(1), key=f"many-{n}") for n in range(1_500)]
    signals[700] = Signal(kind="Payout", payload=payout(1, "nobody"))
    signals[900] = Signal(kind="Payout", payload=payout(1), priority="immediate")  # type: ignore[arg-type]
    told = list(client.submit_many(signals))
    assert len(told) == 1_500
    assert told[700].verdict.code == "ACCOUNT_UNKNOWN"
    assert isinstance(told[900], ApiError)
    assert told[900].code == "MALFORMED"
    judged = [one for one in told if isinstance(one, Submitted)]
    assert {one.verdict.result for one in judged} <= {"admitted", "refused"}
    assert [one.duplicate for one in client.submit_many(signals[:3])] == [True] * 3


def test_many_are_taken_only_as_fast_as_their_answers_are(client: Client) -> None:
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield Signal(kind="Payout", payload=payout(1, "nobody"))
            number += 1

    answers = client.submit_many(endless())
    assert len(list(islice(answers, 10))) == 10
    assert len(taken) < 2_000
    answers.close()


def test_pages_are_turned_by_themselves(client: Client) -> None:
    for _ in client.submit_many(Signal(kind="Payout", payload=payout(1, "nobody")) for _ in range(1_100)):
        pass
    found = list(client.decisions(code="ACCOUNT_UNKNOWN", limit=1_050))
    assert len({one.id for one in found}) == 1_050
    assert sorted(found, key=lambda one: one.id, reverse=True) == found
    assert {one.state for one in found} == {"refused"}
    assert len(list(client.decisions(limit=3))) == 3


def test_the_feed_is_followed_from_a_cursor(client: Client) -> None:
    first = client.submit("Payout", payout(2), key="feed-1", wait_s=10)
    seen = next(row for row in client.follow() if row.id == first.id)
    second = client.submit("Payout", payout(2), key="feed-2", wait_s=10)
    assert [row.id for row in islice(client.follow(seen.cursor), 1)] == [second.id]
    after = client.outcomes(seen.cursor, limit=1)
    assert (after.outcomes[0].outcome.result, after.after) == ("succeeded", after.outcomes[0].cursor)


def test_a_held_one_waits_for_another_person(made, client: Client) -> None:
    ana = made("ana", "approve")
    held = client.submit("Payout", payout(501), key="held", expires_in_s=600)
    assert (held.verdict.result, held.verdict.why.code) == ("held", "LARGE")
    with pytest.raises(NotAllowedError):
        client.approve("held")  # its own source
    ana.deny("held", reason="no")
    with pytest.raises(ApiError):
        ana.deny("held", reason="no")
    assert client.submit("Payout", payout(501), key="held").duplicate
    assert any("denied by ana: no" in line for line in ana.show("held").lines)
    client.submit("Payout", payout(502), key="held too", expires_in_s=600)
    told = ana.approve("held too", reason="yes", again_for_s=3_600)
    assert (told.more, told.gates[0].approved_by) == (0, ("ana",))
    assert client.submit("Payout", payout(502), key="held too", wait_s=10).outcome.result == "succeeded"
    assert client.submit("Payout", payout(502), key="the same", wait_s=10).outcome.result == "succeeded"
    (stands,) = ana.standing()
    assert (stands.by, stands.reason, stands.until_us, stands.decision) == ("ana", "yes", told.until_us, told.id)
    assert ana.withdraw("the same") == (stands,)
    assert client.standing() == ()


def test_the_kill_switch_and_the_budgets(client: Client) -> None:
    stopped = client.halt("kind:Payout", reason="month end")
    assert (stopped.scope, stopped.mode, stopped.by) == ("kind:Payout", "halted", "local")
    assert client.submit("Payout", payout(1)).verdict.code == "HALTED"
    assert [one.scope for one in client.halts()] == ["kind:Payout"]
    assert client.resume("kind:Payout")
    assert not client.resume("kind:Payout")
    client.set_limit("cash", 5_000, scope="other")
    assert {one.scope: one.limit for one in client.budgets().limits}["other"] == 5_000


def test_quarantine(made, client: Client) -> None:
    feed = made("feed", "submit", sources=("feed",))
    told = feed.submit("Payout", payout(70_000))
    assert told.verdict.code == "QUARANTINED"
    (entry,) = client.quarantine("feed")
    assert entry.reason == "range"
    assert client.quarantined(entry.id).signal["payload"]["amount"] == 70_000
    again = client.replay(entry.id, payout(3))
    assert again.admitted
    feed.submit("Payout", payout(80_000))
    (other,) = client.quarantine("feed")
    client.discard(other.id)
    assert client.quarantine("feed") == ()


def test_what_runs_there(client: Client) -> None:
    assert client.node()["app"] == "payouts"
    assert "Payout" in client.kinds()["kinds"]
    assert client.quality()["quality"] <= 1
    assert {one["source"] for one in client.sources()} >= {"local", "feed"}


# -- async ------------------------------------------------------------------------------------------------------------


def test_the_async_client_does_the_same() -> None:
    async def main() -> None:
        async with node_served() as (_, server, token), calling(server, token) as client:
            told = await client.submit("Payout", payout(10), key="one", wait_s=10)
            assert told.outcome.result == "succeeded"
            both = await asyncio.gather(*(client.submit("Payout", payout(1), key=f"k-{n}") for n in range(40)))
            assert all(one.admitted for one in both)

            async def stream():
                for n in range(600):
                    yield Signal(kind="Payout", payload=payout(1), key=f"s-{n}")

            assert len([one async for one in client.submit_many(stream())]) == 600
            assert [
                one.duplicate async for one in client.submit_many([Signal(kind="Payout", payload=payout(1), key="s-1")])
            ] == [True]
            assert len([one async for one in client.decisions(limit=550)]) == 550
            async for row in client.follow():
                assert row.outcome.result == "succeeded"
                break
            assert (await client.halt("all")).mode == "halted"
            assert await client.resume("all")
            with pytest.raises(NotThereError):
                await client.show("nothing")

    asyncio.run(main())


def test_a_follower_hears_of_what_comes_later() -> None:
    async def main() -> None:
        async with node_served() as (_, server, token), calling(server, token) as client:
            heard = asyncio.create_task(anext(client.follow()))
            told = await client.submit("Payout", payout(10), wait_s=10)
            assert (await asyncio.wait_for(heard, 10)).id == told.id

    asyncio.run(main())


def test_both_clients_have_the_same_calls() -> None:
    def calls(owner: type) -> dict[str, list[str]]:
        made = {name: found for name, found in vars(owner).items() if inspect.isfunction(found) and name[0] != "_"}
        return {name.lstrip("a"): list(inspect.signature(found).parameters) for name, found in made.items()}

    assert calls(Client) == calls(AsyncClient)
    for name, found in vars(Client).items():
        if not name.startswith("_") and name != "close":
            assert found.__doc__ == getattr(AsyncClient, name).__doc__


def test_everything_that_changes_is_heard(client: Client) -> None:
    events = client.events()
    assert next(events).name == "hello"
    client.submit("Payout", payout(4), key="heard", wait_s=10)
    # What others have changed may come before it, or be so much that it is counted and not named.
    heard = (e for e in events if e.data["more"] or any(one["key"] == "heard" for one in e.data["changed"]))
    assert next(heard).name == "decisions"
    events.close()


def test_a_node_that_comes_back_is_found_again_and_a_key_makes_it_once(tmp_path) -> None:
    """The client goes on trying while the node is away; what it had submitted is not done twice."""
    journal = str(tmp_path / "lictor.db")

    async def main() -> None:
        async with node_served(journal) as (_, server, token):
            port = server.port
            async with calling(server, token) as client:
                assert (await client.submit("Payout", payout(10), key="once", wait_s=10)).outcome.result == "succeeded"
        patient = Patience(tries_max=1_000, base_s=0.01, wait_s_max=0.02)
        async with AsyncClient(f"http://127.0.0.1:{port}", key=token, patience=patient) as client:
            again = asyncio.create_task(client.submit("Payout", payout(10), key="once"))
            async with node_served(journal, port):
                told = await again
                assert (told.duplicate, told.outcome.result) == (True, "succeeded")

    asyncio.run(main())


def test_where_nobody_listens_it_says_so() -> None:
    with Client("http://127.0.0.1:1", patience=ONCE) as nobody, pytest.raises(UnreachableError) as raised:
        nobody.node()
    assert (raised.value.code, raised.value.unknown) == ("UNREACHABLE", False)
