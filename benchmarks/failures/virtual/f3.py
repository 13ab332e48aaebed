"""F3, contention: noisy tenants, costs that nobody knew, two resources, decisions that nest, classes.

Windows are of at least a hundred mean services a tenant, and service is charged by the slot time that it took.
"""

from __future__ import annotations

import sys
import time
from types import FrameType
from typing import Any

from benchmarks.failures.part import Findings, Settings, Table, findings
from benchmarks.failures.virtual.arms import ARMS, Factory
from benchmarks.failures.virtual.arms.lictor import Watched
from benchmarks.failures.virtual.arms.nested import NestedFifo, NestedLictor
from benchmarks.failures.virtual.contention import Tenant, Window, lag, offers, windows
from benchmarks.failures.virtual.play import play
from benchmarks.failures.virtual.workload import C_PER_S, D_US, S_US, SLOTS, VALUES
from benchmarks.failures.virtual.world import Job
from lictor.capacity.fairness import AGEING
from lictor.capacity.feasibility import late
from lictor.capacity.lane import Lane

LOAD = 10.0
_WARM_S = 2
SERVICES = 100
LAG_MAX = SLOTS + 1
#: So far above its share every tenant asks, so that it has work waiting at any time.
_BACKLOGGED = 2.5


def noisy(tenants: int, ratio: float, load: float) -> list[Tenant]:
    """One tenant offers so many times what each of the others does; together the load."""
    each = load * C_PER_S / (tenants - 1 + ratio)
    return [Tenant(f"t{n}", each * (ratio if n == 0 else 1.0), S_US, D_US) for n in range(tenants)]


