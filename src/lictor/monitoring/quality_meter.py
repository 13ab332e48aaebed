"""The execution-quality index of a running node, second by second, and as a curve of quality against load.

Each second of arrivals falls into a band of load, by what was offered over the capacity that the node has shown. Into
the same band falls what becomes of those arrivals, whenever that is. What is still open counts as kept until it is
lost; so a number here is never too low for want of news. Everything is bounded: bands, classes of value, an hour of
seconds. A band remembers some minutes of its own load and forgets the older ones bit by bit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from copy import deepcopy
from math import inf, log2
from typing import NamedTuple

from lictor.capacity.sustained import Sustained
from lictor.records import CLASS_WORTH, Decision, ShedCount, worth_of

from .live_quality import LiveQuality, Row
from .quality import GOOD, Portion, Quality, index
from .quality_alert import Evidence, QualityAlert

#: Upper bounds of the bands of load; the last band has none.
BANDS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
#: Load is taken over so many seconds, so that one second's scatter does not change the band.
LOAD_S = 10
#: Seconds of its own load that a band remembers, and of any load that `now` does.
BAND_MEMORY_S = 300
NOW_MEMORY_S = 60
#: Seconds back to which what becomes of an arrival is put into its arrival's band; later news counts where it comes.
BACK_S = 3_600
#: Classes of value per cost for each doubling; 4, 3, 2 and 1 fall into classes of their own.
CLASSES = 4
#: Capacity has grown when it is so many times what it was.
GREW = 1.1
#: Codes with which work is turned away that could have been kept. Other codes refuse what may not be done at all.
TURNED_AWAY = frozenset({"INFEASIBLE", "OVERLOADED", "NOT_ADMITTING"})

#: An admission as the meter counts it: kind, class, declared worth, number of actions.
Admitted = tuple[str, int, "float | None", int]


class Band:
    """Sums over seconds of one range of load; or over the last minute."""

    __slots__ = ("_keep", "age", "decisions", "known", "lost", "offered", "seconds", "usable")

    def __init__(self, memory_s: float) -> None:
        self._keep = 1.0 - 1.0 / memory_s
        #: Seconds that it has seen.
        self.age = 0
        self.seconds = 0.0
        #: Capacity that was known in those seconds, and how much of it their arrivals could use.
        self.known = 0.0
        self.usable = 0.0
        self.decisions = 0.0
        #: Value and cost by class of value.
        self.offered: dict[int, list[float]] = {}
        #: Value and cost by class of value and by how they were lost.
        self.lost: dict[tuple[int, str], list[float]] = {}

    def pass_second(self, capacity: float, usable: float) -> None:
        """One more second, with that capacity and so much of it for its arrivals; what was before counts less."""
        keep = self._keep
        self.age += 1
        self.seconds = self.seconds * keep + 1.0
        self.known = self.known * keep + capacity
        self.usable = self.usable * keep + usable
        self.decisions *= keep
        for sums in (*self.offered.values(), *self.lost.values()):
            sums[0] *= keep
            sums[1] *= keep

    def add(self, other: Band, weight: float = 1.0) -> None:
        """What was offered and lost there, here too."""
        self.decisions += other.decisions * weight
        for of, (value, cost) in other.offered.items():
            sums = self.offered.setdefault(of, [0.0, 0.0])
            sums[0] += value * weight
            sums[1] += cost * weight
        for (of, end), (value, cost) in other.lost.items():
            self.lose(of, end, value * weight, cost * weight)

    @property
    def evidence(self) -> float:
        """Decisions that could be kept; quality is an average over these, not over what there was no capacity for."""
        cost = sum(cost for _, cost in self.offered.values())
        return self.decisions * min(1.0, self.usable / cost) if cost else 0.0

    def too_small(self, capacity: float) -> bool:
        """It was judged by a capacity that has turned out to be larger."""
        return capacity * self.seconds > GREW * self.known

    def offer(self, value: float, cost: float, count: int = 1) -> int:
        """So much was asked for; its class of value."""
        of = round(CLASSES * log2(value / cost)) if value > 0 and cost > 0 else -1_000
        self.decisions += count
        sums = self.offered.setdefault(of, [0.0, 0.0])
        sums[0] += value
        sums[1] += cost
        return of

    def lose(self, of: int, end: str, value: float, cost: float) -> None:
        """So much of it was not kept, and how."""
        sums = self.lost.setdefault((of, end), [0.0, 0.0])
        sums[0] += value
        sums[1] += cost

    def since(self, age: int) -> float:
        """What something counts that fell in when it had seen so many seconds."""
        return float(self._keep ** (self.age - age))

    def quality(self) -> Quality:
        """The index."""
        portions = []
        for of, (value, cost) in self.offered.items():
            for (lost_of, end), (lost_value, lost_cost) in self.lost.items():
                if lost_of == of:
                    portions.append(Portion(lost_value, lost_cost, end))
                    value, cost = value - lost_value, cost - lost_cost  # noqa: PLW2901 - what remains
            portions.append(Portion(max(0.0, value), max(0.0, cost), "kept"))
        return index(portions, self.usable)


class Place(NamedTuple):
    """Where an arrival of a second is counted: its band, and how old band and minute were then."""

    band: int
    age: int
    now_age: int


class QualityMeter:
    """The index of one node. It is told what each turn did; times are wall-clock seconds of the turn."""

    def __init__(self, lag_s: int = 3) -> None:
        #: A second is over when what was shed in it has certainly been told.
        self.lag_s = lag_s
        self._second = -1
        self._confirmed = Sustained()
        self._coming: dict[int, Band] = {}
        self._loads: deque[tuple[int, float]] = deque()
        self._places: dict[int, Place] = {}
        #: The queue of a system that does all that can be done, in actions, and when it was that long.
        self._queue = 0.0
        self._queue_at = 0
        #: How long a decision is given from arrival to deadline, in seconds; smoothed.
        self.given_s = 0.0
        self.bands = [Band(BAND_MEMORY_S) for _ in range(len(BANDS) + 1)]
        self.now = Band(NOW_MEMORY_S)
        self.load: float | None = None
        self.alert = QualityAlert()
        #: Alerts that were raised or lifted since somebody took them: (raised, evidence).
        self.alerts: list[tuple[bool, Evidence]] = []
        #: Mean number of actions by kind, which is what a decision of it costs.
        self.actions: dict[str, float] = {}

    # -- what turns tell --------------------------------------------------------------------------------------------

    def turned(self, second: int, admitted: Sequence[Admitted], confirmed: int, given_s: float = 0.0) -> None:
        """What one turn let in, how many actions it confirmed in time, and how long one that it ruled on is given."""
        if second > self._second:
            self.pass_to(second)
        if confirmed:
            self._confirmed.note(second, confirmed)
        if not admitted:
            return
        self.given_s += (given_s - self.given_s) * (0.05 if self.given_s else 1.0)
        slot = self._slot(second)
        for (kind, priority, worth, actions), count in Counter(admitted).items():
            slot.offer((CLASS_WORTH[priority] if worth is None else worth) * count, actions * count, count)
            if actions != self.actions.get(kind, 0):
                mean = self.actions.get(kind, actions)
                self.actions[kind] = mean + (actions - mean) * 0.05

    def shed(self, counts: Iterable[ShedCount]) -> None:
        """What was turned away; of other codes nothing could have been kept."""
        for shed in counts:
            if shed.code in TURNED_AWAY:
                found = Band(inf)
                cost = shed.count * self.actions.get(shed.kind, 1.0)
                of = found.offer(shed.value, cost, shed.count)
                found.lose(of, "turned_away", shed.value, cost)
                self._put(found, shed.second)

    def lost(self, decision: Decision, actions: int, end: str) -> None:
        """An admitted decision was not kept."""
        found, worth = Band(inf), worth_of(decision)
        of = found.offer(worth, float(actions))
        found.lose(of, end, worth, float(actions))
        second = decision.received_us // 1_000_000
        if second in self._coming or second in self._places:  # else nobody has counted its arrival
            found.offered, found.decisions = {}, 0
        self._put(found, second)

    # -- time -------------------------------------------------------------------------------------------------------

    def pass_to(self, second: int) -> None:
        """Count the seconds that are over."""
        self._second = second
        self._confirmed.pass_to(second)
        over = second - self.lag_s
        for past in [past for past in self._coming if past < over]:
            self._over(past, self._coming.pop(past))

    def _over(self, second: int, slot: Band) -> None:
        """All that was offered in a second is known: its load, and so its band."""
        offered = sum(cost for _, cost in slot.offered.values())
        self._loads.append((second, offered))
        while self._loads[0][0] <= second - LOAD_S:
            self._loads.popleft()
        capacity = self._confirmed.per_s()
        if capacity is None:
            return
        if any(band.too_small(capacity) for band in self.bands):
            self._place_again(capacity)
        self.load = sum(cost for _, cost in self._loads) / LOAD_S / capacity
        usable = self._usable(second, offered, capacity)
        place = bisect_left(BANDS, self.load)
        band = self.bands[place]
        for sums in (band, self.now):
            sums.pass_second(capacity, usable)
            sums.add(slot)
        self._places[second] = Place(place, band.age, self.now.age)
        while len(self._places) > BACK_S:
            del self._places[next(iter(self._places))]
        self._watch(place)

    def _usable(self, second: int, offered: float, capacity: float) -> float:
        """How much of a second's arrivals a system could do that idles never: what finds room in its queue.

        A queue is of use up to what can be done until the deadline.
        """
        queue = max(0.0, self._queue - capacity * max(0, second - self._queue_at - 1))
        usable = min(offered, max(0.0, capacity * (1.0 + self.given_s) - queue))
        self._queue, self._queue_at = max(0.0, queue + usable - capacity), second
        return usable

    def _place_again(self, capacity: float) -> None:
        """Capacity is larger than was known: what was judged by less of it belongs to lower load."""
        old, self.bands = self.bands, [Band(BAND_MEMORY_S) for _ in self.bands]
        moved: list[tuple[int, int]] = []
        for band in old:
            known, usable = band.known, band.usable
            cost = sum(cost for _, cost in band.offered.values())
            if band.too_small(capacity):
                known = capacity * band.seconds
                usable = max(usable, min(cost, known))
            to = bisect_left(BANDS, cost / known) if known else 0
            self.bands[to].add(band)
            self.bands[to].seconds += band.seconds
            self.bands[to].known += known
            self.bands[to].usable += usable
            moved.append((to, band.age))
        for second, (place, age, now_age) in self._places.items():
            to, ended = moved[place]
            self._places[second] = Place(to, self.bands[to].age - (ended - age), now_age)

    def _watch(self, place: int) -> None:
        """Does quality fall as load rises, or is it back?"""
        band = self.bands[place]
        eq = band.quality().eq
        below = self.bands[:place] if eq < GOOD else ()  # nobody asks for them else
        curve = [(self._top(at), low.quality().eq, low.evidence) for at, low in enumerate(below)]
        found = self.alert.step([*curve, (self._top(place), eq, band.evidence)], self.now.quality(), self.now.evidence)
        if found is not None:
            self.alerts.append(found)

    @staticmethod
    def _top(place: int) -> float:
        return BANDS[place] if place < len(BANDS) else inf

    def _slot(self, second: int) -> Band:
        found = self._coming.get(second)
        if found is None:
            found = self._coming[second] = Band(inf)
        return found

    def _put(self, found: Band, second: int) -> None:
        """Count it where its arrival was counted."""
        place = self._places.get(second)
        if place is None:
            self._slot(second if second in self._coming else self._second).add(found)
            return
        band = self.bands[place.band]
        band.add(found, band.since(place.age))
        self.now.add(found, self.now.since(place.now_age))

    # -- what it says -----------------------------------------------------------------------------------------------

    def seen(self, second: int, unknown: Iterable[tuple[Decision, int]] = ()) -> LiveQuality:
        """All of it as of now; `unknown` are decisions past their deadline and in doubt, with their actions."""
        self.pass_to(max(second, self._second))
        shown = QualityMeter()
        sums = {name: deepcopy(vars(self)[name]) for name in ("_coming", "bands", "now")}
        vars(shown).update(vars(self) | sums)
        for decision, actions in unknown:
            shown.lost(decision, actions, "unknown")
        curve = tuple(
            Row(self._top(at - 1) if at else 0.0, self._top(at), band.evidence, band.quality())
            for at, band in enumerate(shown.bands)
            if band.offered and band.known
        )
        return LiveQuality(self.load, self._confirmed.per_s(), shown.now.quality(), curve, self.alert.raised)
