"""How many calls at once a downstream of unknown capacity can take, found by trying. Pure; time is passed in.

Little's law: with `c` servers and more than `c` calls in flight, the rate of answers times the service time of a call
that does not queue is `c`, whatever the queue. The rate is measured; whether there is a queue is found out by asking
for more: a *window* holds the limit and then tries half as much more. If the rate follows, no call was queueing: the
limit rises, by half at first and twofold while that goes on, and the answer time is the service time. If it does
not, the limit is the rate times the service time. Where answers take far longer than they should, the limit is cut at
once, by half at most; if the rate falls with it the calls themselves have become slower, and the limit is put back.
Once in `LOW_EVERY` windows a fifth less is tried, so that a queue that was there from the start is found.

In flight and answers are averaged over whole phases (area over count), so that calls that have not come back count with
their age. Nothing is concluded while fewer calls are in flight than may be: then the arrival rate or a budget is the
bottleneck; nor while the node itself is late. A hang cuts by half again and again; when it is over, each round of
answers in the usual time doubles the level, up to the limit that was in force before (slow start, Jacobson 1988).
"""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil, log, sqrt

from .pace import Event, Pace

#: How much more, and less, is tried.
MORE, LESS = 1.5, 0.8
#: Windows between two tries of less; every one while that finds a queue.
LOW_EVERY = 16
#: A phase has at least so many answers and lasts so many service times; before it, changes have time to take effect.
ANSWERS_MIN, LASTS, SETTLES = 200, 10.0, 2.0
#: Answers from which on a phase is cut short when they take far too long, and by how many deviations.
PLAIN_MIN, PLAIN_AT = 20, 3.5
#: In flight, as a share of the limit, from which on the limit is what limits.
FILLED = 0.8
#: Calls that take less than this share of the service time have become faster.
FASTER = 0.75
#: A hang that has cut the limit to less than this part of it is followed by a slow start; else the next window will do.
REOPENS = 3.0
#: What is called a queue: answers take so many times the service time.
QUEUES = 1.5


class Point:
    """What was measured at one limit: calls in flight and answers a second, on average."""

    __slots__ = ("answers", "limit", "per_s", "seconds")

    def __init__(self, limit: float, answers: int, area: float, elapsed: float) -> None:
        self.limit = limit
        self.answers = answers
        self.per_s = answers / elapsed
        #: How long an answer takes; by Little's law, so that what has not come yet counts.
        self.seconds = area / answers

    def follows(self, lower: Point, deviations: float = 0.0) -> bool:
        """Whether the rate here is above that of a lower limit by at least the square root of what it was raised.

        `deviations` is by how much that must be more than chance.
        """
        over = log(self.per_s / lower.per_s) - 0.5 * log(self.limit / lower.limit)
        return over > deviations * sqrt(1.0 / self.answers + 1.0 / lower.answers)


