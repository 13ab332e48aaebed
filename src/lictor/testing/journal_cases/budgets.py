"""Balances: reserved at admission, settled to what was used, never overspent (I3); windows, overruns, parents."""

# ruff: noqa: PLR2004 - the expected figure is the point

from __future__ import annotations

from decimal import Decimal

from lictor.journal.port import Act, Answer
from lictor.lifecycle import DecisionState
from lictor.testing.journal_stand import T0_US, Stand, admit, cash, close, decision, defer, limit


def refused(answer: Answer) -> str | None:
    """The code of a refusal."""
    return answer.verdict.code if answer.verdict is not None else None


async def later_items_see_earlier_reservations(stand: Stand) -> None:
    """I3 within a batch: no race can overspend."""
    answers = await stand.write(limit(100), *(admit(decision(id_), cash(40)) for id_ in (1, 2, 3)))
    assert [refused(answer) for answer in answers] == [None, None, None, "BUDGET_EXCEEDED"]
    assert answers[3].verdict is not None
    assert answers[3].verdict.rulings[-1].seen == {
        "budget": "cash", "scope": "acme", "asked": 40, "left": 20, "limit": 100,
    }  # fmt: skip
    assert stand.room() == 20


async def two_reservations_of_one_scope_add_up(stand: Stand) -> None:
    """One decision that asks twice is judged by the sum."""
    await stand.one(limit(100))
    assert refused(await stand.one(admit(decision(1), cash(60), cash(60)))) == "BUDGET_EXCEEDED"
    assert refused(await stand.one(admit(decision(2), cash(60), cash(40)))) is None
    assert stand.room() == 0


async def an_unknown_budget_is_empty(stand: Stand) -> None:
    """Nothing was ever allowed there. A negative amount is no reservation."""
    assert refused(await stand.one(admit(decision(1), cash(1, "nobody")))) == "BUDGET_EXCEEDED"
    await stand.one(limit(10))
    assert refused(await stand.one(admit(decision(2), cash(-1)))) == "MALFORMED"


async def a_success_uses_and_a_failure_frees(stand: Stand) -> None:
    """Where nothing was reported, success used all of it and anything else none."""
    await stand.one(limit(100))
    await stand.write(
        *(admit(decision(id_), cash(20), fence=stand.fence()) for id_ in (1, 2, 3)), admit(decision(4), cash(20))
    )
    await stand.write(close(1), close(2, "fail", code="E"), close(4, "expire"))
    assert stand.room() == 60
    balance = stand.state.balances["cash", "acme"]
    assert (balance.settled(None), balance.reserved(None)) == (20, 20)


async def what_was_reported_is_what_was_used(stand: Stand) -> None:
    """The rest is released in the same transaction; a budget that was not reserved is booked too."""
    await stand.write(limit(100), limit(50, "fees"))
    fences = [stand.fence(), stand.fence()]
    await stand.write(*(admit(decision(n), cash(30), fence=fence) for n, fence in enumerate(fences, 1)))
    used = (("cash", "acme", 12), ("cash", "fees", 2))
    await stand.write(
        close(1, "succeed", [Act(0, "succeed", fences[0], settled=used)]),
        close(2, "fail", [Act(0, "fail", fences[1], "E", settled=(("cash", "acme", 5),))], code="E"),
    )
    assert (stand.room(), stand.room("fees")) == (83, 48)


async def lowering_a_limit_only_blocks_new_work(stand: Stand) -> None:
    """What is reserved stays; room may be negative."""
    await stand.write(limit(100), admit(decision(1), cash(80), fence=stand.fence()))
    await stand.one(limit(50))
    assert stand.room() == -30
    assert refused(await stand.one(admit(decision(2), cash(1)))) == "BUDGET_EXCEEDED"
    assert (await stand.one(close(1))).ok
    await stand.one(limit(90))
    assert refused(await stand.one(admit(decision(3), cash(10)))) is None


