"""The adjustments in force, and those that wait: wishes of lessons, demotions, and what a named person resets.

Everything that moves, moves in `settle`, at the start of a turn: the batch that carries a new adjustment carries it
before all verdicts that read it. Tightenings and resets are settled in the next turn, loosenings when it is time to
write.
"""

from __future__ import annotations

from collections.abc import Mapping

from lictor.declarations.declared import Declared
from lictor.declarations.feedback import Change
from lictor.declarations.gates import Adjustable
from lictor.errors import DeniedError, NotFoundError
from lictor.records import Adjustment

from .bounds import clamped, moved, tighter

#: The name of the engine's own adjustment: validation refuses all that a demoted source decides.
DEMOTED = "demoted"
#: Loosenings that may wait for their time; more are forgotten, which only keeps things tight (I17).
WISHES_MAX = 10_000

Key = tuple[str, str]


class Wish:
    """What a lesson wants, for one subject."""

    __slots__ = ("adjustable", "decision", "latch", "lesson", "reason", "value")

    def __init__(self, change: Change, lesson: str, decision: int) -> None:
        self.adjustable = change.adjustable
        self.value = float(change.value)
        self.reason = change.reason
        self.latch = change.latch
        self.lesson = lesson
        self.decision = decision


class Adjustments:
    """By name and subject."""

    def __init__(self, app: Declared) -> None:
        self._app = app
        #: In force; validation reads it.
        self.in_force: dict[Key, Adjustment] = {}
        #: Moves that the next write carries, in order.
        self._moves: list[Adjustment] = []
        #: Wishes that tighten (or latch), in order.
        self._tighten: list[tuple[Key, Wish]] = []
        #: The latest loosening that each subject waits for.
        self._loosen: dict[Key, Wish] = {}

    def recover(self, recorded: Mapping[Key, Adjustment], at_us: int) -> None:
        """Take up what is in force; what an App's new bounds exclude moves to the nearest bound."""
        self.in_force.update(recorded)
        for (name, _), found in recorded.items():
            adjustable = self._app.adjustables.get(name)
            if adjustable is not None and found.value != (value := clamped(adjustable, found.value)):
                who, why = f"app:{self._app.version}", "the declared bounds changed"
                self._move(
                    found.subject,
                    name,
                    value,
                    at_us,
                    "bounds",
                    why,
                    found,
                    was=found.value,
                    latched=found.latched,
                    by=who,
                )

    def value(self, adjustable: Adjustable, subject: str) -> float:
        """What is in force for a subject."""
        found = self.in_force.get((adjustable.name, subject))
        return adjustable.default if found is None else found.value

    def wish(self, change: Change, subject: str, lesson: str, decision: int) -> None:
        """A lesson wants something; it comes into force in `settle`, as far as the bounds allow."""
        wish = Wish(change, lesson, decision)
        key = (wish.adjustable.name, subject)
        if wish.latch or tighter(wish.adjustable, wish.value, self.value(wish.adjustable, subject)):
            self._tighten.append((key, wish))
        elif key in self._loosen or len(self._loosen) < WISHES_MAX:
            self._loosen[key] = wish

    def demote(self, source: str, at_us: int, reason: str) -> None:
        """Nothing more is admitted from a source until a named person reinstates it."""
        if not self.demoted(source):
            self._move(
                source, DEMOTED, 1.0, at_us, "quality", reason, self.in_force.get((DEMOTED, source)), latched=True
            )

    def demoted(self, source: str) -> bool:
        """Whether it is."""
        found = self.in_force.get((DEMOTED, source))
        return found is not None and bool(found.value)

    def reset(self, name: str, subject: str, value: float | None, by: str, at_us: int, reason: str) -> None:
        """A named person sets a value anew, within the bounds; any latch is lifted.

        Raises:
            DeniedError: nobody is named.
            NotFoundError: nothing of this name is in force for the subject, and none is declared.
        """
        if not by:
            raise DeniedError("resetting an adjustment needs the name of a person")
        found = self.in_force.get((name, subject))
        adjustable = self._app.adjustables.get(name)
        if found is None and (adjustable is None or value is None):
            raise NotFoundError(f"no adjustment {name!r} is in force for {subject!r}")
        wanted = adjustable.default if value is None and adjustable is not None else value or 0.0
        to = clamped(adjustable, wanted) if adjustable is not None else wanted
        self._loosen.pop((name, subject), None)
        self._tighten = [(key, wish) for key, wish in self._tighten if key != (name, subject)]
        self._move(subject, name, to, at_us, "person", reason, found, by=by)

    @property
    def urgent(self) -> bool:
        """Something must be in force for the next verdict."""
        return bool(self._tighten or self._moves)

    @property
    def waiting(self) -> bool:
        """A loosening waits for its time."""
        return bool(self._loosen)

    def settle(self, at_us: int) -> tuple[Adjustment, ...]:
        """Bring into force what was wished for, as far as allowed, and give all moves since the last call, in order."""
        tighten, self._tighten = self._tighten, []
        for (_, subject), wish in tighten:
            self._loosen.pop((wish.adjustable.name, subject), None)
            self._grant(subject, wish, at_us)
        waiting, self._loosen = self._loosen, {}
        for (_, subject), wish in waiting.items():
            self._grant(subject, wish, at_us)
        moves, self._moves = tuple(self._moves), []
        return moves

    def _grant(self, subject: str, wish: Wish, at_us: int) -> None:
        adjustable = wish.adjustable
        found = self.in_force.get((adjustable.name, subject))
        current = self.value(adjustable, subject)
        latched = found is not None and found.latched
        since_us = found.at_us if found is not None else at_us
        value = moved(adjustable, current, wish.value, since_us=since_us, at_us=at_us, latched=latched)
        # A first wish to loosen moves nothing and starts the clock by which the next ones are measured.
        starts_clock = found is None and adjustable.loosen_per_hour > 0 and wish.value != current
        if value != current or (wish.latch and not latched) or starts_clock:
            self._move(
                subject,
                adjustable.name,
                value,
                at_us,
                wish.lesson,
                wish.reason,
                found,
                was=current,
                latched=latched or wish.latch,
                decision=wish.decision,
            )

    def _move(  # noqa: PLR0913 - the fields of one record
        self,
        subject: str,
        name: str,
        value: float,
        at_us: int,
        lesson: str,
        reason: str,
        found: Adjustment | None,
        *,
        was: float | None = None,
        latched: bool = False,
        by: str | None = None,
        decision: int | None = None,
    ) -> None:
        before = found.value if found is not None else 0.0
        made = Adjustment(
            name=name,
            subject=subject,
            value=value,
            was=before if was is None else was,
            at_us=at_us if found is None else max(at_us, found.at_us),
            lesson=lesson,
            reason=reason,
            latched=latched,
            by=by,
            decision=decision,
        )
        self.in_force[name, subject] = made
        self._moves.append(made)