class AdaptiveSlots:
    """The slots of one effector. `level` is how many calls may be in flight now, `limit` the estimate that it is of."""

    __slots__ = (
        "_answers",
        "_area",
        "_at",
        "_before",
        "_goal",
        "_grown",
        "_high",
        "_hung_at",
        "_low",
        "_phase",
        "_put_back",
        "_round",
        "_settled_at",
        "_since",
        "_until_low",
        "level",
        "limit",
        "pace",
        "service_s",
        "windows",
    )

    def __init__(self, low: int, high: int, start: int) -> None:
        self._low, self._high = low, high
        self.limit = float(start)
        self.level = start
        self.pace = Pace()
        #: How long a call takes that does not queue; None until the first phase is over.
        self.service_s: float | None = None
        self.windows = 0
        self._phase = "hold"
        self._grown = False
        self._before: Point | None = None
        #: The limit before the first of several cuts.
        self._put_back = self.limit
        #: The limit before a hang, while it is being reached again; and answers until the level is doubled.
        self._goal: float | None = None
        self._round = 0
        self._until_low = 1
        self._hung_at = 0.0
        self._answers, self._area = 0, 0.0
        self._at: float | None = None
        #: When the phase may be measured from; since when it is.
        self._settled_at = 0.0
        self._since: float | None = None

    # -- what happens ---------------------------------------------------------------------------------------------

    def began(self, call: Hashable, now: float) -> None:
        """A call has begun."""
        self._pass(now)
        self.pace.began(call, now)

    def returned(self, call: Hashable, now: float, *, answered: bool = True) -> Event | None:
        """A call is over; what to say of it.

        `answered` is False where it was cut off, gave no answer, or was turned away because the other side is busy.
        """
        self._pass(now)
        event = self.pace.returned(call, now, answered=answered)
        self._answers += answered
        if self._phase == "reopen" and answered and event is None:
            self._reopen(now)
        else:
            self._look(now, event)
        return event

    def check(self, now: float, *, late_s: float = 0.0) -> Event | None:
        """Look at what is in flight; to be called every `pace.every_s()` while there is any.

        `late_s` is how much later it is called than was asked for: the node's own delay.
        """
        self._pass(now)
        event = self.pace.check(now)
        if late_s > 0.25 * (self.service_s or late_s):
            self._measure_anew(now)
        self._look(now, event)
        return event

    # -- phases ---------------------------------------------------------------------------------------------------

    def _reopen(self, now: float) -> None:
        """One more answer since a hang is over: a round of them doubles the level, until it is what it was."""
        self._round -= 1
        if self._round > 0:
            return
        goal = self.limit if self._goal is None else self._goal
        self.limit = min(goal, 2.0 * max(self.level, self.limit))
        if self.limit < goal:
            self._open("reopen", self.limit, now)
            self._round = self.level
        else:
            self._goal = None
            self._open("hold", self.limit, now)

    def _pass(self, now: float) -> None:
        """Time has passed: add up what was in flight in it."""
        if self._at is not None:
            self._area += self.pace.in_flight * (now - self._at)
        self._at = now
        if self._since is None and now >= self._settled_at and self.pace.in_flight <= self.level:
            self._since, self._answers, self._area = now, 0, 0.0

    def _open(self, phase: str, level: float, now: float) -> None:
        self._phase = phase
        self.level = min(self._high, max(self._low, round(level)))
        self._settled_at = now + SETTLES * (self.service_s or 0.0)
        self._since = None

    def _measure_anew(self, now: float, after_s: float = 0.0) -> None:
        self._settled_at, self._since = now + after_s, None

    def _look(self, now: float, event: Event | None) -> None:
        """Is the phase over?"""
        if event is not None:
            self._heard(event, now)
        elif self.pace.state == "hanging":
            if now - self._hung_at > LASTS * (self.service_s or 0.0):
                self._hung_at = now
                self._cut(None, now)
        elif self._since is not None and self._answers >= PLAIN_MIN:
            elapsed = now - self._since
            if elapsed <= 0.0:
                return
            point = Point(self.level, self._answers, self._area, elapsed)
            service_s = self.service_s
            if service_s is None:
                if self._answers >= ANSWERS_MIN:
                    self.service_s = point.seconds
                    self._measured(point, now)
                return
            expected_s = service_s * QUEUES * max(1.0, self.level / self.limit)
            if point.seconds > expected_s and log(point.seconds / expected_s) > PLAIN_AT / sqrt(self._answers):
                if self._phase == "cut" and self._follows_down(point, now):
                    return
                self._cut(point, now)
            elif self._answers >= ANSWERS_MIN and elapsed >= LASTS * service_s:
                self._measured(point, now)

    def _heard(self, event: Event, now: float) -> None:
        """The pace has changed."""
        if event == "hanging":
            self._hung_at = now
            if self._goal is None:
                self._goal = self.limit
            self._cut(None, now)
        elif event == "usual" and self._goal is not None and self.limit <= self._goal / REOPENS:
            self._open("reopen", self.level, now)
            self._round = self.level
        else:
            # What was measured is of another time, and what runs now is still of both.
            self._goal = None
            self._measure_anew(now, 2.0 * SETTLES * (self.service_s or 0.0))

    def _measured(self, point: Point, now: float) -> None:
        """A phase is over."""
        if point.seconds < FASTER * (self.service_s or 0.0):
            self.service_s = point.seconds  # no call takes less than its service
        if self._area / (now - (self._since or 0.0)) < FILLED * self.level:
            self._limited_elsewhere(point, now)
        elif self._phase == "more":
            self._decide(point, now)
        elif self._phase == "low":
            queued = point.seconds < 0.9 * (self.service_s or 0.0)
            self._until_low = 1 if queued else LOW_EVERY
            self._learn(point.seconds, 1.0 if queued else 0.5)
            self._open("hold", self.limit, now)
        elif not (self._phase == "cut" and self._follows_down(point, now)):
            self._before = point
            self._open("more", max(self.level + 1, ceil(self.limit * MORE)), now)

    def _limited_elsewhere(self, point: Point, now: float) -> None:
        """Fewer calls than may be: nothing is known of more, but these did not queue."""
        if point.seconds < QUEUES * (self.service_s or point.seconds):
            self._learn(point.seconds, 0.3)
        self._grown = False
        self._open("hold", self.limit, now)

    def _decide(self, point: Point, now: float) -> None:
        """The end of a window: more was tried."""
        self.windows += 1
        before = self._before
        if before is not None and point.limit > before.limit and point.follows(before):
            self._learn(before.seconds, 0.3)
            raised = self.limit * 2.0 if self._grown else point.limit
            self.limit, self._grown = min(raised, float(self._high)), True
        else:
            self._estimate(point, smoothly=not self._grown)
            self._grown = False
        self._until_low -= 1
        if self._until_low <= 0:
            self._open("low", self.limit * LESS, now)
        else:
            self._open("hold", self.limit, now)

    def _estimate(self, point: Point, *, smoothly: bool) -> None:
        """The limit that follows from Little's law; near the old one it may be smoothed."""
        found = point.per_s * (self.service_s or point.seconds)
        if smoothly and abs(found / self.limit - 1.0) < 0.25:  # noqa: PLR2004 - about what is chance
            found = (found + self.limit) / 2.0
        self.limit = min(float(self._high), max(float(self._low), found, self.limit / 2.0))

    def _cut(self, point: Point | None, now: float) -> None:
        """Answers take far too long, or do not come at all."""
        self.windows += 1
        self._grown = False
        if point is None or self._phase != "cut":  # of several cuts in a row the first is what is compared with
            self._before, self._put_back = point, self.limit
        if point is None:
            self.limit = max(float(self._low), self.limit / 2.0)
        else:
            self._estimate(point, smoothly=False)
        self._open("cut", self.limit, now)

    def _follows_down(self, point: Point, now: float) -> bool:
        """After a cut: if the rate fell as far as the limit there was no queue; the calls have become slower."""
        before = self._before
        if before is None or before.limit <= point.limit or not before.follows(point, 2.0):
            return False
        self.service_s = point.seconds
        self.limit, self._before = self._put_back, None
        self.windows += 1
        self._open("hold", self.limit, now)
        return True

    def _learn(self, seconds: float, weight: float) -> None:
        known = self.service_s
        self.service_s = seconds if known is None else known + weight * (seconds - known)
