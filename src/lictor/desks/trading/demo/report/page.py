"""The page of a run: one file, no network, light and dark. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from lictor.desks.trading.demo.report import figures
from lictor.desks.trading.demo.report.plot import second
from lictor.desks.trading.demo.report.style import STYLE


def page(facts: dict[str, Any], shows: Sequence[Any], environment: dict[str, Any]) -> str:
    """The whole page."""
    sections = [
        _head(facts, environment),
        _section("Price, own fills, refusals", figures.price(facts),
                 "Triangles are fills: up for a buy, down for a sale, larger for more. Below, each tick is a refusal."),
        _section("What trading cost", figures.shortfall(facts) + figures.shortfall_over_time(facts), _cost_text(facts)),
        _section("Verdicts by code", figures.verdicts(facts), "Refusals that an exercise staged are drawn apart."),
        _section("Size against learned edge", figures.sizes(facts), _learned_text(facts)),
        _section("Queue and latency", figures.queue(facts) + figures.latency(facts),
                 "Latency is from submit to a verdict that is on disk."),
        _section("Result and position", figures.result(facts), "Marked at the mid."),
        _section("What happened", _events(facts), "Exercises are marked; everything else came of itself."),
        _section("Two stories, as the journal tells them", _stories(facts), "What <code>lictor show</code> says."),
        _section("Checks", _findings(facts), "The desk's word against the venue's own log, and the engine's promises."),
        _section("Figures asked for", _shows(shows), ""),
        _section("Environment", _table([(k, _text(v)) for k, v in environment.items()]), ""),
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Lictor: the trading demo</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _head(facts: dict[str, Any], environment: dict[str, Any]) -> str:
    cells = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span><small>{escape(more)}</small></div>'
        for value, name, more in _tiles(facts)
    )
    minutes = (facts["market"]["until_us"] - facts["market"]["from_us"]) / 60e6
    return (
        f"<header><h1>The trading demo</h1><p>{minutes:.0f} minutes of Bitstamp BTC/USD order flow, replayed "
        f"{facts['speed_factor']:g} times as fast into a matching engine of its own process. A model fitted on the "
        f"ten minutes before decides, Lictor governs, orders go over FIX 4.4. It took {environment['duration_s']:.0f} "
        f's.</p><div class="tiles">{cells}</div></header>'
    )


def _tiles(facts: dict[str, Any]) -> list[tuple[str, str, str]]:
    decisions, orders, tca, result = facts["decisions"], facts["orders"], facts["tca"], facts["result"]
    checks, latency = facts["invariants"], facts["governed_latency_ms"]
    filled = f"of {tca['parents']} trades, {tca.get('fill_ratio', 0):.0%} filled"
    held = f"{checks['checked'] - checks['violated']} of {checks['checked']}"
    doubt = f"{orders['in_doubt']} in doubt, {orders['reconciled']} reconciled"
    return [
        (str(decisions["received"]), "decisions", f"{decisions['admitted']} admitted, {decisions['amended']} amended"),
        (str(orders["sent"]), "orders over FIX", f"{orders['fills']} fills, {orders['rejected']} rejected"),
        (f"{tca['shortfall_bps']:+.2f} bps", "shortfall", filled),
        (f"{result['usd']:+.2f} USD", "result", f"position {result['position_btc']:+.4f} BTC"),
        (f"{latency['p50'] or 0:.2f} ms", "governed, on disk", f"p99 {latency['p99'] or 0:.2f} ms"),
        (held, "checks hold", doubt),
    ]


def _section(heading: str, body: str, text: str) -> str:
    said = f"<p>{text}</p>" if text else ""
    return f"<section><h2>{escape(heading)}</h2>{said}{body}</section>"


def _cost_text(facts: dict[str, Any]) -> str:
    tca = facts["tca"]
    marks = ", ".join(f"{move:+.2f} bps after {s} s" for s, move in tca.get("markout_bps", {}).items())
    return (
        "Implementation shortfall against the mid at the decision, an exact identity in integers; positive is a cost. "
        f"Largest difference between the parts and the whole: {tca['identity_error_max']:g} bps. "
        f"Markouts of the fills: {marks or 'none'}."
    )


def _learned_text(facts: dict[str, Any]) -> str:
    feedback = facts["feedback"]
    return (
        "Each closed trade teaches its source's realised against its stated edge, and the next verdict reads the size "
        f"that this has earned. {feedback['adjustments']} adjustments changed {feedback['verdicts_changed']} verdicts. "
        + _changed_text(feedback["first_changed"])
        + _live_text(facts["model"]["live"])
    )


def _live_text(live: dict[str, float] | None) -> str:
    if live is None:
        return ""
    return (
        f" All {live['signals']} signals of the model, acted on or not: stated {live['edge_stated_bps']:.3f} bps, came "
        f"to {live['edge_realised_bps']:.3f} with a standard error of {live['edge_error_bps']:.3f}; hit rate "
        f"{live['hit_rate']:.0%}, Brier skill {live['brier_skill']:+.3f}."
    )


def _changed_text(changed: Sequence[dict[str, Any]]) -> str:
    if not changed:
        return "None was changed."
    first = changed[0]
    key, read, qty, without = escape(str(first["key"])), first["size_read"], first["qty"], first["qty_without"]
    became = f"was cut to {qty / 1e8:.5f} BTC instead of {without / 1e8:.5f}" if qty and without else "was refused"
    return f"The first: <code>{key}</code> read size x{read:.3f} and {became}."


def _events(facts: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><td class="n">{second(e["at_us"])}</td><td>{escape(e["what"])}</td><td>{escape(e["text"])}</td>'
        f"<td>{'<span class=badge>staged</span>' if e['staged'] else ''}</td></tr>"
        for e in facts["events"]
    )
    return f"<table>{rows}</table>"


def _stories(facts: dict[str, Any]) -> str:
    return "".join(
        f"<details open><summary>{escape(title)}</summary><pre>{escape(chr(10).join(lines))}</pre></details>"
        for title, lines in facts["stories"].items()
    )


def _findings(facts: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><td class="{"yes" if f["holds"] else "no"}">{"holds" if f["holds"] else "broken"}</td>'
        f"<td>{escape(f['name'])}</td><td>{escape(f['detail'])}</td></tr>"
        for f in facts["invariants"]["findings"]
    )
    return f"<table>{rows}</table>"


def _shows(shows: Sequence[Any]) -> str:
    rows = "".join(
        f'<tr><td class="{"yes" if s.met else "no"}">{"met" if s.met else "not met"}</td><td>{escape(s.id)}</td>'
        f'<td class="n">{_text(s.value)}</td><td class="n">{_text(s.target)}</td><td>{escape(s.unit)}</td></tr>'
        for s in shows
    )
    head = '<tr><th></th><th>shows</th><th class="n">value</th><th class="n">target</th><th>unit</th></tr>'
    return f"<table>{head}{rows}</table>"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows) + "</table>"


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
