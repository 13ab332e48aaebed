"""Attempts: started once, in time, under a fence that only grows (I5, I9); reports count once; pending and in doubt."""

# ruff: noqa: PLR2004 - the expected figure is the point

from __future__ import annotations

from lictor.journal.port import Act, Progress, Start, StartItem, Undo
from lictor.lifecycle import ActionState, DecisionState
from lictor.testing.journal_stand import MINUTE_US, T0_US, Stand, admit, cash, close, decision, hold, limit, start


async def a_tick_starts_what_it_may(stand: Stand) -> None:
    """One record covers all that a tick hands over; what may not start is left out and named by its absence."""
    await stand.write(admit(decision(1), actions=2), admit(decision(2)), hold(decision(3)))
    fence = stand.fence()
    items = (
        StartItem(1, (0, 1), fence),
        StartItem(2, (0,), fence),
        StartItem(3, (0,), fence),
        StartItem(9, (0,), fence),
    )
    answer = await stand.one(Start(items, T0_US + MINUTE_US))
    assert answer.accepted == {1, 2}
    assert [action.state for action in stand.state.open[1].actions] == [ActionState.STARTED] * 2
    assert stand.state.open[1].lease_until_us == T0_US + MINUTE_US
    assert await stand.events(1) == ["admit", "start"]
    assert await stand.events(2) == ["admit", "start"]
    assert await stand.events(3) == ["admit"]
    answer = await stand.one(Start(items, T0_US + MINUTE_US))
    assert (answer.ok, answer.code, answer.accepted) == (False, "NOTHING_STARTED", frozenset())


async def nothing_starts_past_its_deadline(stand: Stand) -> None:
    """I5, to the microsecond."""
    await stand.write(admit(decision(1, deadline_us=T0_US + 10)), admit(decision(2, deadline_us=T0_US + 11)))
    stand.at_us = T0_US + 10
    fence = stand.fence()
    answer = await stand.one(Start((StartItem(1, (0,), fence), StartItem(2, (0,), fence)), T0_US + 20))
    assert answer.accepted == {2}


async def only_what_is_there_can_start(stand: Stand) -> None:
    """Not an action that the plan has not, not one twice, not under an old fence, not what has ended."""
    await stand.one(admit(decision(1), actions=2))
    old, fence = stand.fence(), stand.fence()
    for verb in (start(1, fence, 2), start(1, fence, -1), start(1, fence, 0, 0)):
        assert (await stand.one(verb)).code == "NOTHING_STARTED"
    assert (await stand.one(start(1, fence, 0))).ok
    await stand.one(Progress(1, (Act(0, "back_off", fence, "TIMEOUT", next_us=T0_US + 5),), T0_US))
    assert (await stand.one(start(1, old, 0))).code == "NOTHING_STARTED"
    assert (await stand.one(start(1, fence, 0))).code == "NOTHING_STARTED"
    newer = stand.fence()
    assert newer > fence
    assert (await stand.one(start(1, newer, 0))).ok
    assert stand.state.open[1].actions[0].attempts == 2
    await stand.one(Progress(1, (Act(0, "succeed", newer),), T0_US))
    assert (await stand.one(start(1, stand.fence(), 0))).code == "NOTHING_STARTED"


async def a_superseded_attempt_changes_nothing(stand: Stand) -> None:
    """I9: news under an old fence is refused, alone or in company, as progress or as an end."""
    old = stand.fence()
    await stand.one(admit(decision(1), fence=old))
    await stand.one(Progress(1, (Act(0, "doubt", old, "TIMEOUT"),), T0_US))
    new = stand.fence()
    await stand.one(start(1, new))
    late = Act(0, "succeed", old)
    assert (await stand.one(Progress(1, (late,), T0_US))).code == "SUPERSEDED_ATTEMPT"
    assert (await stand.one(close(1, "succeed", [late]))).code == "SUPERSEDED_ATTEMPT"
    assert stand.state.open[1].state == DecisionState.RUNNING
    answer = await stand.one(Progress(1, (late, Act(0, "pend", new, ref="r-1", next_us=T0_US + 9)), T0_US))
    assert (answer.ok, answer.code) == (True, "SUPERSEDED_ATTEMPT")
    action = stand.state.open[1].actions[0]
    assert (action.state, action.ref, action.next_us, action.attempts) == (ActionState.PENDING, "r-1", T0_US + 9, 2)
    assert (await stand.one(close(1, "succeed", [Act(0, "succeed", new)]))).ok


async def fences_grow_over_restarts(stand: Stand) -> None:
    """A token of an earlier life is never given out again."""
    seen = [stand.fence()]
    for _ in range(3):
        await stand.crash()
        seen += [stand.fence(), stand.fence()]
    assert seen == sorted(set(seen))


