"""The live picture of a node: its six stages with rates, waits and refusals, and what the bottleneck is now.

Rates are differences of what monitoring counts anyway. While somebody looks, a timer takes one sample a second and
stops when nobody has looked for a while, so that it costs nothing when nobody uses it. What waits is counted in one
pass over what is open; that pass is repeated as often as it may cost a twentieth of one core, and no more.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from lictor.monitoring.histogram import Histogram
from lictor.node import Node

from .bottleneck import bottleneck
from .views import halts_data
from .waiting import Waiting, in_flight

#: Rates are over so many seconds.
OVER_S = 10.0
EVERY_S = 1.0
#: Samples kept for the picture of the last minutes.
SAMPLES_MAX = 180
#: The timer stops when nobody has looked for so long.
UNSEEN_S = 120.0
#: The pass over what is open may take such a share of the time.
LOOK_SHARE = 0.05
#: Codes and effectors that are told of by name.
NAMED_MAX = 12


class Sample(NamedTuple):
    """Counters at one moment."""

    at_s: float
    at_us: int
    #: Verdicts by (result, code), signals turned away unread by code, outcomes by (result, code).
    verdicts: Counter[tuple[str, str]]
    shed: Counter[str]
    outcomes: Counter[tuple[str, str]]
    quarantined: int
    attempts: int
    moves: int
    turns: int
    commits: int
    commit_s: float
    verdict_s: tuple[int, ...]
    outcome_s: tuple[int, ...]


class Flow:
    """The flow of one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_MAX)
        self._timed = False
        self._seen_s = 0.0
        self._waiting: Waiting | None = None
        self._waiting_until_s = 0.0

    def read(self) -> dict[str, Any]:
        """All of it, as plain data. Rates are None until there are two samples."""
        node = self.node
        node.pipeline.observe()
        self._seen_s = node.clock.monotonic()
        if not self._samples or self._seen_s - self._samples[-1].at_s >= EVERY_S / 2:
            self._samples.append(self._sample())
        if not self._timed:
            self._tick()
        now, before = self._samples[-1], self._before()
        over_s = now.at_s - before.at_s
        waiting = self._what_waits()
        rates = Rates(now, before, over_s)
        facts: dict[str, Any] = {
            "at_us": now.at_us,
            "over_s": over_s,
            "app": {"name": node.app.name, "version": node.app.version, "policy": node.app.policy_version()},
            "health": node.health().data(),
            "halts": halts_data(node.journal),
            "signals_waiting": node.vitals.waiting(),
            "signals_waiting_max": node.vitals.waiting_max,
            "backlog": node.pipeline.execution.backlog,
            "open": node.journal.state.open_count,
            "journal": {
                "durability": node.journal.durability,
                "turn_s": node.vitals.turn_s(),
                "busy_share": rates.busy_share(),
                "commit_s": rates.commit_s(),
            },
            "waiting": waiting.data(),
            "effectors": effectors(node, waiting),
            "refusals": rates.refusals(),
            "outcomes": rates.outcomes(),
            "verdict_s": spans(now.verdict_s, before.verdict_s),
            "outcome_s": spans(now.outcome_s, before.outcome_s),
            "history": self._history(),
        }
        facts["stages"] = stages(node, facts, rates)
        facts["bottleneck"] = bottleneck(facts).data()
        return facts

    def _sample(self) -> Sample:
        counts, clock = self.node.pipeline.monitoring.counts, self.node.clock
        verdicts: Counter[tuple[str, str]] = Counter()
        for (_, _, result, code), count in counts.verdicts.items():
            verdicts[result, code] += count
        outcomes: Counter[tuple[str, str]] = Counter()
        for (_, _, result, code), count in counts.outcomes.items():
            outcomes[result, code] += count
        shed: Counter[str] = Counter()
        for (_, _, code), count in counts.shed.items():
            shed[code] += count
        return Sample(
            at_s=clock.monotonic(),
            at_us=clock.wall_us(),
            verdicts=verdicts,
            shed=shed,
            outcomes=outcomes,
            quarantined=sum(counts.quarantined.values()),
            attempts=sum(counts.attempts.values()),
            moves=sum(counts.moves.values()),
            turns=counts.turns,
            commits=sum(counts.commit_s.counts),
            commit_s=counts.commit_s.sum,
            verdict_s=tuple(counts.verdict_s.counts),
            outcome_s=_sum(histogram.counts for histogram in counts.outcome_s.values()),
        )

    def _tick(self) -> None:
        """Take samples while somebody looks."""
        node = self.node
        self._timed = node.failure is None and node.clock.monotonic() - self._seen_s < UNSEEN_S
        if self._timed:
            node.clock.call_later(EVERY_S, self._timer)
        else:
            self._samples.clear()

    def _timer(self) -> None:
        node = self.node
        if not node.accepting and node.failure is None and not node.pipeline.execution.running():
            self._timed = False  # it has stopped
            return
        node.pipeline.observe()
        if node.clock.monotonic() - self._samples[-1].at_s >= EVERY_S / 2:
            self._samples.append(self._sample())
        self._tick()

    def _before(self) -> Sample:
        """The sample that rates are counted from."""
        now = self._samples[-1]
        return next((s for s in self._samples if now.at_s - s.at_s <= OVER_S), now)

    def _what_waits(self) -> Waiting:
        clock = self.node.clock
        began = clock.monotonic()
        if self._waiting is None or began >= self._waiting_until_s:
            self._waiting = Waiting(self.node)
            ended = clock.monotonic()
            self._waiting_until_s = ended + (ended - began) / LOOK_SHARE
        return self._waiting

    def _history(self) -> dict[str, list[float]]:
        """The last minutes second by second: admitted, refused and shed, ended, each a second."""
        lines: dict[str, list[float]] = {"at_s": [], "admitted": [], "refused": [], "succeeded": [], "failed": []}
        for before, now in zip(self._samples, islice(self._samples, 1, None), strict=False):
            rates = Rates(now, before, now.at_s - before.at_s)
            lines["at_s"].append(round(now.at_us / 1e6, 3))
            lines["admitted"].append(rates.verdict("admitted") or 0.0)
            lines["refused"].append((rates.verdict("refused") or 0.0) + (rates.shed() or 0.0))
            lines["succeeded"].append(rates.outcome("succeeded") or 0.0)
            lines["failed"].append((rates.ended() or 0.0) - lines["succeeded"][-1])
        return lines


