"""`quality`: what was kept of what could have been kept. `explain`: what follows from the settings, beforehand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from .output import Exit, console, document, say, table
from .reach import FLAG, Where

if TYPE_CHECKING:
    from lictor.explain.consequence import Consequence

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
#: Larger numbers are told whole.
LARGE = 10_000
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


def explain(  # noqa: PLR0913 - each is a setting of its own
    app: Annotated[str, Parameter(help="MODULE:APP, for example payouts:app.")],
    /,
    *,
    assurance: Annotated[Literal["fast", "checked", "verified"], Parameter(help="How often it is asked.")] = "checked",
    durability: Annotated[Literal["sync", "journal", "memory"], Parameter(help="What survives.")] = "sync",
    headroom: Annotated[float, Parameter(help="Share of capacity kept free.", validator=Number(gte=0, lt=1))] = 0.0,
    load: Annotated[
        float, Parameter(help="Suppose so much is asked for, in capacities.", validator=Number(gt=0))
    ] = 2.0,
    fails: Annotated[
        float, Parameter(help="Suppose such a share of attempts fails by chance.", validator=Number(gte=0, lt=1))
    ] = 0.01,
    nodes: Annotated[int, Parameter(help="Suppose so many nodes share a limit.", validator=Number(gte=1))] = 1,
    chunk: Annotated[float, Parameter(help="They lend it in chunks of so many.", validator=Number(gte=1))] = 8.0,
    ttl_s: Annotated[float, Parameter(help="For so long.", validator=Number(gt=0))] = 10.0,
    on_disconnect: Annotated[
        Literal["halt", "safe", "continue"], Parameter(help="What a node does that cannot ask.")
    ] = "halt",
    safe_per_s: Annotated[float, Parameter(help="What it may always do, where that is safe.")] = 0.0,
    calibrate: Annotated[bool, Parameter(negative="--no-calibrate", help="Measure here first, for a second.")] = True,
    json: Annotated[bool, FLAG, Parameter(help="Print JSON.")] = False,
) -> None:
    """Say what follows from the settings: what it costs, what it risks, how long things go on; each with its formula.

    Nothing of the App is called. What has to be measured is measured on a node of its own beside the journal.
    """
    from lictor.capacity.lease import Terms
    from lictor.config import Settings
    from lictor.explain.calibration import calibrate as measure
    from lictor.explain.prediction import Assumed, predict
    from lictor.surfaces.loading import load as load_app

    declared = load_app(app)
    declared.check()
    measured = asyncio.run(measure(declared, Path.cwd())) if calibrate else None
    settings = Settings(assurance=assurance, durability=durability, headroom=headroom)
    terms = Terms(chunk, ttl_s, on_disconnect, safe_per_s) if nodes > 1 else None
    found = predict(declared, settings, measured, Assumed(load=load, fails=fails, nodes=nodes, terms=terms))
    if json:
        document([consequence.data() for consequence in found])
    else:
        tell(found)


def tell(found: list[Consequence]) -> None:
    """Consequences as people read them, by trade-off and setting."""
    out, trade_off = console(), ""
    for consequence in found:
        if consequence.trade_off != trade_off:
            trade_off = consequence.trade_off
            out.print(f"\n{trade_off}" if consequence is not found[0] else trade_off, style="bold", markup=False)
            setting = ""
        if consequence.setting != setting:
            setting = consequence.setting
            out.print(f"  {setting}", markup=False)
        out.print(f"    {consequence.what:<38}{amount(consequence):<24}", end="")
        out.print(f"[dim]{consequence.formula}[/dim]")


def amount(consequence: Consequence) -> str:
    """The number with its unit."""
    if consequence.value is None:
        return "no bound" if consequence.bound or consequence.unit == "decisions" else "not measured"
    number = f"{consequence.value:,.0f}" if consequence.value >= LARGE else f"{consequence.value:.4g}"
    return f"{'at most ' if consequence.bound else ''}{number} {consequence.unit}".rstrip()
