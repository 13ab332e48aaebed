"""`python -m tests.chaos`: kill a node under load at hundreds of random moments and write out/chaos/report.json."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.chaos.campaign import Campaign

from lictor.surfaces.evidence import Evidence


def main() -> None:
    """Run the campaign in several journals, so that one damaged early cannot hide the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--per-journal", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("out/chaos"))
    options = parser.parse_args()
    started = time.time()
    kills, acknowledged, problems = 0, 0, []
    while kills < options.kills:
        options.out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="journal-", dir=options.out))
        count = min(options.per_journal, options.kills - kills)
        figures = asyncio.run(Campaign(folder, seed=kills).run(count, say=print))
        print(figures)
        kills += int(str(figures["kills"]))
        acknowledged += int(str(figures["acknowledged"]))
        problems += figures["problems"]  # type: ignore[arg-type]
    evidence = Evidence(
        "chaos", command=f"python -m tests.chaos --kills {options.kills}", started_us=int(started * 1e6)
    )
    evidence.show(
        id="S4 kill -9 of a node under load",
        target=options.kills,
        value=kills,
        unit="kills",
        met=kills >= options.kills,
    )
    evidence.show(id="S4 problems found after kills", target=0, value=len(problems), unit="problems", met=not problems)
    evidence.show(
        id="S4 acknowledged decisions at risk", target=None, value=acknowledged, unit="decisions", met=acknowledged > 0
    )
    evidence.write(options.out, ended_us=int(time.time() * 1e6))
    for problem in problems[:20]:
        print(problem)
    print(f"{kills} kills, {acknowledged} acknowledged, {len(problems)} problems, {time.time() - started:.0f} s")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
