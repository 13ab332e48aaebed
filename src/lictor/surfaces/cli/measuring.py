"""Commands that measure: `quality`, what was kept of what could have been kept."""

from __future__ import annotations

from typing import Any

from .output import Exit, document, say, table
from .reach import Where

#: How causes of loss are told to people.
CAUSES = {
    "late": "finished too late",
    "stale": "started too late",
    "wasted": "ran and failed",
    "unfair": "less valuable work went first",
    "unknown": "nobody knows what came of it",
    "overhead": "turned away while capacity idled",
    "harm": "did harm",
}
#: A loss smaller than this is not told of.
TOLD_MIN = 0.0005


def quality(*, where: Where = Where()) -> int:  # noqa: B008 - frozen
    """Show what was kept of the value that could have been kept: now, and at each load that was seen.

    1 means that nothing was lost that could have been kept, however much was asked for. Exit code 1: it falls as load
    rises.
    """
    found = where.ask("quality")
    if where.json:
        document(found)
        return Exit.NO if found["alert"] else Exit.DONE
    if found["load"] is None:
        say("not known yet: capacity is what a node has sustained for 10 s")
        return Exit.DONE
    at = f"at {found['load']:.2f} times the capacity of {found['capacity_per_s']:.3g} actions/s"
    say(f"quality {found['quality']:.3f} {at}{lost(found['losses'])}")
    rows = (
        (
            span(row["load_from"], row["load_to"]),
            f"{row['quality']:.3f}",
            bar(row["quality"]),
            f"{row['decisions']:.0f}",
            lost(row["losses"]).removeprefix("; lost: "),
        )
        for row in found["curve"]
    )
    table(("load", "quality", "", "decisions", "lost"), rows, right=("quality", "decisions"))
    if found["knee"] is not None:
        say(f"the knee: quality falls below 0.97 from {found['knee']:g} times capacity on")
    if found["alert"]:
        alert = found["alert"]
        say(f"alert: quality falls as load rises, mostly {CAUSES[alert['cause']]}")
        return Exit.NO
    return Exit.DONE


def lost(losses: dict[str, Any]) -> str:
    """The causes that matter, the largest first."""
    told = sorted(((loss, cause) for cause, loss in losses.items() if loss >= TOLD_MIN), reverse=True)
    return "; lost: " + ", ".join(f"{loss:.1%} {CAUSES[cause]}" for loss, cause in told) if told else ""


def span(low: float, high: float | None) -> str:
    """A range of load."""
    return f"above {low:g}" if high is None else f"{low:g} to {high:g}"


def bar(share: float, width: int = 20) -> str:
    """A share of 1 as a bar that stands on any terminal."""
    return "#" * round(max(0.0, min(1.0, share)) * width)