async def an_overrun_latches(stand: Stand) -> None:
    """More used than reserved is booked, because it happened, and stops the scope until a person resets it."""
    fence = stand.fence()
    await stand.write(limit(100), admit(decision(1), cash(10), fence=fence))
    await stand.one(close(1, "succeed", [Act(0, "succeed", fence, settled=(("cash", "acme", 15),))]))
    assert stand.state.balances["cash", "acme"].latched
    assert stand.room() == 85
    assert refused(await stand.one(admit(decision(2), cash(1)))) == "BUDGET_LATCHED"
    await stand.one(limit(100))
    assert refused(await stand.one(admit(decision(3), cash(1)))) == "BUDGET_LATCHED"
    await stand.one(limit(100, reset_latch=True))
    assert refused(await stand.one(admit(decision(4), cash(1)))) is None


async def each_window_has_sums_of_its_own(stand: Stand) -> None:
    """A windowed budget charges the window of the reservation, however late it is settled."""
    window_us = 10_000_000
    first = T0_US - T0_US % window_us
    second = first + window_us
    fence = stand.fence()
    await stand.write(limit(100, window_s=10.0), admit(decision(1), cash(70, window_us=first), fence=fence))
    assert refused(await stand.one(admit(decision(2), cash(40, window_us=first)))) == "BUDGET_EXCEEDED"
    stand.at_us = second + 1
    assert refused(await stand.one(admit(decision(3), cash(40, window_us=second)))) is None
    await stand.one(close(1, "succeed", [Act(0, "succeed", fence, settled=(("cash", "acme", 50),))]))
    assert stand.room(window_us=first) == 50
    assert stand.room(window_us=second) == 60


async def old_windows_are_forgotten(stand: Stand) -> None:
    """I17: what ended long ago and holds nothing takes no room; what holds something is kept."""
    width_us = 10_000_000
    first = T0_US - T0_US % width_us
    await stand.write(limit(10, window_s=10.0), admit(decision(100), cash(1, window_us=first)))
    for n in range(1, 6):
        stand.at_us = T0_US + n * width_us
        await stand.write(
            admit(
                decision(n, deadline_us=stand.at_us + 1), cash(1, window_us=first + n * width_us), fence=stand.fence()
            ),
            close(n),
        )
    windows = sorted(window for window in stand.state.balances["cash", "acme"].sums if window is not None)
    assert windows == [first, first + 4 * width_us, first + 5 * width_us]


async def a_changed_window_begins_empty(stand: Stand) -> None:
    """From then on; what is held stays in the window that it was reserved in, and is settled there."""
    first, second = T0_US - T0_US % 60_000_000, T0_US - T0_US % 3_600_000_000
    await stand.write(limit(100, window_s=60.0), admit(decision(1), cash(70, window_us=first), fence=stand.fence()))
    await stand.write(admit(decision(2), cash(20, window_us=first), fence=stand.fence()), close(2))
    await stand.write(limit(50, window_s=3_600.0))
    assert stand.state.balances["cash", "acme"].window_us == 3_600_000_000
    assert stand.room(window_us=second) == 50
    assert refused(await stand.one(admit(decision(3), cash(51, window_us=second)))) == "BUDGET_EXCEEDED"
    await stand.write(admit(decision(4), cash(50, window_us=second), fence=stand.fence()), close(1), close(4))
    assert stand.room(window_us=second) == 0
    await stand.write(limit(50))
    assert stand.state.balances["cash", "acme"].window_us == 3_600_000_000
    await stand.write(limit(30, window_s=0.0), admit(decision(5), cash(30), fence=stand.fence()))
    found: int | None = stand.state.balances["cash", "acme"].window_us
    assert found is None
    assert (await stand.one(close(5))).ok
    assert stand.room() == 0


async def amounts_may_be_decimal(stand: Stand) -> None:
    """Exact, whatever the store."""
    await stand.one(limit(Decimal("0.30")))
    answers = await stand.write(
        *(admit(decision(id_), cash(Decimal("0.10")), fence=stand.fence()) for id_ in (1, 2, 3))
    )
    assert [refused(answer) for answer in answers] == [None, None, None]
    assert stand.room() == 0
    await stand.one(close(2, "fail", code="E"))
    assert stand.room() == Decimal("0.10")
    huge = Decimal(10**27)  # integers beyond 64 bits are written as Decimal, of up to 28 digits
    await stand.write(limit(huge, "huge"), admit(decision(4), cash(huge - 1, "huge")))
    assert stand.room("huge") == 1


