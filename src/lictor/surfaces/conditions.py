"""What is wrong with a node at this moment, for alerts: each condition by its rule and subject, with its facts.

Reads the node's state and keeps nothing but since when an action has been in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from lictor.declarations.outside import Rule
from lictor.node import Node
from lictor.runtime.ids import id_text

#: So many times the room at which the node stops admitting is "nearly full".
NEARLY = 2
#: Conditions of one rule that are told apart.
SUBJECTS_MAX = 100


class Condition(NamedTuple):
    """Something that a person should know."""

    rule: Rule
    subject: str
    text: str
    facts: dict[str, Any]


class Conditions:
    """Looks at one node."""

    def __init__(self, node: Node, in_doubt_s: float) -> None:
        self._node = node
        self._in_doubt_us = int(in_doubt_s * 1e6)
        #: Actions in doubt, and since when that was seen.
        self._since: dict[tuple[int, int], int] = {}
        self._doubts = -1

    def now(self) -> dict[tuple[str, str], Condition]:
        """All that is wrong."""
        found: dict[tuple[str, str], Condition] = {}
        for part in (self._quality, self._overruns, self._in_doubt, self._demoted, self._halts, self._room, self._told):
            for place, condition in enumerate(part()):
                if place >= SUBJECTS_MAX:
                    break
                found[condition.rule, condition.subject] = condition
        return found

    def _quality(self) -> Iterator[Condition]:
        raised = self._node.pipeline.monitoring.counts.quality.alert.raised
        if raised is not None:
            text = (
                f"quality is {raised.eq:.3f}, and was {raised.eq_good:.3f} at less load; most is lost as {raised.cause}"
            )
            yield Condition("quality_falls", "node", text, raised.data())

    def _overruns(self) -> Iterator[Condition]:
        for (budget, scope), balance in self._node.journal.state.balances.items():
            if balance.latched:
                text = f"{budget}/{scope} was settled above its reservation; it is latched until a person resets it"
                yield Condition("overrun", f"{budget}/{scope}", text, {"budget": budget, "scope": scope})

    def _in_doubt(self) -> Iterator[Condition]:
        """Actions in doubt for too long. All that is open is looked through only after something was put in doubt."""
        now_us = self._node.clock.wall_us()
        state = self._node.journal.state
        events = self._node.pipeline.monitoring.counts.events
        doubts = sum(count for (_, event), count in events.items() if event == "doubt")
        if doubts != self._doubts:
            self._doubts = doubts
            seen = {
                (id_, ordinal)
                for id_, found in state.open.items()
                if found.started
                for ordinal, action in enumerate(found.actions)
                if action.state == "in_doubt"
            }
            self._since = {key: self._since.get(key, now_us) for key in seen}
        for (id_, ordinal), since_us in list(self._since.items()):
            found = state.open.get(id_)
            if found is None or found.actions[ordinal].state != "in_doubt":
                del self._since[id_, ordinal]
            elif now_us - since_us >= self._in_doubt_us:
                effector = found.plan.actions[ordinal].effector if found.plan is not None else ""
                text = (
                    f"nobody knows what became of {effector} for {found.decision.kind} {id_text(id_)}: lictor resolve"
                )
                facts = {"decision": id_text(id_), "action": ordinal, "effector": effector}
                yield Condition("in_doubt", f"{id_text(id_)}.{ordinal}", text, facts)

    def _demoted(self) -> Iterator[Condition]:
        for (name, source), found in self._node.vitals.adjustments.items():
            if name == "demoted" and found.value:
                text = f"{source} was demoted: {found.reason}"
                yield Condition("source_demoted", source, text, {"source": source, "reason": found.reason})

    def _halts(self) -> Iterator[Condition]:
        for scope, halt in self._node.journal.state.halts.items():
            text = f"{scope} is {halt.mode.replace('_', ' ')} by {halt.by}" + (
                f": {halt.reason}" if halt.reason else ""
            )
            yield Condition("halted", scope, text, {"scope": scope, "mode": halt.mode, "by": halt.by})

    def _room(self) -> Iterator[Condition]:
        free, least = self._node.journal.free_bytes(), self._node.settings.free_bytes_min
        if free is not None and free < NEARLY * least:
            text = f"{free >> 20} MiB are free where the journal is; below {least >> 20} MiB nothing is admitted"
            yield Condition("journal_full", "journal", text, {"free_bytes": free, "free_bytes_min": least})

    def _told(self) -> Iterator[Condition]:
        for name, (code, text) in self._node.vitals.troubles.items():
            if code == "CALLBACK_FAILING":
                yield Condition("callback_failing", name.partition(":")[2], text, {})
