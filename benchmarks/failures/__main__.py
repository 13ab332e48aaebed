"""`python -m benchmarks.failures`: run the parts that are named, or all; merge what is there; print every figure."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

from benchmarks.failures import registry, report
from benchmarks.failures.part import Settings, findings
from lictor.surfaces.evidence import table

_QUICK_SEEDS = 2


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failures", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(registry.PARTS)}; `none` only merges what is there")
    parser.add_argument("--seeds", type=int, help=f"how many (12; {_QUICK_SEEDS} when quick)")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--quick", action="store_true", help="few decisions; not for quoting")
    parser.add_argument("--out", type=Path, default=Path("out/failures"), help="where the report goes")
    options = parser.parse_args(arguments)
    unknown = set(options.part) - set(registry.PARTS) - {"none"}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run and report; the exit code says whether every part ran, not whether targets were met."""
    options = _arguments(arguments)
    started_us = time.time_ns() // 1000
    settings = Settings(
        seeds=options.seeds or (_QUICK_SEEDS if options.quick else Settings().seeds),
        seed=options.seed,
        quick=options.quick,
        out=options.out,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    failed = 0
    for part in options.part or list(registry.PARTS):
        if part == "none":
            continue
        if not registry.present(part):
            settings.tell(f"{part}: not built yet")
            continue
        began_s = time.monotonic()
        try:
            found = registry.run(part, settings)
        except Exception:  # the other parts still run; the report says what is missing
            failed += 1
            found = findings(part, "-", settings)
            found.failures[part] = traceback.format_exc().strip().splitlines()[-1]
            settings.tell(traceback.format_exc())
        report.keep(found, options.out)
        settings.tell(f"{part}: {time.monotonic() - began_s:.1f} s")
    path = report.write(options.out, seed=options.seed, started_us=started_us)
    print(table(options.out))
    print(f"written: {path} and report.html beside it")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
