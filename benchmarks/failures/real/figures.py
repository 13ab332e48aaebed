"""From what cells measured to figures, curves and tables: medians over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.failures.intervals import Interval, median_interval
from benchmarks.failures.part import Curve, Findings, Point, Table
from benchmarks.failures.real.cell import Ran, Sample
from benchmarks.failures.real.control_cost import Cost
from benchmarks.failures.real.runner import Results
from lictor.monitoring import quality

Pick = Callable[[Sample], float | None]
Found = tuple[float, Interval] | tuple[None, None]


def goodput(found: Findings, results: Results) -> None:
    """The asyncio arms: Shows 1, for Lictor on a journal in memory and on disk."""
    note(found, results, "short")
    for arm in sorted(results.ran):
        found.curves.extend(curves(arm, results.ran[arm]))
        found.tables.append(table(f"F2 in real time: {arm}, calls of 20 ms", results.ran[arm]))
    for arm in ("lictor", "lictor sync"):
        show_arm(found, arm, results.ran.get(arm, []))
    ran = results.ran.get("lictor", [])
    for load in (10.0, 20.0):
        for other in ("naive", "semaphore", "best-known (Gradient2)"):
            value, interval = median(results.ran.get(other, []), load, lambda s: s.goodput)
            found.show(f"F2 goodput {load:g}x, {other}", value, "of capacity", interval=interval)
    steps = [s.settle for one in ran for s in one.samples if not s.fresh and s.load == max_load(one)]
    settled, interval = of([step for step in steps if step is not None])
    if steps and None in steps:
        settled = None if steps.count(None) * 2 >= len(steps) else settled
    found.show("F2 settles after a step 0.8x to 10x", settled, "service times", 5.0, at_most=True, interval=interval)
    gap, interval = of([hysteresis(one) for one in ran if any(not s.fresh for s in one.samples)])
    found.show("F2 hysteresis of the quality index", gap, "EQ", 0.01, at_most=True, interval=interval)


def max_load(ran: Ran) -> float:
    """The height of its stairs."""
    return max((sample.load for sample in ran.samples if not sample.fresh), default=0.0)


def hysteresis(ran: Ran) -> float:
    """How much quality a load keeps less after a higher one than from an idle start."""
    up = [(s.load, s.quality) for s in ran.samples if s.fresh]
    stairs = [s for s in ran.samples if not s.fresh]
    top = max(range(len(stairs)), key=lambda place: stairs[place].load) if stairs else 0
    return quality.hysteresis(up, [(s.load, s.quality) for s in stairs[top + 1 :]])


def show_arm(found: Findings, arm: str, ran: list[Ran]) -> None:
    """What Shows 1 asks for at each load."""
    for load, target in ((10.0, 0.99), (20.0, 0.98)):
        for unit, pick in (("in count", lambda s: s.goodput), ("in work", lambda s: s.goodput_work)):
            value, interval = median(ran, load, pick)
            found.show(f"F2 goodput {load:g}x {unit}, {arm}", value, "of capacity", target, interval=interval)
        value, interval = median(ran, load, lambda s: s.refusal_p99)
        name = f"F2 refused within, p99 at {load:g}x, {arm}"
        found.show(name, value, "service times", 0.05, at_most=True, interval=interval)
        value, interval = median(ran, load, lambda s: s.value_kept)
        found.show(f"F2 value kept at {load:g}x, {arm}", value, "of V*", 0.99, interval=interval)
        value, interval = median(ran, load, lambda s: s.quality)
        found.show(f"EQ({load:g}), {arm}", value, "EQ", interval=interval)
    samples = [sample for one in ran for sample in one.samples]
    stale = sum(s.stale_starts for s in samples) if samples else None
    found.show(f"F2 stale starts at all loads, {arm}", stale, "decisions", 0, at_most=True)
    ended = sum(s.ended for s in samples)
    late = sum(s.late_ends for s in samples) / ended if ended else None
    found.show(f"F2 what completes late, {arm}", late, "share", 0.001, at_most=True)
    whole = all(sum(s.ends.values()) == s.received and not s.ends["open"] for s in samples) if samples else None
    found.show(f"F2 every decision received has ended, {arm}", whole, "yes or no", met=bool(whole))
    value, interval = median(ran, 20.0, lambda s: s.rss_mb)
    found.show(f"F2 peak memory at 20x, {arm}", value, "MB", interval=interval)
    value, interval = median(ran, 20.0, lambda s: s.cpu_us)
    found.show(f"F2 processor time a decision at 20x, {arm}", value, "us", interval=interval)


def peers(found: Findings, results: Results) -> None:
    """The peers at long calls, naive and Lictor beside them."""
    note(found, results, "long")
    rows: list[list[Any]] = []
    for arm in sorted(results.ran):
        for ran in results.ran[arm]:
            by_load = {sample.load: sample for sample in ran.samples}
            cells = [by_load.get(load) for load in (0.8, 1.2, 2.0, 10.0, 20.0)]
            rows.append([arm, *(None if one is None else round(one.goodput, 3) for one in cells)])
            rows[-1].append(sum(sample.stale_starts for sample in ran.samples))
            for sample in ran.samples:
                if sample.load in {2.0, 10.0, 20.0}:
                    name = f"F2 goodput {sample.load:g}x, {arm}, calls of 200 ms"
                    target = {2.0: None, 10.0: 0.99, 20.0: 0.98}[sample.load] if arm == "lictor" else None
                    found.show(name, sample.goodput, "of capacity", target)
            label = arm if arm.split(" ")[0] not in {"naive", "lictor"} else f"{arm}, 200 ms"
            found.curves.extend(curves(label, [ran]))
    columns = ["arm", "0.8x", "1.2x", "2x", "10x", "20x", "stale starts"]
    text = "On-time completions to capacity, 200 ms a call, 16 servers, deadline 1 s; tuned: by hand, to its best."
    found.tables.append(Table(heading="F2 in real time: the peers", columns=columns, rows=rows, text=text))


def cost(found: Findings, costs: list[Cost]) -> None:
    """Shows 6."""
    for name, pick, unit, target, at_most in (
        ("S6 throughput of the control stack to semaphore's", lambda c: c.ratio, "ratio", 0.95, False),
        ("S6 accept", lambda c: c.accept_us, "us of processor", 20.0, True),
        ("S6 reject", lambda c: c.reject_us, "us of processor", 5.0, True),
        ("S6 semaphore, 1 to 3 ms calls", lambda c: c.semaphore_per_s, "calls/s", None, False),
        ("S6 lictor, 1 to 3 ms calls", lambda c: c.lictor_per_s, "calls/s", None, False),
    ):
        value, interval = of([pick(one) for one in costs])
        found.show(name, value, unit, target, at_most=at_most, interval=interval)


def note(found: Findings, results: Results, what: str) -> None:
    """How many runs were void, and what failed."""
    found.facts[f"{what}_void_runs"] = results.void
    found.facts[f"{what}_doubtful_runs"] = results.doubtful
    found.facts[what] = results.ran
    found.failures |= results.failures


def curves(arm: str, ran: list[Ran]) -> Iterable[Curve]:
    """The arm's curve of loads that each began idle, and of those on the way down."""
    for direction, fresh in (("up", True), ("down", False)):
        loads = sorted({s.load for one in ran for s in one.samples if s.fresh == fresh})
        points = [point(ran, load, fresh=fresh) for load in loads if fresh or load < max(loads)]
        if points:
            yield Curve(arm=arm, rig="real", points=points, direction=direction)


