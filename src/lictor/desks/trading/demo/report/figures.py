"""The plots of a run, from its facts. Pure."""

from __future__ import annotations

import math
from collections import Counter
from html import escape
from itertools import accumulate
from typing import Any

from lictor.desks.trading.demo.report.plot import RIGHT, WIDTH, Plot, bars, second, span, time_ticks

PARTS = ("delay", "impact", "spread", "opportunity", "fees")
_LANES_MAX = 9
_LANES_LEFT = 178
_SOURCES = {"model": "a", "reversion": "b", "drill": "c", "desk": "c"}


def price(facts: dict[str, Any]) -> str:
    """The mid with our fills on it, and below it a lane of ticks for each code of refusal."""
    series = facts["series"]
    prices = series["prices"]
    from_us, until_us = prices[0][0], prices[-1][0]
    low, high = span([(bid + ask) / 2 for _, bid, ask in prices], pad=0.14)
    plot = Plot(from_us, until_us, low, high, 300, "USD", _LANES_LEFT)
    plot.line([(at_us, (bid + ask) / 2) for at_us, bid, ask in prices], "ink", step=True, width=1.2)
    for at_us, side, qty, paid in series["fills"]:
        word = "bought" if side > 0 else "sold"
        size = 2.5 + 14 * math.sqrt(qty / 0.12) / 3
        plot.arrow(at_us, paid, up=side > 0, size=size, title=f"{second(at_us)} {word} {qty:.5f} BTC at {paid:,.0f}")
    return plot.svg("price with own fills") + _lanes(series["refusals"], from_us, until_us)


def _lanes(refusals: list[list[Any]], from_us: int, until_us: int) -> str:
    counts = Counter(code for _, _, code, staged in refusals if not staged)
    codes = [code for code, _ in counts.most_common(_LANES_MAX)]
    line, left = 15, _LANES_LEFT
    height = line * (len(codes) + 1) + 22

    def x(at_us: float) -> float:
        return left + (WIDTH - left - RIGHT) * (at_us - from_us) / (until_us - from_us)

    parts = []
    for place, code in enumerate([*codes, "staged, all codes"]):
        y = place * line + 4
        parts.append(f'<text class="name small" x="{left - 10}" y="{y + 10}" text-anchor="end">{escape(code)}</text>')
        parts.append(f'<path class="grid" d="M{left},{y + 11.5}H{WIDTH - RIGHT}"/>')
    for at_us, mid, code, staged in refusals:
        if not staged and code not in codes:
            continue
        y = (len(codes) if staged else codes.index(code)) * line + 5
        parts.append(
            f'<rect class="f-{"staged" if staged else "no"}" x="{x(at_us):.1f}" y="{y}" width="2" height="10">'
            f"<title>{second(at_us)} {escape(code)} at {mid:,.1f}</title></rect>"
        )
    parts += time_ticks(x, from_us, until_us, height - 4)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="refusals by code">{"".join(parts)}</svg>'


def shortfall(facts: dict[str, Any]) -> str:
    """The parts of the shortfall of all trades, and the sum, which is also computed on its own."""
    tca = facts["tca"]
    rows = [
        (part, value, "cost" if value > 0 else "gain", f"{value:+.4f} bps") for part, value in tca["parts_bps"].items()
    ]
    total = tca["shortfall_bps"]
    rows.append(("total", total, "ink", f"{total:+.4f} bps"))
    return bars(rows, label="shortfall decomposition", unit="bps")


def shortfall_over_time(facts: dict[str, Any]) -> str:
    """Each part summed up over the trades, in the order in which they were decided."""
    rows = facts["series"]["shortfalls"]
    if not rows:
        return ""
    sums = {part: list(accumulate(parts[part] for _, _, parts, _ in rows)) for part in PARTS[:4]}
    low, high = span([value for line in sums.values() for value in line], zero=True)
    prices = facts["series"]["prices"]
    plot = Plot(prices[0][0], prices[-1][0], low, high, 200, "bps, summed")
    plot.level(0.0, "muted", "")
    for name, style in zip(sums, ("a", "b", "c", "d"), strict=True):
        plot.line([(row[0], value) for row, value in zip(rows, sums[name], strict=True)], style, step=True)
    return plot.svg("shortfall parts over time") + _key(dict(zip(sums, "abcd", strict=True)))


