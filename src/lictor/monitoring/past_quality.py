"""The execution-quality index of what a journal tells, in recorded time: the meter of a live node, fed from history."""

from __future__ import annotations

from lictor.journal.port import Admit, Close, Journal, Shed
from lictor.records import Decision, Outcome

from .live_quality import LiveQuality
from .quality import end_of
from .quality_meter import QualityMeter


async def past_quality(journal: Journal) -> LiveQuality:
    """Read all of history; what it says is as of its last fact. Decisions that are in doubt count as unknown."""
    meter, last_us = QualityMeter(), 0
    admitted: dict[int, tuple[Decision, int]] = {}
    async for row in journal.scan():
        verb, last_us = row.verb, max(last_us, row.at_us)
        second = row.at_us // 1_000_000
        if isinstance(verb, Admit) and verb.plan is not None:
            d, actions = verb.decision, len(verb.plan.actions)
            admitted[d.id] = (d, actions)
            given_s = (d.deadline_us - d.received_us) / 1e6
            meter.turned(second, [(d.kind, d.priority, d.worth, actions)], 0, given_s)
        elif isinstance(verb, Close) and verb.decision in admitted:
            decision, actions = admitted.pop(verb.decision)
            end = _end(decision, verb.outcome)
            meter.turned(second, (), actions if end == "kept" else 0)
            if end not in {None, "kept"}:
                meter.lost(decision, actions, str(end))
        elif isinstance(verb, Shed):
            meter.turned(second, (), 0)
            meter.shed(verb.counts)
    unknown = [
        (found.decision, len(found.actions))
        for found in journal.state.open.values()
        if found.started
        and found.decision.deadline_us < last_us
        and any(action.state == "in_doubt" for action in found.actions)
    ]
    return meter.seen(last_us // 1_000_000 + 1 + meter.lag_s, unknown)


def _end(decision: Decision, outcome: Outcome) -> str | None:
    return end_of(str(outcome.result), deadline=decision.deadline_us, started=outcome.started_us, ended=outcome.at_us)