async def children_draw_from_their_parent(stand: Stand) -> None:
    """What a parent reserved is spent by its children; only what goes beyond is reserved anew."""
    await stand.write(limit(100), admit(decision(1), cash(80), fence=stand.fence()))
    child = decision(2, parent=1, depth=1)
    assert refused(await stand.one(admit(child, cash(50), fence=stand.fence()))) is None
    assert stand.room() == 20
    assert stand.state.open[1].held["cash", "acme", None] == 30
    assert refused(await stand.one(admit(decision(3, parent=1, depth=1), cash(60)))) == "BUDGET_EXCEEDED"
    assert refused(await stand.one(admit(decision(4, parent=1, depth=1), cash(45)))) is None
    assert stand.room() == 5
    assert stand.state.open[1].held["cash", "acme", None] == 0
    await stand.write(close(2), close(1, "fail", code="E"))
    balance = stand.state.balances["cash", "acme"]
    assert (balance.settled(None), balance.reserved(None)) == (50, 45)


async def a_childs_end_leaves_its_parents_draw(stand: Stand) -> None:
    """A parent that outlives its child holds what the child left it, also after a restart."""
    await stand.write(
        limit(100),
        admit(decision(1), cash(80), fence=stand.fence()),
        admit(decision(2, parent=1, depth=1), cash(50), fence=stand.fence()),
    )
    await stand.one(close(2))
    await stand.crash()
    assert stand.state.open[1].held["cash", "acme", None] == 30
    await stand.one(close(1))
    assert stand.room() == 20


async def a_parent_must_be_admitted_and_near(stand: Stand) -> None:
    """Unknown, waiting, closed, or nested too deep: refused."""
    await stand.one(defer(decision(1)))
    await stand.write(admit(decision(2), fence=stand.fence()), close(2), admit(decision(3), fence=stand.fence()))
    for id_, parent, depth, code in (
        (11, 99, 1, "PARENT_INVALID"),
        (12, 1, 1, "PARENT_INVALID"),
        (13, 2, 1, "PARENT_INVALID"),
        (14, 3, 5, "PARENT_INVALID"),
        (15, 3, 4, None),
    ):
        assert refused(await stand.one(admit(decision(id_, parent=parent, depth=depth)))) == code


async def a_successor_takes_the_reservation(stand: Stand) -> None:
    """Superseding what has not started moves its reservation in one transaction and ends it."""
    await stand.write(limit(100), admit(decision(1), cash(80)))
    answer = await stand.one(admit(decision(2, supersedes=1), cash(90)))
    assert refused(answer) is None
    assert answer.closed == 1
    assert stand.room() == 10
    assert set(stand.state.open) == {2}
    (row,) = await stand.journal.outcomes(None, 0, 10)
    assert (row.decision, row.outcome.result, row.outcome.code) == (1, "cancelled", "SUPERSEDED")
    assert await stand.events(1) == ["admit", "admit"]
    assert await stand.events(2) == ["admit"]


async def a_successor_of_started_work_waits(stand: Stand) -> None:
    """What has started keeps its reservation and its end; the successor must find room of its own."""
    await stand.write(limit(100), admit(decision(1), cash(80), fence=stand.fence()))
    assert refused(await stand.one(admit(decision(2, supersedes=1), cash(90)))) == "BUDGET_EXCEEDED"
    answer = await stand.one(admit(decision(3, supersedes=1), cash(20)))
    assert answer.closed is None
    assert stand.state.open[1].state == DecisionState.RUNNING
    assert stand.room() == 0


CASES = (
    later_items_see_earlier_reservations,
    two_reservations_of_one_scope_add_up,
    an_unknown_budget_is_empty,
    a_success_uses_and_a_failure_frees,
    what_was_reported_is_what_was_used,
    lowering_a_limit_only_blocks_new_work,
    an_overrun_latches,
    each_window_has_sums_of_its_own,
    old_windows_are_forgotten,
    a_changed_window_begins_empty,
    amounts_may_be_decimal,
    children_draw_from_their_parent,
    a_childs_end_leaves_its_parents_draw,
    a_parent_must_be_admitted_and_near,
    a_successor_takes_the_reservation,
    a_successor_of_started_work_waits,
)
