"""Runs the user's lessons and keeps what they remember.

A lesson that raises teaches nothing, is told to the probe, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.declarations.feedback import Change, Learned, LessonSpec, subject_of
from lictor.declarations.plain import told
from lictor.records import Decision, Lesson, Outcome
from lictor.runtime.probe import Probe

from .adjustments import Adjustments
from .scores import SUBJECTS_MAX

#: What a lesson may remember for one subject, encoded.
MEMORY_BYTES_MAX = 1 << 16

_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode
#: A wish's subject, reason and value.
_recordable = msgspec.msgpack.Decoder(tuple[str, str, float]).decode

Key = tuple[str, str]


class Lessons:
    """The lessons of an App, by kind, with their memories."""

    def __init__(
        self, app: Declared, adjustments: Adjustments, value_of: Callable[[Decision], Any], probe: Probe
    ) -> None:
        self._app = app
        self._adjustments = adjustments
        self._value_of = value_of
        self._probe = probe
        self._of_kind: dict[str, tuple[LessonSpec, ...]] = {}
        for spec in app.lessons:
            self._of_kind[spec.kind] = (*self._of_kind.get(spec.kind, ()), spec)
        self._memories: dict[Key, dict[str, Any]] = {}
        self._unwritten: dict[Key, int] = {}
        self.failed = 0

    def recover(self, recorded: Mapping[Key, Lesson]) -> None:
        """Take up what was remembered."""
        names = {spec.name for spec in self._app.lessons}
        self._memories.update({key: lesson.values for key, lesson in recorded.items() if key[0] in names})

    def teach(self, decision: Decision, outcome: Outcome) -> bool | None:
        """Run the lessons of the decision's kind; the event by which its confidence is judged, or None.

        The event is success of what has started, unless a lesson says otherwise.
        """
        came_true = None if outcome.started_us is None else outcome.result == "succeeded"
        for spec in self._of_kind.get(decision.kind, ()):
            try:
                said = self._teach(spec, decision, outcome)
            except Exception as error:  # noqa: BLE001 - a lesson is user code; the outcome stands whatever it does
                self.failed += 1
                self._probe.note("lesson_failed", lesson=spec.name, decision=decision.id, error=told(error))
                continue
            if "came_true" in said:
                came_true = said["came_true"]
        return came_true

    def _teach(self, spec: LessonSpec, decision: Decision, outcome: Outcome) -> dict[str, Any]:
        """Run one lesson and take its wishes, all or none; what it said of its confidence."""
        key = (spec.name, subject_of(spec.per, decision))
        if key not in self._memories and len(self._memories) >= SUBJECTS_MAX:
            key = (spec.name, "*")
        current = {
            name: self._adjustments.value(adjustable, subject_of(adjustable.per, decision))
            for name, adjustable in self._app.adjustables.items()
        }
        memory = dict(self._memories.get(key, {}))
        remembered, changes = spec.learn(Learned(decision, self._value_of(decision), outcome, memory, current))
        said = {name: value for name, value in remembered.items() if name == "came_true"}
        if said and said["came_true"] not in (True, False, None):
            raise TypeError(f"came_true={said['came_true']!r} is not a bool or None")
        raw = _encode({name: value for name, value in remembered.items() if name != "came_true"})
        if len(raw) > MEMORY_BYTES_MAX:
            raise ValueError(f"it wants to remember {len(raw)} bytes; at most {MEMORY_BYTES_MAX}")
        wishes = [self._checked(change, decision) for change in changes]
        self._memories[key] = _decode(raw)  # as it will be read back after a restart
        self._unwritten[key] = decision.id
        for change, subject in wishes:
            self._adjustments.wish(change, subject, spec.name, decision.id)
        return said

    def _checked(self, change: Change, decision: Decision) -> tuple[Change, str]:
        """A wish that can be granted, and whom it is about."""
        adjustable = change.adjustable
        if self._app.adjustables.get(adjustable.name) is not adjustable:
            raise ValueError(f"adjustable {adjustable.name!r} is not of this App")
        subject = subject_of(adjustable.per, decision) if change.subject is None else change.subject
        _recordable(_encode((subject, change.reason, float(change.value))))  # else it would not fit the journal
        return change, subject

    def take(self, at_us: int) -> list[Lesson]:
        """What was remembered since the last call."""
        unwritten, self._unwritten = self._unwritten, {}
        return [
            Lesson(name=name, subject=subject, at_us=at_us, decision=decision, values=self._memories[name, subject])
            for (name, subject), decision in unwritten.items()
        ]

    @property
    def unwritten(self) -> bool:
        """Something was remembered that is not yet recorded."""
        return bool(self._unwritten)