def fairness(
    factory: Factory, tenants: int, ratio: float, load: float, seed: int, *, count: int, services: int = SERVICES
) -> tuple[list[Window], float, list[Job]]:
    """Windows of so many mean services a tenant; and the largest lag."""
    long_us = round(services * tenants / C_PER_S * 1e6)
    first_us = _WARM_S * 1_000_000
    edges = [first_us + place * long_us for place in range(count + 1)]
    jobs = play(factory, offers(noisy(tenants, ratio, load), edges[-1] + D_US, seed), seed)
    return windows(jobs, edges), lag(jobs, first_us, edges[-1], long_us // 50), jobs


def run(settings: Settings) -> Findings:
    """All of F3 in virtual time."""
    found = findings("virtual_f3", "virtual", settings)
    for name, part in (
        ("tenants", _tenants),
        ("many tenants", _many),
        ("unknown costs", _skew),
        ("protected", _protected),
        ("nested", _nested),
        ("classes", _classes),
        ("use", _use),
        ("dispatch", _dispatch),
    ):
        part(found, settings)
        settings.tell(f"  F3 {name}")
    return found


def _tenants(found: Findings, settings: Settings) -> None:
    """Ten tenants, all with more than their share to do."""
    rows = []
    seeds = settings.every_seed()[:4]
    for ratio, load in ((12.0, LOAD), (100.0, _BACKLOGGED * 109 / 10)):
        for name in ("lictor", "semaphore", "best-known (Gradient2)"):
            runs = [fairness(ARMS[name], 10, ratio, load, seed, count=6) for seed in seeds]
            least = min(w.jain for ws, _, _ in runs for w in ws)
            behind = max(one for _, one, _ in runs)
            used = min(w.used for ws, _, _ in runs for w in ws)
            rows.append([name, f"{ratio:g}:1", round(least, 5), round(behind, 2), round(used, 4)])
            if name == "lictor":
                found.show(f"F3 Jain, 10 tenants, {ratio:g}:1, least window", round(least, 5), "index", 0.999)
                found.show(f"F3 lag, 10 tenants, {ratio:g}:1", round(behind, 3), "dearest calls", LAG_MAX, at_most=True)
    found.tables.append(Table(
        heading="Virtual time, F3: one noisy tenant of ten",
        columns=["arm", "noise", "Jain, least window", "lag in dearest calls", "slots in use"],
        rows=rows,
        text="Jain's index over service by entitlement, in windows of a hundred mean services a tenant.",
    ))  # fmt: skip


def _many(found: Findings, settings: Settings) -> None:
    """A thousand tenants at ten times capacity: a million decisions in one window."""
    tenants = 100 if settings.quick else 1_000
    began_s = time.process_time()
    runs = [fairness(ARMS["lictor"], tenants, 1.0, LOAD, seed, count=1) for seed in settings.every_seed()[:2]]
    took_s = time.process_time() - began_s
    least = min(w.jain for ws, _, _ in runs for w in ws)
    decisions = sum(len(jobs) for _, _, jobs in runs)
    found.show(f"F3 Jain, {tenants:,} tenants at 10x", round(least, 5), "index", 0.999)
    found.show("Virtual rig: decisions a second of CPU", round(decisions / took_s), "decisions/s")
    found.facts["decisions"] = decisions


def skew(factory: Factory, seed: int, services: int = SERVICES) -> tuple[Window, float]:
    """Two tenants whose calls take a thousand times as long as those of two others; nobody says so beforehand."""
    dear_us, cheap_us = 2_000_000, 2_000
    dear_per_s = SLOTS / 4 / (dear_us / 1e6)
    tenants = [Tenant(f"dear{n}", 1.5 * dear_per_s, dear_us, 20_000_000) for n in range(2)]
    tenants += [Tenant(f"cheap{n}", 1.5 * dear_per_s * dear_us / cheap_us, cheap_us, 20_000_000) for n in range(2)]
    long_us = round(services / dear_per_s * 1e6)
    first_us = 10_000_000
    jobs = play(factory, offers(tenants, first_us + long_us, seed, sigma=0.3), seed)
    (window,) = windows(jobs, [first_us, first_us + long_us])
    return window, lag(jobs, first_us, first_us + long_us, 1_000_000)


def _skew(found: Findings, settings: Settings) -> None:
    rows = []
    for name in ("lictor", "semaphore"):
        window, behind = skew(ARMS[name], settings.seed)
        rows.append([name, round(window.jain, 5), round(behind, 2), round(window.used, 4)])
    found.show("F3 Jain, costs of 1:1000 unknown at admission", rows[0][1], "index", 0.999)
    found.show("F3 lag, costs of 1:1000", rows[0][2], "dearest calls", LAG_MAX, at_most=True)
    found.tables.append(Table(
        heading="Virtual time, F3: costs of 1:1000 that nobody knew",
        columns=["arm", "Jain", "lag in dearest calls", "slots in use"],
        rows=rows,
    ))  # fmt: skip


def protected_share(factory: Factory, seed: int, seconds: float = 20.0) -> float:
    """Of what nine quiet tenants ask, how much is kept while a tenth asks for ten times what there is.

    Each quiet one asks for 0.4 of its share; the loud one joins in the middle.
    """
    join_us = round(seconds * 5e5)
    quiet = [Tenant(f"t{n}", 0.4 * C_PER_S / 10, S_US, D_US) for n in range(9)]
    loud = Tenant("loud", LOAD * C_PER_S, S_US, D_US, from_us=join_us)
    jobs = play(factory, offers([*quiet, loud], round(seconds * 1e6), seed), seed)
    asked = [j for j in jobs if j.owner != "loud" and j.at_us >= join_us and j.service_us <= D_US]
    return sum(job.end == "kept" for job in asked) / len(asked)


def _protected(found: Findings, settings: Settings) -> None:
    rows = [
        [name, round(min(protected_share(ARMS[name], seed) for seed in settings.every_seed()[:3]), 4)]
        for name in ("lictor", "semaphore", "best-known (Gradient2)")
    ]
    found.show("F3 kept of what tenants below their share ask, noisy neighbour at 10x", rows[0][1], "share")
    found.tables.append(Table(
        heading="Virtual time, F3: tenants below their share beside one that asks for ten times what there is",
        columns=["arm", "kept of what they ask"],
        rows=rows,
    ))  # fmt: skip


def nested(kind: type[NestedLictor | NestedFifo], load: float, seed: int, seconds: float) -> tuple[int, float]:
    """Deadlocks, and roots done in time a second in multiples of capacity."""
    arms = []

    def make(world: Any, server: Any, number: int) -> Any:
        arms.append(kind(world, server, number))
        return arms[-1]

    tenants = [Tenant(f"t{n}", load * C_PER_S / 10, S_US, D_US) for n in range(10)]
    jobs = play(make, offers(tenants, round(seconds * 1e6), seed), seed)
    kept = sum(job.end == "kept" for job in jobs)
    return arms[0].deadlocks, kept / (seconds * C_PER_S)


def _nested(found: Findings, settings: Settings) -> None:
    seconds = 3.0 if settings.quick else 20.0
    rows, deadlocks = [], 0
    for load in (0.8, 1.2, 10.0):
        ours, others = nested(NestedLictor, load, settings.seed, seconds), nested(NestedFifo, load, 1, seconds)
        deadlocks += ours[0]
        rows.append([f"{load:g}x", ours[0], round(ours[1], 4), others[0], round(others[1], 4)])
    found.show("F3 deadlocks of nested decisions", deadlocks, "deadlocks", 0, at_most=True)
    found.tables.append(Table(
        heading="Virtual time, F3: decisions that nest three deep on one effector",
        columns=["load", "lictor: deadlocks", "goodput", "FIFO: deadlocks", "goodput"],
        rows=rows,
        text="Parents hold their slots while they wait, so goodput cannot reach 1.",
    ))  # fmt: skip


CLASS_LOADS = (0.3, 2.0, 1.0, 0.5)


def classes(factory: Factory, seed: int, seconds: float) -> list[Job]:
    """Four classes of ten tenants that together ask for 3.8 times what there is."""
    tenants = [
        Tenant(f"t{n}c{c}", load * C_PER_S / 10, S_US, D_US, c, VALUES[c])
        for c, load in enumerate(CLASS_LOADS) for n in range(10)
    ]  # fmt: skip
    return play(factory, offers(tenants, round(seconds * 1e6), seed), seed)


def guarantee(jobs: list[Job]) -> float:
    """What the class below the busiest gets, of one start in so many that ageing promises it."""
    started = [sum(j.priority == c and j.started_us is not None for j in jobs) for c in (1, 2)]
    return started[1] / (sum(started) / (AGEING + 1))


def ranks(kind: Factory, seed: int, seconds: float) -> tuple[int, list[Job]]:
    """Inversions, and all jobs."""
    watched: list[Watched] = []

    def make(world: Any, server: Any, number: int) -> Any:
        watched.append(kind(world, server, number))
        return watched[-1]

    jobs = classes(make, seed, seconds)
    return watched[0].inversions, jobs


def _classes(found: Findings, settings: Settings) -> None:
    """Strict classes with ageing: no inversion, and the class below the busiest gets its turn."""
    seconds = 3.0 if settings.quick else 20.0
    inversions, jobs = ranks(Watched, settings.seed, seconds)
    found.show("F3 inversions on effective class", inversions, "starts", 0, at_most=True)
    found.show("F3 low class, of its guarantee", round(guarantee(jobs), 4), "ratio")
    started = [sum(j.priority == c and j.started_us is not None for j in jobs) for c in range(len(CLASS_LOADS))]
    all_us = seconds * 1e6 * SLOTS
    rows = [
        [c, CLASS_LOADS[c], started[c], round(sum(j.used_us for j in jobs if j.priority == c) / all_us, 4)]
        for c in range(len(CLASS_LOADS))
    ]
    found.tables.append(Table(
        heading="Virtual time, F3: four classes that together ask for 3.8 times what there is",
        columns=["class", "offered", "started", "of all slot time"],
        rows=rows,
    ))  # fmt: skip


def _use(found: Findings, settings: Settings) -> None:
    """Slots in use under contention, against a FIFO's."""
    used = {}
    for name in ("lictor", "semaphore"):
        ws, _, _ = fairness(ARMS[name], 10, 12.0, LOAD, settings.seed, count=6)
        used[name] = sum(w.used for w in ws) / len(ws)
    found.show("F3 use, of FIFO's", round(used["lictor"] / used["semaphore"], 5), "ratio", 0.99)


# -- cost of a dispatch -----------------------------------------------------------------------------------------------


class _Counted:
    """Counts instructions of the policy code."""

    def __init__(self) -> None:
        self.instructions = 0

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "opcode":
            self.instructions += 1
        elif event == "call":
            if "capacity" not in frame.f_code.co_filename:
                return None
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self


def dispatch(tenants: int, decisions: int = 300) -> float:
    """Instructions of one decision (asked, pushed, popped, noted) while so many tenants wait."""
    lane: Lane[Job] = Lane(SLOTS)
    far_us = 10**15
    jobs = [Job(n, 0, far_us, S_US, 0, f"t{n % tenants}", 1.0) for n in range(2 * tenants + decisions)]
    waiting, coming = jobs[: 2 * tenants], jobs[2 * tenants :]
    for job in waiting:
        lane.push(job)
    now_us = 0
    for _ in range(SLOTS):
        lane.pop(now_us)
        lane.take(0)
    counted, before = _Counted(), sys.gettrace()
    sys.settrace(counted)
    try:
        for job in coming:
            now_us += S_US // SLOTS
            late(job, (lane,), now_us)
            lane.push(job)
            lane.note(job, S_US / 1e6, now_us / 1e6)
            lane.pop(now_us)
            lane.take(0)
    finally:
        sys.settrace(before)
    return counted.instructions / decisions


def _dispatch(found: Findings, settings: Settings) -> None:
    few, many = dispatch(10), dispatch(10_000)
    found.show("F3 dispatch cost, 10,000 tenants to 10", round(many / few, 4), "ratio", 2.0, at_most=True)
    found.facts["instructions_10_tenants"], found.facts["instructions_10000_tenants"] = few, many