class Rates(NamedTuple):
    """What happened between two samples, a second; None where there is only one."""

    now: Sample
    before: Sample
    over_s: float

    def per_s(self, now: float, before: float) -> float | None:
        """A difference, a second."""
        return round((now - before) / self.over_s, 3) if self.over_s > 0 else None

    def verdict(self, *results: str) -> float | None:
        """Verdicts of these results."""
        return self.per_s(_of(self.now.verdicts, results), _of(self.before.verdicts, results))

    def outcome(self, *results: str) -> float | None:
        """Outcomes of these results."""
        return self.per_s(_of(self.now.outcomes, results), _of(self.before.outcomes, results))

    def ended(self) -> float | None:
        """All outcomes."""
        return self.per_s(self.now.outcomes.total(), self.before.outcomes.total())

    def shed(self) -> float | None:
        """Signals turned away unread."""
        return self.per_s(self.now.shed.total(), self.before.shed.total())

    def counted(self, name: str) -> float | None:
        """One of the plain counters."""
        return self.per_s(getattr(self.now, name), getattr(self.before, name))

    def busy_share(self) -> float | None:
        """The share of the time that went into commits."""
        share = self.counted("commit_s")
        return None if share is None else min(1.0, share)

    def commit_s(self) -> float | None:
        """The mean duration of a commit."""
        count = self.now.commits - self.before.commits
        return (self.now.commit_s - self.before.commit_s) / count if count else None

    def refusals(self) -> list[dict[str, Any]]:
        """Codes that refuse or shed, the most frequent first."""
        found: list[dict[str, Any]] = []
        for (result, code), count in self.now.verdicts.items():
            if result == "refused":
                per_s = self.per_s(count, self.before.verdicts[result, code])
                found.append({"code": code, "result": "refused", "count": count, "per_s": per_s})
        for code, count in self.now.shed.items():
            per_s = self.per_s(count, self.before.shed[code])
            found.append({"code": code, "result": "shed", "count": count, "per_s": per_s})
        return sorted(found, key=lambda each: (each["per_s"] or 0.0, each["count"]), reverse=True)[:NAMED_MAX]

    def outcomes(self) -> list[dict[str, Any]]:
        """Outcomes, the most frequent first."""
        found = [
            {"result": r, "code": code, "count": n, "per_s": self.per_s(n, self.before.outcomes[r, code])}
            for (r, code), n in self.now.outcomes.most_common(NAMED_MAX)
        ]
        return sorted(found, key=lambda each: (each["per_s"] or 0.0, each["count"]), reverse=True)


