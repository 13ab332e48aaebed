"""F4, feedback blindness: what is seen, and how soon, of a downstream that slows, hangs, lies, is late, and recovers.

    python -m benchmarks.failures blindness

Virtual time. The limiter alone (`blindness_limits.py`) beside Gradient2 and a semaphore, and outcomes of a real node
(`blindness_node.py`) beside a service that believes acknowledgements.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.failures import blindness_limits as limits
from benchmarks.failures.blindness_node import Seen, outcomes
from benchmarks.failures.intervals import median_interval
from benchmarks.failures.part import Findings, Settings, Table, findings

#: What never came counts as so many.
NEVER = 1_000.0
MANY, FEW = 160, 32
#: Calls in flight when it hangs, and in how many 99th percentiles that must be seen.
IN_FLIGHT = {16: 2.0, 3: 2.0, 2: 8.0, 1: 8.0}
ANSWERS, QUICK_ANSWERS = 1_000_000, 10_000
NODE_ARMS = ("lictor verified", "lictor checked", "naive")
NODE_SEEDS = 3
#: Virtual seconds of each phase, and decisions a second.
PHASE_S, QUICK_PHASE_S, RATE = 40.0, 5.0, 20.0


def run(settings: Settings) -> Findings:
    """Everything."""
    found = findings("blindness", "virtual", settings)
    seeds = list(settings.every_seed())
    rows = []
    for arm in limits.ARMS:
        rows.append(_limiter(found, arm, seeds))
        settings.tell(f"{arm}: {rows[-1]}")
    answers = QUICK_ANSWERS if settings.quick else ANSWERS
    for name, bounds in (("more calls are tried", limits.TRYING), ("fewer calls than servers", limits.BELOW)):
        said = sum(limits.alarms(seed, answers // len(seeds), bounds) for seed in seeds)
        settings.tell(f"{name}: {said} false alarms in {answers:,} answers")
        million = round(said * 1e6 / answers, 2)
        found.show(f"S5 F4 false alarms in a million answers, {name}", million, "alarms", 1.0, at_most=True)
    found.tables.append(_limits_table(rows))
    _nodes(found, settings)
    return found


def _known(values: Sequence[float | None]) -> list[float]:
    return [NEVER if value is None else float(value) for value in values]


def _limiter(found: Findings, arm: str, seeds: list[int]) -> list[float | str]:
    """One arm's figures; those of the engine are what is asked for."""
    row: list[float | str] = [arm]

    def told(name: str, values: Sequence[float | None], unit: str, target: float | None = None) -> None:
        middle, interval = median_interval(_known(values))
        row.append("never" if middle >= NEVER else round(middle, 2))
        if arm == "lictor":
            found.show(f"S5 F4 {name}", middle, unit, target, at_most=True, interval=interval)

    told("a slow-down of ten times is seen after", [limits.slowed(arm, seed) for seed in seeds], "answers", 10)
    for in_flight, target in IN_FLIGHT.items():
        times = [limits.hung(arm, seed, in_flight) for seed in seeds]
        told(f"a hang is seen, {in_flight} in flight, within", times, "p99", target)
    tracked = [limits.tracked(arm, seed, MANY, FEW) for seed in seeds]
    for way, name in enumerate((f"{MANY} servers become {FEW}", f"{FEW} become {MANY}")):
        windows = [windows[way] for windows, _, _ in tracked]
        told(f"{name}: the limit is within 10 % after", windows, "windows", 5)
        told(f"{name}: that takes", [times[way] for _, times, _ in tracked], "service times")
    told("the limit, once there, is off by", [off for _, _, off in tracked], "ratio", 0.1)
    again = [limits.recovered(arm, seed) for seed in seeds]
    told("a hang is over: the limit is within 10 % after", [windows for windows, _ in again], "windows", 5)
    told("a hang is over: that takes", [time for _, time in again], "service times")
    return row


def _limits_table(rows: list[list[float | str]]) -> Table:
    columns = ["arm", "ten times slower: answers"]
    columns += [f"hang, {in_flight} in flight: p99" for in_flight in IN_FLIGHT]
    columns += ["to a fifth: windows", "service times", "and back: windows", "service times", "off by"]
    columns += ["after a hang: windows", "service times"]
    text = (
        "Medians over the seeds; a window is what an arm decides on its limit by (for Gradient2 one second). Gradient2 "
        "says nothing: what counts as seen is that its limit has fallen by a tenth. Its limit is never below 20."
    )
    return Table(heading="What a limiter sees", columns=columns, rows=rows, text=text)


def _nodes(found: Findings, settings: Settings) -> None:
    phase_s = QUICK_PHASE_S if settings.quick else PHASE_S
    seeds = [settings.seed] if settings.quick else range(settings.seed, settings.seed + NODE_SEEDS)
    rows: list[list[float | str | None]] = []
    for arm in NODE_ARMS:
        runs = [outcomes(arm, seed, phase_s, RATE) for seed in seeds]
        rows.append(_sums(arm, runs))
        settings.tell(f"{arm}: {rows[-1]}")
        if arm == NODE_ARMS[0]:
            _show_outcomes(found, runs)
    columns = ["arm", "decisions", "lied to", "unknown at the end", "false success", "false failure", "doubles"]
    columns += ["success of the others while one tenant fails"]
    text = (
        "A real node and a service that believes acknowledgements, against a downstream that is slow, hangs, says ok "
        "and does nothing, acknowledges too late, fails one tenant, and recovers. Who asks what happened waits a "
        "second, and one question in twenty is lost."
    )
    found.tables.append(Table(heading="What became of it", columns=columns, rows=rows, text=text))


def _sums(arm: str, runs: list[Seen]) -> list[float | str | None]:
    def total(name: str) -> int:
        return sum(getattr(seen, name) for seen in runs)

    names = ("decisions", "lied", "unknown", "false_success", "false_failure", "doubles")
    return [arm, *(total(name) for name in names), round(statistics.mean(s.others_share for s in runs), 4)]


def _show_outcomes(found: Findings, runs: list[Seen]) -> None:
    show = found.show
    for name, field in (
        ("outcomes that are unknown at the end", "unknown"),
        ("false successes, where effects can be verified", "false_success"),
        ("false failures", "false_failure"),
        ("effects beyond one per key", "doubles"),
    ):
        show(f"S5 F4 {name}", sum(getattr(seen, field) for seen in runs), "decisions", 0, at_most=True)
    show("S5 F4 success of the others while one tenant fails", statistics.mean(s.others_share for s in runs), "ratio")
    for place, name in (("slow while it slow", "ten times slower"), ("hanging while it hangs", "hangs")):
        times = [seen.said_s.get(place) for seen in runs]
        middle, interval = median_interval(_known(times))
        show(f"S5 F4 node: it {name}, said after", middle, "s", interval=interval)
    found.facts["shed"] = {place: sum(seen.shed[place] for seen in runs) for place in runs[0].shed}
    found.facts["ends"] = {end: sum(seen.ends[end] for seen in runs) for end in runs[0].ends}
    found.facts["doubted"] = sum(seen.doubted for seen in runs)
