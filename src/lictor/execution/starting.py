"""What starts in this turn: taken from the lanes in their order, where halts, policy and tokens let it.

What cannot be in time any more when it comes up is not started: it ends as displaced, by those that were before it.
"""

from __future__ import annotations

from typing import Protocol

from lictor.journal.rules import stopped
from lictor.journal.state import State

from .assurance import Assurance
from .effector_lane import EffectorLane
from .executing import Executing
from .tokens import Tokens
from .window import Window
from .work import Work


class Starting(Executing, Protocol):
    """The executor of one node, as what starts work sees it."""

    assurance: Assurance
    tokens: Tokens
    window: Window


def picked(executor: Starting, state: State, at_us: int) -> dict[int, list[int]]:
    """The ordinals of the actions that start now, by decision; their slots and tokens are taken."""
    items: dict[int, list[int]] = {}
    for name, lane in executor.lanes.items():
        if state.halts and stopped(state, f"effector:{name}"):
            continue  # its queue stays as it is until the halt is lifted
        while (work := lane.pop(at_us)) is not None:
            ordinal = _pick(executor, work, name)
            if ordinal is None:
                lane.unused(work)
                continue
            items.setdefault(work.open.decision.id, []).append(ordinal)
            lane.take(work.depth)
            if work.ready[name]:
                executor.queue(work)
        for work in lane.take_displaced():
            _displaced(executor, work, name)
    return items


def _pick(executor: Starting, work: Work, name: str) -> int | None:
    """One ready action of a decision, if it still may start."""
    if name not in work.queued:
        return None  # it has moved to a higher class since
    work.queued.discard(name)
    ordinals = work.ready.get(name)
    while ordinals and work.open.actions[ordinals[0]].done:
        ordinals.popleft()
    if work.window is not None:
        executor.window.leave(work)
    if not ordinals or work.concluded or executor.halted(work):
        return None  # what a halt keeps is queued again by `resumed`
    verdict, assurance = work.open.verdict, executor.assurance
    if (verdict.policy is not assurance.policy or verdict.at_us <= assurance.changed_us) and assurance.stale(work):
        return None  # what let it in holds no longer; it is queued again when the gates of today say the same
    if work.takes and not work.paid and not executor.tokens.take(work.takes):
        executor.tokens.wait(work)
        return None
    work.paid = False
    return ordinals.popleft()


def _displaced(executor: Starting, work: Work, name: str) -> None:
    """It came up too late. Of what has not begun the whole decision ends, else the actions that were to start here."""
    if name not in work.queued:
        return
    work.queued.discard(name)
    if work.concluded or executor.halted(work):
        return
    if not work.open.started:
        work.displaced = True
    else:
        for ordinal in work.ready.pop(name, ()):  # in the next turn: what this one writes of it is not in force yet
            executor.agenda.add(0, "displaced", work.open.decision.id, ordinal)
    executor.touch(work)


def note(lane: EffectorLane, work: Work, seconds: float, now: float, now_us: int) -> None:
    """A call returned while others wait: its lane learns how long it took, and whether it was late after waiting."""
    received_us, deadline_us = work.open.decision.received_us, work.deadline_us
    waited = (now_us - seconds * 1e6 - received_us) / max(1, deadline_us - received_us)
    lane.note(work, seconds, now, late=now_us >= deadline_us, waited=waited)