def point(ran: list[Ran], load: float, *, fresh: bool) -> Point:
    """Medians at one load."""
    good, good_interval = median(ran, load, lambda s: s.goodput, fresh=fresh)
    work, _ = median(ran, load, lambda s: s.goodput_work, fresh=fresh)
    eq, eq_interval = median(ran, load, lambda s: s.quality, fresh=fresh)
    return Point(
        load=load,
        goodput=good or 0.0,
        goodput_work=work,
        quality=eq,
        goodput_interval=good_interval,
        quality_interval=eq_interval,
    )


def table(heading: str, ran: list[Ran]) -> Table:
    """Every load of one arm."""
    columns = ["load", "goodput", "in work", "EQ", "stale", "late", "refused p99 / S", "CPU us", "MB", "seeds"]
    rows: list[list[Any]] = []
    for load in sorted({s.load for one in ran for s in one.samples if s.fresh}):
        picks: list[Pick] = [lambda s: s.goodput, lambda s: s.goodput_work, lambda s: s.quality]
        picks += [lambda s: s.stale_starts, lambda s: s.late_ends, lambda s: s.refusal_p99]
        picks += [lambda s: s.cpu_us, lambda s: s.rss_mb]
        rows.append([f"{load:g}x", *(rounded(median(ran, load, pick)[0]) for pick in picks), len(ran)])
    return Table(heading=heading, columns=columns, rows=rows)


def median(ran: list[Ran], load: float, pick: Pick, *, fresh: bool = True) -> Found:
    """Over the seeds, of what was measured at this load."""
    samples = [s for one in ran for s in one.samples if s.load == load and s.fresh == fresh]
    return of([value for value in map(pick, samples) if value is not None])


def of(values: list[float]) -> Found:
    """Median and interval; nothing of nothing."""
    if not values:
        return None, None
    value, interval = median_interval(values)
    return rounded(value), interval


def rounded(value: float | None) -> float | None:
    """To five figures."""
    return None if value is None else float(f"{value:.5g}")
