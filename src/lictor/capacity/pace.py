"""What is usual for the calls of one effector, and whether it is slow or hangs now. Pure; time is passed in.

The logarithms of answer times are taken as normal; their mean and spread are learned while all is usual. Three tests,
each of which is an accident less than once in 10^6 answers (`research/overload.md` 3.4):

- *slow*, by answers: a CUSUM (Page 1954) of the standardised logarithms, which sees a tenfold slow-down in a few
  answers, however few calls are in flight;
- *slow*, by what does not come: calls in flight are right-censored samples. Each call has by its age so many answers
  due (the integral of its hazard); a CUSUM of the likelihood ratio says when far fewer have come than were due;
- *hanging*: nothing has come since so many answers were due that it is no accident. With several calls in flight that
  is plain within twice the 99th percentile; one alone may be an outlier, up to 8 times that.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import erfc, exp, log, sqrt
from typing import Literal

SQRT_2 = sqrt(2.0)

Event = Literal["slow", "hanging", "usual"]

#: Answers before anything is said.
KNOWN_MIN = 30
#: And for each call that was in flight at once: the first answers to come are those of the fastest calls.
FIRST = 4
#: Answers over which the usual is learned.
MEMORY = 10_000
#: Deviations: an answer that is so much slower adds nothing; half of what ten times as slow is at a variation of 1.
ALLOWANCE = 1.4
#: Deviations in sum that are no accident: less than once in 10^8 answers, by the approximation of Siegmund (1985).
SLOW_AT = 5.5
#: No single answer counts for more deviations, so that one outlier says nothing.
OUTLIER = 4.0
#: Answers due while none comes, of one call in flight and of several: by chance once in 10^6 and in 10^7.
HANG_AT = (13.9, 16.5)
#: How many times slower the second test looks for, and the likelihood ratio (its logarithm) that is no accident.
SLOWER, RATIO_AT = 5.0, 20.0
#: A single call whose chance is less than this has been lost, whatever the others do.
LOST_AT = 17.5
#: The least deviation of logarithms, so that very even times do not make a trifle an alarm.
DEVIATION_MIN = 0.3
#: Answers after which what was slow is the new usual.
SETTLES = 300


class Flight:
    """A call in flight: when it began, and how much of an answer was due when that was last looked at."""

    __slots__ = ("began", "due")

    def __init__(self, began: float) -> None:
        self.began = began
        self.due = 0.0


class Pace:
    """The pace of one effector. `state` is what was said last: usual, slow or hanging."""

    __slots__ = (
        "_came",
        "_due_of_answers",
        "_fast",
        "_flights",
        "_in_vain",
        "_known",
        "_lately",
        "_mean",
        "_needed",
        "_ratio",
        "_slow_for",
        "_sum",
        "_valid_from",
        "_variance",
        "answered",
        "state",
    )

    def __init__(self) -> None:
        #: Calls in flight, oldest first.
        self._flights: dict[Hashable, Flight] = {}
        self._known, self._needed = 0, KNOWN_MIN
        self._mean = 0.0
        self._variance = 0.0
        #: Running mean of the last few logarithms.
        self._lately = 0.0
        self._sum = self._fast = 0.0
        self._slow_for = 0
        #: Answers since the last look at what is in flight, and how many were due of the calls that gave them.
        self._came, self._due_of_answers = 0, 0.0
        #: Answers due since the last one came.
        self._in_vain = 0.0
        self._ratio = 0.0
        #: Calls that began before this were in a hang that is over; what they tell is past.
        self._valid_from = float("-inf")
        self.answered = 0
        self.state: Event = "usual"

    @property
    def in_flight(self) -> int:
        """Calls that have not returned."""
        return len(self._flights)

    def usual_s(self, deviations: float = 0.0) -> float | None:
        """The usual answer time: its median, or so many deviations from it; None until it is known.

        The 95th percentile is at 1.645 deviations, the 99th at 2.326.
        """
        return exp(self._mean + deviations * self._deviation()) if self._is_known() else None

    def began(self, call: Hashable, now: float) -> None:
        """A call has begun."""
        flights = self._flights
        flights[call] = Flight(now)
        if len(flights) * FIRST > self._needed:
            self._needed = min(FIRST * len(flights), MEMORY // 2)

    def _is_known(self) -> bool:
        return self._known >= self._needed

    def returned(self, call: Hashable, now: float, *, answered: bool = True) -> Event | None:
        """A call is over; what to say of it. `answered` is False where it was cut off or gave no answer."""
        flight = self._flights.pop(call, None)
        if flight is None:
            return None
        if answered:
            self.answered += 1
            self._came += 1
        self._due_of_answers += self._due(flight, now) if self._is_known() else 0.0
        if flight.began < self._valid_from:
            return None
        if self.state == "hanging":
            if not answered:
                return None
            self.state, self._sum, self._valid_from = "usual", 0.0, now
            self._came, self._due_of_answers, self._ratio = 0, 0.0, 0.0  # what was due in the hang has been said
            return "usual"
        return self._heard(log(max(now - flight.began, 1e-9)), answered=answered)

    def _heard(self, sample: float, *, answered: bool) -> Event | None:
        if not self._is_known():
            self._learn(sample, answered=answered)
            return None
        deviations = min((sample - self._mean) / self._deviation(), OUTLIER)
        self._lately += (sample - self._lately) * 0.2
        self._sum = max(0.0, self._sum + deviations - ALLOWANCE)
        if self.state == "slow":
            return self._slow_still()
        if self._sum > SLOW_AT:
            return self._is_slow()
        self._fast = max(0.0, self._fast - deviations - ALLOWANCE)
        if self._fast > 2 * SLOW_AT:  # much faster than it was: that is the new usual
            self._fast = 0.0
            self._learn_anew()
        if self._sum < SLOW_AT / 2:
            self._learn(self._mean + deviations * self._deviation(), answered=answered)
        return None

    def _slow_still(self) -> Event | None:
        """Until the last answers are near the usual again, or have been as they are so long that it is usual now."""
        self._slow_for += 1
        over = (self._lately - self._mean) / self._deviation()
        if over >= ALLOWANCE / 2 and self._slow_for < SETTLES:
            return None
        if over >= ALLOWANCE / 2:
            self._learn_anew()
        self.state, self._sum = "usual", 0.0
        return "usual"

    def _learn(self, sample: float, *, answered: bool) -> None:
        if not answered:
            return
        self._known = min(self._known + 1, MEMORY)
        off = sample - self._mean
        self._mean += off / self._known
        self._variance += (off * (sample - self._mean) - self._variance) / self._known
        self._lately = self._mean if self._known <= self._needed else self._lately

    def _learn_anew(self) -> None:
        """What was usual is past. The spread is kept to begin with; the rest is learned before anything is said."""
        self._mean, self._known, self._in_vain, self._ratio = self._lately, 1, 0.0, 0.0

    def _deviation(self) -> float:
        """The spread; while little is known of it, two standard errors more."""
        unsure = 2.0 * ((2.0 * self._known) ** -0.5 - (2.0 * MEMORY) ** -0.5) if self._known else 0.0
        return max(sqrt(self._variance), DEVIATION_MIN) * (1.0 + unsure)

    def _due(self, flight: Flight, now: float) -> float:
        """Answers due of a call since that was last looked at: how much the integral of its hazard has grown."""
        age = now - flight.began
        if age <= 0.0 or flight.began < self._valid_from:
            return 0.0
        mean = self._lately if self.state == "slow" else self._mean
        deviations = (log(age) - mean) / self._deviation()
        chance = erfc(deviations / SQRT_2) / 2.0
        due = -log(chance) if chance > 0.0 else 0.5 * deviations * deviations
        more, flight.due = due - flight.due, due
        return max(0.0, more)

    def check(self, now: float) -> Event | None:
        """Look at the calls in flight; to be called about every `every_s` while there are any."""
        if not self._is_known() or self.state == "hanging" or not self._flights:
            return None
        due = sum([self._due(flight, now) for flight in self._flights.values()])
        self._in_vain = 0.0 if self._came else self._in_vain + due
        self._ratio += (due + self._due_of_answers) * (1.0 - 1.0 / SLOWER) - self._came * log(SLOWER)
        self._ratio = max(0.0, self._ratio)
        self._came, self._due_of_answers = 0, 0.0
        oldest = next(iter(self._flights.values()))
        if self._in_vain > HANG_AT[len(self._flights) > 1] or oldest.due > LOST_AT:
            self.state, self._in_vain, self._ratio = "hanging", 0.0, 0.0
            return "hanging"
        if self._ratio > RATIO_AT and self.state == "usual":
            return self._is_slow()
        return None

    def _is_slow(self) -> Event:
        self.state, self._slow_for, self._ratio, self._sum = "slow", 0, 0.0, 0.0
        self._lately = max(self._lately, self._mean + ALLOWANCE * self._deviation())
        return "slow"

    def every_s(self) -> float:
        """How often `check` is to be called, so that it adds little to how soon a hang is seen."""
        usual_s = self.usual_s(2.326)
        return max(0.001, usual_s / 8) if usual_s is not None else 0.05

    def numbers(self) -> dict[str, float]:
        """What an observation says of it, in seconds."""
        return {
            "usual_s": round(exp(self._mean), 6),
            "p99_s": round(exp(self._mean + 2.326 * self._deviation()), 6),
            "lately_s": round(exp(self._lately), 6),
            "in_flight": self.in_flight,
        }