async def partial_reports_add_up_once(stand: Stand) -> None:
    """Reports are deduplicated by their ids and may settle in part; the sum is settled at the end."""
    fence = stand.fence()
    await stand.write(limit(100), admit(decision(1), cash(50), fence=fence))
    await stand.one(Progress(1, (Act(0, "pend", fence, ref="order-1"),), T0_US))
    fill = Act(0, "report", fence, settled=(("cash", "acme", 10),), report="fill-1")
    assert (await stand.one(Progress(1, (fill,), T0_US))).ok
    answer = await stand.one(Progress(1, (fill,), T0_US))
    assert (answer.ok, answer.code) == (False, "DUPLICATE_REPORT")
    more = Act(0, "report", fence, settled=(("cash", "acme", 5),), report="fill-2")
    answer = await stand.one(Progress(1, (more, more), T0_US))
    assert (answer.ok, answer.code) == (True, "DUPLICATE_REPORT")
    assert stand.state.open[1].used() == {("cash", "acme"): 15}
    assert stand.room() == 50
    last = Act(0, "cancel", fence, settled=(("cash", "acme", 1),), report="done")
    await stand.one(close(1, "cancel", [last]))
    assert stand.room() == 84


async def what_is_done_is_done(stand: Stand) -> None:
    """An action that has ended takes no more news; what the lifecycle does not list is refused."""
    fence = stand.fence()
    await stand.one(admit(decision(1), fence=fence, actions=2))
    assert (await stand.one(Progress(1, (Act(0, "succeed", fence, value="a"),), T0_US))).ok
    assert (await stand.one(Progress(1, (Act(0, "fail", fence),), T0_US))).code == "ACTION_DONE"
    assert (await stand.one(Progress(1, (Act(1, "pend", 0),), T0_US))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(Progress(1, (Act(1, "start", 0),), T0_US))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(Progress(1, (Act(7, "fail", fence),), T0_US))).code == "NO_SUCH_ACTION"
    assert (await stand.one(Progress(9, (Act(0, "fail", fence),), T0_US))).code == "NOT_OPEN"
    assert (await stand.one(Progress(1, (), T0_US))).code == "NOTHING_NEW"
    assert (await stand.one(Progress(1, (Act(1, "cancel", 0, "DEPENDENCY_FAILED"),), T0_US))).ok
    assert (await stand.one(close(1))).ok


async def an_end_must_be_one_that_the_lifecycle_lists(stand: Stand) -> None:
    """A close that cannot follow is refused and changes nothing."""
    await stand.write(admit(decision(1)), admit(decision(2), fence=stand.fence()), hold(decision(3)))
    assert (await stand.one(close(1, "succeed"))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(close(2, "compensated"))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(close(2, "refuse"))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(close(3, "refuse"))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(close(3, "succeed"))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(close(9))).code == "NOT_OPEN"
    assert set(stand.state.open) == {1, 2, 3}


async def compensation(stand: Stand) -> None:
    """What succeeded is undone, then the decision ends compensated and settles."""
    fence = stand.fence()
    await stand.write(limit(100), admit(decision(1), cash(30), fence=fence, actions=2))
    assert (await stand.one(Undo(2, T0_US))).code == "NOT_OPEN"
    await stand.one(Progress(1, (Act(0, "succeed", fence), Act(1, "fail", 0, "E")), T0_US))
    assert (await stand.one(Undo(1, T0_US, "E"))).ok
    assert stand.state.open[1].state == DecisionState.COMPENSATING
    assert (await stand.one(Undo(1, T0_US))).code == "NOT_IN_LIFECYCLE"
    assert (await stand.one(start(1, stand.fence(), 1))).code == "NOTHING_STARTED"
    assert (await stand.one(Progress(1, (Act(0, "compensate", fence),), T0_US))).ok
    assert (await stand.one(close(1, "compensated", [Act(0, "compensated", fence)]))).ok
    assert stand.room() == 100


async def given_back_and_started_again(stand: Stand) -> None:
    """A lease that was not used is given back; the decision goes on."""
    fence = stand.fence()
    await stand.one(admit(decision(1), fence=fence))
    assert (await stand.one(Progress(1, (Act(0, "give_back", fence),), T0_US))).ok
    assert stand.state.open[1].actions[0].state == ActionState.WAITING
    assert (await stand.one(start(1, stand.fence()))).ok


CASES = (
    a_tick_starts_what_it_may,
    nothing_starts_past_its_deadline,
    only_what_is_there_can_start,
    a_superseded_attempt_changes_nothing,
    fences_grow_over_restarts,
    partial_reports_add_up_once,
    what_is_done_is_done,
    an_end_must_be_one_that_the_lifecycle_lists,
    compensation,
    given_back_and_started_again,
)