def stages(node: Node, facts: dict[str, Any], rates: Rates) -> list[dict[str, Any]]:
    """The six stages: what passes through each a second, what waits in it, and what it keeps back."""
    waiting, state = facts["waiting"], node.journal.state
    ruled = rates.verdict("admitted", "refused", "held", "deferred", "duplicate")
    arrived = None if ruled is None else ruled + (rates.shed() or 0.0) + (rates.counted("quarantined") or 0.0)
    demoted = sum(1 for (name, _), found in state.adjustments.items() if name == "demoted" and found.value)
    rows: list[tuple[str, float | None, int, dict[str, Any]]] = [
        (
            "inputs", arrived, facts["signals_waiting"],
            {"shed": rates.shed(), "quarantined": rates.counted("quarantined"), "kept aside": len(state.quarantine)},
        ),
        ("decisions", ruled, 0, {"duplicate": rates.verdict("duplicate"), "kinds": len(node.app.kinds)}),
        (
            "validation", rates.verdict("admitted", "refused", "held", "deferred"),
            waiting["held"] + waiting["deferred"],
            {"admitted": rates.verdict("admitted"), "refused": rates.verdict("refused"), "held": waiting["held"],
             "deferred": waiting["deferred"]},
        ),
        (
            "execution", rates.counted("attempts"),
            waiting["queued"] + waiting["behind"] + sum(waiting["tokens"].values()) + sum(waiting["halted"].values()),
            {"in flight": waiting["in_flight"], "pending": waiting["pending"], "in doubt": waiting["in_doubt"]},
        ),
        ("monitoring", rates.counted("turns"), 0, {"alerts": len(facts["health"]["reasons"])}),
        ("feedback", rates.ended(), 0, {"adjustments": len(state.adjustments), "demoted": demoted}),
    ]  # fmt: skip
    return [{"name": name, "per_s": per_s, "waiting": count, "facts": more} for name, per_s, count, more in rows]


def effectors(node: Node, waiting: Waiting) -> list[dict[str, Any]]:
    """Each effector's capacity, and what waits for it."""
    rows = []
    attempts = node.pipeline.monitoring.counts.attempts
    for name, lane in node.pipeline.execution.lanes.items():
        watch, service = lane.watch, lane.service
        adaptive = lane.effector.adaptive
        rows.append(
            {
                "name": name,
                **waiting.of(name),
                "slots": lane.slots,
                "slots_low": adaptive.low if adaptive is not None else None,
                "slots_high": adaptive.high if adaptive is not None else None,
                "in_flight": in_flight(lane),
                "idempotent": lane.effector.idempotent,
                "timeout_s": lane.effector.timeout_s,
                "call_s": service.mean_s or None,
                "call_p99_s": service.mean_s * service.careful if service.known else None,
                "turned_away": round(service.turned, 4),
                "tokens": round(lane.pool.tokens, 2),
                "extra_share": lane.pool.share,
                "first": attempts.get((name, "first"), 0),
                "extra": attempts.get((name, "extra"), 0),
                "breaker_open": lane.breaker.open,
                "held_until_us": lane.held_until_us,
                "pace": None if watch is None or watch.pace is None else str(watch.pace),
                "hedges": 0 if watch is None else watch.hedges,
            }
        )
    return rows


def spans(now: tuple[int, ...], before: tuple[int, ...]) -> dict[str, float | None]:
    """Median and 99th percentile of what was counted between two samples, as upper bounds of their buckets."""
    counts = [a - b for a, b in zip(now, before or (0,) * len(now), strict=True)]
    total, bounds = sum(counts), Histogram().bounds
    found: dict[str, float | None] = {"p50": None, "p99": None}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        seen = 0
        for place, count in enumerate(counts):
            seen += count
            if total and seen >= share * total:
                found[name] = bounds[min(place, len(bounds) - 1)]
                break
    return found


def _of(counts: Mapping[tuple[str, str], int], results: tuple[str, ...]) -> int:
    return sum(count for (result, _), count in counts.items() if result in results)


def _sum(columns: Iterable[list[int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*columns, strict=True)))
