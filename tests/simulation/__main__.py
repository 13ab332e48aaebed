"""`python -m tests.simulation`: 20,000 simulated seeds and every ablation; writes out/simulation/report.json.

Two processes, one for each core. `--seed N` runs one seed again and tells what it did or what it found.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from html import escape
from pathlib import Path

from tests.simulation.ablations import ABLATIONS
from tests.simulation.campaign import Tally, replay, run
from tests.simulation.hunt import Found, hunt

from lictor.surfaces.evidence import Evidence

#: Where the hunts for each missing safeguard begin, and how far they go.
HUNTS = (0, 100_000, 200_000)
HUNT_SEEDS_MAX = 400
MEDIAN_MAX = 200


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="run this one seed again, and nothing else")
    parser.add_argument("--sqlite", action="store_true", help="with --seed: on a real SQLite file")
    parser.add_argument("--no-ablations", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/simulation"))
    options = parser.parse_args()
    if options.seed is not None:
        raise SystemExit(replay(options.seed, sqlite=options.sqlite))
    command = f"python -m tests.simulation --seeds {options.seeds}"
    evidence = Evidence("simulation", command=command, started_us=int(time.time() * 1e6), seed=options.first)
    found = True if options.no_ablations else _ablations(options.processes, evidence)
    tally = _seeds(options.first, options.seeds, options.processes, evidence)
    path = evidence.write(options.out, ended_us=int(time.time() * 1e6))
    print(f"{path}")
    raise SystemExit(bool(tally.violations) or not found)


def _seeds(first: int, seeds: int, processes: int, evidence: Evidence) -> Tally:
    began, said, tally = time.monotonic(), 0, Tally()
    try:
        for tally in run(first, seeds, processes):
            for violation in tally.violations[said:]:
                print(f"VIOLATION {violation.told}\n  replay: {violation.replay}", flush=True)
            said = len(tally.violations)
            if tally.seeds % 1_000 == 0:
                rate = tally.seeds / (time.monotonic() - began)
                print(f"{tally.seeds} seeds, {tally.decisions} decisions, {said} violations, {rate:.1f}/s", flush=True)
    except KeyboardInterrupt:
        print("stopped; what was done so far counts", flush=True)
    took_s = time.monotonic() - began
    show = evidence.show
    show(id="S5 simulated seeds", value=tally.seeds, target=20_000, unit="seeds", rig="simulated")
    show(id="S5 violations", value=len(tally.violations), target=0, at_most=True, unit="seeds", rig="simulated")
    show(id="S5 seeds on a real SQLite file", value=tally.on_sqlite, unit="seeds", rig="simulated")
    show(id="S5 simulated decisions", value=tally.decisions, unit="decisions", rig="simulated")
    show(id="S5 faults that struck", value=tally.faults, unit="faults", rig="simulated")
    show(id="S5 crashes and restarts", value=tally.crashes, unit="crashes", rig="simulated")
    show(id="S5 seeds a second", value=round(tally.seeds / took_s, 1), unit="seeds/s", rig="simulated")
    never = tally.never_hit()
    show(id="S5 cells never hit", value=len(never), target=0, at_most=True, unit="cells", rig="simulated")
    evidence.add("processes", processes)
    evidence.add("violations", [{"told": v.told, "replay": v.replay} for v in tally.violations])
    evidence.add("never_hit", [f"{kind} at {where}" for kind, where in never])
    evidence.add("ends", dict(tally.ends))
    evidence.add("features", dict(sorted(tally.features.items())))
    evidence.add("struck", {f"{kind} at {where}": n for (kind, where), n in sorted(tally.struck.items())})
    evidence.section("Faults that struck", _matrix(tally))
    print(f"{tally.seeds} seeds in {took_s:.0f} s, {len(tally.violations)} violations, never hit: {never}")
    return tally


def _ablations(processes: int, evidence: Evidence) -> bool:
    """Take each safeguard away, from several first seeds; the median number of seeds is what counts."""
    jobs = [(name, first) for name in ABLATIONS for first in HUNTS]
    with ProcessPoolExecutor(processes) as pool:
        results = list(pool.map(_hunt, [name for name, _ in jobs], [first for _, first in jobs]))
    rows, all_found = [], True
    for number, (name, ablation) in enumerate(ABLATIONS.items()):
        hunts = results[number * len(HUNTS) : (number + 1) * len(HUNTS)]
        counts = [found.seeds if found.seeds is not None else HUNT_SEEDS_MAX + 1 for found in hunts]
        median = int(statistics.median(counts))
        within = median if median <= HUNT_SEEDS_MAX else None
        shown = evidence.show(
            id=f"S5 ablation {ablation.invariant} {name}: found within (median)",
            value=within,
            target=MEDIAN_MAX,
            at_most=True,
            unit="seeds",
            rig="simulated",
        )
        all_found = all_found and shown.met
        rows.append({"invariant": ablation.invariant, "ablation": name, "seeds": counts, "median": within})
        print(f"{ablation.invariant:4} {name:24} {counts} median {within}", flush=True)
    evidence.add("ablations", rows)
    return all_found


def _hunt(name: str, first: int) -> Found:
    return hunt(ABLATIONS[name], first, HUNT_SEEDS_MAX)


def _matrix(tally: Tally) -> str:
    kinds = sorted({kind for kind, _ in tally.asked})
    places = sorted({where for _, where in tally.asked})
    head = "".join(f"<th>{escape(where)}</th>" for where in places)
    rows = "".join(
        f"<tr><th>{escape(kind)}</th>"
        + "".join(
            f'<td class="n">{tally.struck[kind, where] if (kind, where) in tally.asked else ""}</td>'
            for where in places
        )
        + "</tr>"
        for kind in kinds
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


if __name__ == "__main__":
    main()
