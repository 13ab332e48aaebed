"""Prometheus metrics of one node, in a registry of its own.

Reads the node's counts and vitals when scraped, and costs nothing until then.
A scrape walks what is open once (about 0.3 us a decision); everything else is a few dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .counts import Counts, Series
from .histogram import Histogram
from .live_quality import LiveQuality
from .vitals import Vitals

#: Series of one gauge, at most: scopes of balances, subjects of adjustments and scores (I17).
SERIES_MAX = 1_000

PACES = {"usual": 0, "slow": 1, "hanging": 2}


class Metrics(Collector):
    """What one node shows to Prometheus."""

    def __init__(self, counts: Counts, vitals: Vitals, lost: Callable[[], int]) -> None:
        self._lost = lost
        self._counts = counts
        self._vitals = vitals
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def text(self) -> str:
        """The text exposition format."""
        return generate_latest(self.registry).decode()

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering reads nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._counters()
        yield from self._histograms()
        yield from self._load()
        yield from self._effectors()
        yield from self._governed()
        yield from self._audited()
        yield from self._quality()

    def quality(self) -> LiveQuality:
        """The execution-quality index, now and by load."""
        v = self._vitals
        return self._counts.quality.seen(v.clock.wall_us() // 1_000_000, v.unknown())

    def _quality(self) -> Iterator[Metric]:
        found = self.quality()
        if found.load is None or found.capacity_per_s is None:
            return
        yield gauge("lictor_execution_quality", "Kept of what could have been kept, last minute", found.now.eq)
        yield gauge("lictor_load", "Offered work in multiples of capacity", found.load)
        yield gauge("lictor_capacity", "Actions a second, the most sustained within the hour", found.capacity_per_s)
        yield gauges("lictor_quality_loss", "Quality lost, by cause, last minute", ("cause",), found.now.losses)
        curve = {f"{row.load_to:g}": row.quality.eq for row in found.curve}
        yield gauges("lictor_execution_quality_at_load", "Quality while load was at most so much", ("load",), curve)
        yield gauge("lictor_quality_alert", "1: quality falls as load rises", float(found.alert is not None))

    def _counters(self) -> Iterator[Metric]:
        c = self._counts
        yield counter("lictor_verdicts", "Verdicts", ("kind", "source", "verdict", "code"), c.verdicts)
        yield counter("lictor_outcomes", "Outcomes", ("kind", "source", "result", "code"), c.outcomes)
        yield counter("lictor_attempts", "Attempts: first ones and extra ones", ("effector", "which"), c.attempts)
        yield counter("lictor_action_events", "What came of attempts", ("effector", "event"), c.events)
        yield counter("lictor_shed", "Signals shed or refused unread", ("kind", "source", "code"), c.shed)
        yield counter("lictor_quarantined", "Signals put aside", ("source", "reason"), c.quarantined)
        yield counter("lictor_adjustment_moves", "Moves of adjustments", ("adjustment", "how"), c.moves)
        yield counter("lictor_outside", "Webhooks in, callbacks and alerts out", ("channel", "name", "what"), c.outside)
        lost = CounterMetricFamily("lictor_log_lines_lost", "Log lines that could not be written")
        lost.add_metric([], self._lost())
        yield lost
        turns = CounterMetricFamily("lictor_turns", "Committed turns of the pipeline")
        turns.add_metric([], c.turns)
        yield turns

    def _histograms(self) -> Iterator[Metric]:
        c = self._counts
        yield histogram(
            "lictor_verdict_seconds", "From the turn that took a signal to its durable verdict", c.verdict_s
        )
        family = HistogramMetricFamily("lictor_outcome_seconds", "From arrival to outcome", labels=["kind"])
        for kind, found in c.outcome_s.items():
            family.add_metric([kind], found.buckets(), found.sum)
        yield family
        yield histogram("lictor_commit_seconds", "One transaction of the journal", c.commit_s)
        yield histogram("lictor_batch_verbs", "Verbs in one transaction", c.batch)

    def _load(self) -> Iterator[Metric]:
        v = self._vitals
        yield gauge("lictor_backlog", "Admitted decisions that have not ended", v.execution.backlog)
        yield gauge("lictor_parked", "Open decisions that are not in memory", v.journal.state.parking.count)
        yield gauge("lictor_in_flight", "Calls of effectors that run", v.execution.running())
        yield gauge("lictor_waiting", "Signals that wait for a turn", v.waiting())
        yield gauge("lictor_waiting_max", "Signals that may wait", v.waiting_max)
        yield gauge("lictor_journal_lag_seconds", "How long the running turn has waited for its commit", v.turn_s())
        decisions, actions = v.open_states()
        yield gauges(
            "lictor_open_decisions", "Open decisions: held, deferred, admitted, running", ("state",), decisions
        )
        yield gauges("lictor_open_actions", "Actions of started decisions: pending, in doubt", ("state",), actions)

    def _effectors(self) -> Iterator[Metric]:
        lanes = self._vitals.execution.lanes
        label = ("effector",)
        yield gauges("lictor_slots", "Slots", label, {n: x.slots for n, x in lanes.items()})
        yield gauges("lictor_slots_free", "Free slots", label, {n: max(0, x.free) for n, x in lanes.items()})
        yield gauges("lictor_ready", "Ready work in queue", label, {n: x.ready.size for n, x in lanes.items()})
        yield gauges(
            "lictor_extra_work_tokens", "Extra attempts left", label, {n: x.pool.tokens for n, x in lanes.items()}
        )
        yield gauges("lictor_breaker_open", "1: no retries", label, {n: x.breaker.open for n, x in lanes.items()})
        held = {n: x.held_until_us > 0 for n, x in lanes.items()}
        yield gauges("lictor_effector_held", "1: the world is busy, nothing starts", label, held)
        watched = {n: x.watch for n, x in lanes.items() if x.watch is not None}
        paces = {n: w.pace for n, w in watched.items() if w.pace is not None}
        yield gauges(
            "lictor_effector_pace", "0 usual, 1 slow, 2 hanging", label, {n: PACES[p] for n, p in paces.items()}
        )
        hedges = CounterMetricFamily("lictor_hedges", "Second calls of an attempt", labels=label)
        for name, watch in watched.items():
            hedges.add_metric([name], watch.hedges)
        yield hedges

    def _audited(self) -> Iterator[Metric]:
        a = self._vitals.audited
        if a.kept:
            yield gauge("lictor_history_facts", "Facts of history", a.size)
            yield gauge("lictor_history_behind", "Facts that are not in the tree over history yet", a.behind)
            yield gauge("lictor_history_unsigned", "Facts that no signed checkpoint covers yet", a.unsigned)

    def _governed(self) -> Iterator[Metric]:
        v, state = self._vitals, self._vitals.journal.state
        moved = {key: found.value for key, found in v.adjustments.items()}
        yield gauges("lictor_adjustment", "Adjustments in force", ("name", "subject"), moved)
        scores = {(source, name): value for source, named in v.scores().items() for name, value in named.items()}
        yield gauges("lictor_score", "Scores of sources; 1 is best", ("source", "score"), scores)
        halts = {(scope, halt.mode): 1 for scope, halt in state.halts.items()}
        yield gauges("lictor_halted", "Scopes that are halted or only reduce", ("scope", "mode"), halts)
        sums: dict[tuple[str, str, str], float] = {}
        now_us = v.clock.wall_us()
        for (budget, scope), balance in islice(state.balances.items(), SERIES_MAX):
            window = balance.window(now_us)
            sums[budget, scope, "limit"] = float(balance.limit)
            sums[budget, scope, "settled"] = float(balance.settled(window))
            sums[budget, scope, "reserved"] = float(balance.reserved(window))
            sums[budget, scope, "latched"] = float(balance.latched)
        family = GaugeMetricFamily("lictor_balance", "Balances now", labels=["budget", "scope", "what"])
        for key, value in sums.items():
            family.add_metric(list(key), value)
        yield family


def counter(name: str, about: str, labels: tuple[str, ...], counts: Series) -> Metric:
    """A counter with labels."""
    family = CounterMetricFamily(name, about, labels=labels)
    for key, count in counts.items():
        family.add_metric(list(key), count)
    return family


def histogram(name: str, about: str, found: Histogram) -> Metric:
    """A histogram without labels."""
    family = HistogramMetricFamily(name, about)
    family.add_metric([], found.buckets(), found.sum)
    return family


def gauge(name: str, about: str, value: float) -> Metric:
    """One number."""
    return GaugeMetricFamily(name, about, value=value)


def gauges(
    name: str, about: str, labels: tuple[str, ...], values: Mapping[str, float] | Mapping[tuple[str, str], float]
) -> Metric:
    """Numbers with labels, the first `SERIES_MAX` of them."""
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, value in islice(values.items(), SERIES_MAX):
        family.add_metric([key] if isinstance(key, str) else list(key), float(value))
    return family