def verdicts(facts: dict[str, Any]) -> str:
    """Admitted, then refusals by code; what was staged is drawn apart."""
    decisions = facts["decisions"]
    rows = [
        (
            "admitted",
            float(decisions["admitted"]),
            "yes",
            f"{decisions['admitted']}, {decisions['amended']} of all amended",
        )
    ]
    rows += [(code, float(n), "no", str(n)) for code, n in decisions["refused_by_code"].items()]
    rows += [(code, float(n), "staged", f"{n} staged") for code, n in decisions["staged"].items()]
    return bars(rows, label="verdicts by code", unit="decisions")


def queue(facts: dict[str, Any]) -> str:
    """Open decisions over time, and what was in doubt."""
    rows = facts["series"]["queue"]
    plot = Plot(rows[0][0], rows[-1][0], 0.0, max(3.0, max(row[1] for row in rows) * 1.15), 150, "open")
    plot.area([(row[0], row[1]) for row in rows], "a")
    plot.line([(row[0], row[2]) for row in rows], "c", step=True)
    for event in facts["events"]:
        if event["what"] == "in_doubt":
            plot.dot(event["at_us"], 1.0, "no", f"{second(event['at_us'])}: {event['text']}", 4.0)
    return plot.svg("queue") + _key({"open decisions": "a", "own orders resting": "c", "an order in doubt": "no"})


def latency(facts: dict[str, Any]) -> str:
    """From submit to durable verdict, each decision a dot, on a logarithmic scale."""
    rows = facts["series"]["latency_ms"]
    logs = [math.log10(max(0.05, took)) for _, took in rows]
    low, high = span(logs)
    prices = facts["series"]["prices"]
    plot = Plot(prices[0][0], prices[-1][0], low, high, 150, "ms", text=lambda power: f"{10**power:.2g}")
    for (at_us, took), value in zip(rows, logs, strict=True):
        plot.dot(at_us, value, "a", f"{second(at_us)}: {took:.2f} ms", 1.8)
    for name in ("p50", "p99"):
        value = facts["governed_latency_ms"][name]
        if value:
            plot.level(math.log10(value), "b", f"{name} {value:.2f} ms")
    return plot.svg("latency")


def sizes(facts: dict[str, Any]) -> str:
    """Above, the share of its size that each source has earned; below, realised over stated edge, on which it rests."""
    series = facts["series"]
    from_us, until_us = series["prices"][0][0], series["prices"][-1][0]
    above = Plot(from_us, until_us, 0.0, 1.08, 160, "size x")
    names = sorted({row[1] for row in series["edges"] if row[1] != "drill"})
    for name in names:
        moves = [(at_us, value) for at_us, subject, value in series["sizes"] if subject == name]
        path = [(from_us, 1.0), *moves, (until_us, moves[-1][1] if moves else 1.0)]
        above.line(path, _SOURCES.get(name, "d"), step=True, width=2.2)
    sums: dict[str, list[tuple[float, float]]] = {}
    for name in names:
        mine = [row for row in series["edges"] if row[1] == name]
        stated, realised = accumulate(row[2] for row in mine), accumulate(row[3] for row in mine)
        sums[name] = [(row[0], r / s) for row, s, r in zip(mine, stated, realised, strict=True)]
    low, high = span([min(max(v, -3.0), 3.0) for line in sums.values() for _, v in line], zero=True)
    below = Plot(from_us, until_us, low, max(high, 1.2), 180, "realised / stated")
    below.level(1.0, "muted", "as stated")
    below.level(0.0, "muted", "nothing")
    for name, line in sums.items():
        below.line([(at_us, min(max(v, -3.0), 3.0)) for at_us, v in line], _SOURCES.get(name, "d"), step=True)
    key = _key({name: _SOURCES.get(name, "d") for name in names})
    return above.svg("size over time") + below.svg("learned edge over time") + key


def result(facts: dict[str, Any]) -> str:
    """Profit and loss at the mid, and the position."""
    rows = facts["series"]["results"]
    low, high = span([row[2] for row in rows], zero=True)
    above = Plot(rows[0][0], rows[-1][0], low, high, 160, "USD")
    above.level(0.0, "muted", "")
    above.line([(row[0], row[2]) for row in rows], "a", width=2.0)
    low, high = span([row[1] for row in rows], zero=True)
    below = Plot(rows[0][0], rows[-1][0], low, high, 120, "BTC")
    below.area([(row[0], row[1]) for row in rows], "b")
    return above.svg("result over time") + below.svg("position over time")


def _key(names: dict[str, str]) -> str:
    return (
        '<p class="key">' + "".join(f'<span><i class="k-{s}"></i>{escape(n)}</span>' for n, s in names.items()) + "</p>"
    )
