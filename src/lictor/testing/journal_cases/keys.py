"""Keys: the same key and content is the same decision, other content is refused, for as long as keys are kept (I10)."""

# ruff: noqa: PLR2004 - the expected figure is the point

from __future__ import annotations

from lictor.records import Result
from lictor.testing.journal_stand import Stand, admit, cash, close, decision, hold, limit, refuse


async def the_same_again_is_a_duplicate(stand: Stand) -> None:
    """While it is open, after it has closed, in one batch, and after a restart."""
    await stand.one(limit(100))
    first, again = await stand.write(
        admit(decision(1, key="k"), cash(40), fence=stand.fence()),
        admit(decision(2, key="k"), cash(40), fence=stand.fence()),
    )
    assert first.ok
    assert (again.ok, again.code, again.decision, again.started) == (False, "DUPLICATE", 1, False)
    assert again.verdict is not None
    assert again.verdict.result is Result.ADMITTED
    assert stand.room() == 60
    await stand.one(close(1))
    await stand.crash()
    answer = await stand.one(admit(decision(3, key="k"), cash(40)))
    assert (answer.ok, answer.code, answer.decision) == (False, "DUPLICATE", 1)
    assert answer.verdict is not None
    assert answer.verdict.result is Result.ADMITTED
    assert answer.outcome is not None
    assert answer.outcome.result == "succeeded"
    assert not stand.state.open
    assert await stand.journal.history(3) == []


async def ended_within_its_batch(stand: Stand) -> None:
    """A duplicate of what was admitted and closed earlier in the same batch is told both."""
    fence = stand.fence()
    *_, again = await stand.write(
        admit(decision(1, key="k"), fence=fence), close(1, "fail", code="E"), admit(decision(2, key="k"))
    )
    assert (again.code, again.decision) == ("DUPLICATE", 1)
    assert again.verdict is not None
    assert again.outcome is not None
    assert again.outcome.code == "E"


async def other_content_is_refused(stand: Stand) -> None:
    """KEY_REUSED, recorded, and the key stays bound to the first."""
    await stand.one(admit(decision(1, b'{"amount":1}', key="k")))
    answer = await stand.one(admit(decision(2, b'{"amount":2}', key="k")))
    assert answer.verdict is not None
    assert (answer.verdict.result, answer.verdict.code) == (Result.REFUSED, "KEY_REUSED")
    assert await stand.events(2) == ["admit"]
    assert await stand.journal.find("acme", "agent", "k") == [1]
    answer = await stand.one(admit(decision(3, b'{"amount":1}', key="k")))
    assert (answer.code, answer.decision) == ("DUPLICATE", 1)


async def an_amended_decision_keeps_its_key(stand: Stand) -> None:
    """The key is bound to the content as it was submitted, so that the submitter's retry is a duplicate."""
    submitted = decision(1, b'{"amount":5}', key="k")
    amended = decision(1, b'{"amount":3}', key="k", submitted_digest=submitted.digest, amended_from=submitted.digest)
    assert (await stand.one(admit(amended))).ok
    again = await stand.one(admit(decision(2, b'{"amount":5}', key="k")))
    assert (again.code, again.decision) == ("DUPLICATE", 1)


async def keys_belong_to_tenant_and_source(stand: Stand) -> None:
    """The same key of another tenant or source is another key."""
    answers = await stand.write(
        admit(decision(1, key="k")),
        admit(decision(2, key="k", source="other")),
        admit(decision(3, key="k", tenant="globex")),
    )
    assert all(answer.ok for answer in answers)
    find = stand.journal.find
    assert await find("acme", "agent", "k") == [1]
    assert await find("acme", None, "k") == [2, 1]
    assert await find("globex", None, "k") == [3]
    assert await find("acme", None, "unknown") == []
    assert await find("acme", "unknown", "k") == []


async def held_and_refused_bind_their_keys(stand: Stand) -> None:
    """Everything but shed work binds its key."""
    await stand.write(hold(decision(1, key="a")), refuse(decision(2, key="b"), "NO"))
    held, refused = await stand.write(hold(decision(3, key="a")), admit(decision(4, key="b")))
    assert (held.code, held.decision) == ("DUPLICATE", 1)
    assert (refused.code, refused.decision) == ("DUPLICATE", 2)
    assert refused.verdict is not None
    assert refused.verdict.code == "NO"


async def many_keys(stand: Stand) -> None:
    """Beyond what an index may keep in memory."""
    count = 300
    for first in range(1, count + 1, 50):
        await stand.write(*(refuse(decision(id_, key=f"k{id_}"), "NO") for id_ in range(first, first + 50)))
    await stand.reopen()
    answers = await stand.write(*(admit(decision(1000 + id_, key=f"k{id_}")) for id_ in range(1, count + 1)))
    assert [answer.decision for answer in answers] == list(range(1, count + 1))
    assert {answer.code for answer in answers} == {"DUPLICATE"}


CASES = (
    the_same_again_is_a_duplicate,
    ended_within_its_batch,
    other_content_is_refused,
    an_amended_decision_keeps_its_key,
    keys_belong_to_tenant_and_source,
    held_and_refused_bind_their_keys,
    many_keys,
)
