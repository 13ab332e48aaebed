"""What the demo shows while it runs: one calm screen on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lictor.desks.trading.demo.options import Options
from lictor.desks.trading.demo.record import Recorder
from lictor.desks.trading.market import CENTS_PER_USD, MONEY_PER_USD, QTY_PER_BTC
from lictor.desks.trading.session import Session

PLAIN_EVERY = 25
_CODES_SHOWN = 9
_EVENTS_SHOWN = 6


class Screen(Protocol):
    """Where the run is shown."""

    def say(self, text: str) -> None:
        """One sentence of what goes on."""

    def keep(self, text: str) -> None:
        """One sentence that stays on the screen."""

    def trading(self, from_us: int, until_us: int) -> None:
        """Trading begins."""

    def refresh(self, session: Session) -> None:
        """Show how things stand."""

    def result(self, facts: dict[str, Any], path: Path, took_s: float) -> None:
        """The end."""


@contextmanager
def screen_for(options: Options, recorder: Recorder) -> Iterator[Screen]:
    """The live screen on a terminal, else plain lines."""
    console = Console(soft_wrap=True)
    if options.plain or not console.is_terminal:
        yield Plain(recorder)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield Calm(recorder, live, options)


def clock_text(at_us: int) -> str:
    """Time of the market, as on the day of the capture."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%H:%M:%S")


def usd(money: float) -> str:
    """Money (cents x 1e-8 BTC) in dollars and cents."""
    return f"{money / MONEY_PER_USD:+,.2f} USD"


class Plain:
    """A line every few seconds."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._calls = 0
        self._events = 0

    def say(self, text: str) -> None:
        self._print(text)

    keep = say

    def trading(self, from_us: int, until_us: int) -> None:
        self._print(f"trading from {clock_text(from_us)} to {clock_text(until_us)}")

    def refresh(self, session: Session) -> None:
        self._calls += 1
        for event in self.recorder.events[self._events :]:
            self._print(f"{clock_text(event.at_us)} {'[staged] ' if event.staged else ''}{event.text}")
        self._events = len(self.recorder.events)
        if self._calls % PLAIN_EVERY == 1:
            self._print(_line(self.recorder, session))

    def result(self, facts: dict[str, Any], path: Path, took_s: float) -> None:
        _ending(facts, path, took_s, self._print)

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _line(recorder: Recorder, session: Session) -> str:
    by, counts = recorder.results_by(), session.conversation.counts
    result = session.blotter.result(session.tape.mid or 0)
    return (
        f"{clock_text(session.clock.wall_us())} decisions {len(recorder.decided)}: {by['admitted']} admitted "
        f"({by['amended']} amended), {by['refused']} refused; orders {counts.sent}, fills {counts.fills}; "
        f"position {session.blotter.position / QTY_PER_BTC:+.4f} BTC, result {usd(result)}"
    )


class Calm:
    """Six stages, refusals by code, and what happened last."""

    def __init__(self, recorder: Recorder, live: Live, options: Options) -> None:
        self.recorder = recorder
        self._live = live
        self._speed = options.speed
        self._said = ""
        self._from_us = self._until_us = 0

    def say(self, text: str) -> None:
        self._said = text
        if not self._from_us:
            self._live.update(Panel(Text(text), title="lictor demo trading", border_style="dim"), refresh=True)

    def keep(self, text: str) -> None:
        self._live.console.print(text, highlight=False, markup=False)

    def trading(self, from_us: int, until_us: int) -> None:
        self._from_us, self._until_us = from_us, until_us
        self._said = "trading"

    def refresh(self, session: Session) -> None:
        self._live.update(Group(self._head(session), self._stages(session), self._below()), refresh=True)

    def result(self, facts: dict[str, Any], path: Path, took_s: float) -> None:
        _ending(facts, path, took_s, Console().print)

    def _head(self, session: Session) -> Table:
        now_us = session.clock.wall_us()
        table = Table.grid(expand=True, padding=(0, 2))
        table.add_column()
        table.add_column(ratio=1)
        table.add_column(justify="right")
        done = max(0, min(now_us, self._until_us) - self._from_us)
        bar = ProgressBar(total=max(1, self._until_us - self._from_us), completed=done, complete_style="cyan")
        bid = session.tape.touch(1) or 0
        table.add_row(
            Text(clock_text(now_us), style="bold"), bar, Text(f"BTC/USD {bid / CENTS_PER_USD:,.0f}   x{self._speed:g}")
        )
        return table

    def _stages(self, session: Session) -> Table:
        recorder, counts = self.recorder, session.conversation.counts
        by, state = recorder.results_by(), session.node.journal.state
        doubt = sum(a.state == "in_doubt" for found in state.open.values() for a in found.actions)
        sizes = {subject: found.value for (name, subject), found in state.adjustments.items() if name == "size"}
        p50, p99 = recorder.latency_ms(0.5) or 0.0, recorder.latency_ms(0.99) or 0.0
        result = session.blotter.result(session.tape.mid or 0)
        table = Table(box=None, expand=True, show_header=False, padding=(0, 2))
        table.add_column(style="bold cyan", no_wrap=True)
        table.add_column(ratio=1)
        made = sum(one.handle.id is not None for one in recorder.decided)
        rows = {
            "1 inputs": f"{len(recorder.decided)} signals, {len(state.quarantine)} in quarantine",
            "2 decisions": f"{made} decisions, {len(state.open)} open",
            "3 validation": f"{by['admitted']} admitted, {by['amended']} amended, {by['refused']} refused, "
            f"{by['held']} held",
            "4 execution": f"{counts.sent} orders, {counts.fills} fills, {counts.rejected} rejected; "
            f"{doubt} in doubt now, {counts.reconciled} of {counts.in_doubt} reconciled",
            "5 monitoring": f"verdict in {p50:.2f} ms (p50), {p99:.2f} ms (p99); position "
            f"{session.blotter.position / QTY_PER_BTC:+.4f} BTC, result {usd(result)}",
            "6 feedback": "size " + ", ".join(f"{name} x{value:.2f}" for name, value in sorted(sizes.items()))
            if sizes
            else "nothing learned yet",
        }
        for name, text in rows.items():
            table.add_row(name, text)
        return table

    def _below(self) -> Table:
        table = Table.grid(expand=True, padding=(1, 4))
        table.add_column(ratio=2)
        table.add_column(ratio=3)
        codes = Table(box=None, show_header=False, padding=(0, 1))
        real, staged = self.recorder.codes(staged=False), self.recorder.codes(staged=True)
        for code, count in real.most_common(_CODES_SHOWN):
            codes.add_row(Text(str(count), justify="right"), code)
        for code, count in staged.most_common(3):
            codes.add_row(Text(str(count), style="dim"), Text(f"{code} (staged)", style="dim"))
        events = Table(box=None, show_header=False, padding=(0, 1))
        for event in self.recorder.events[-_EVENTS_SHOWN:]:
            events.add_row(
                Text(clock_text(event.at_us), style="dim"), Text(event.text, overflow="ellipsis", no_wrap=True)
            )
        events.add_row("", Text(self._said, style="dim"))
        table.add_row(codes, events)
        return table


def _ending(facts: dict[str, Any], path: Path, took_s: float, show: Any) -> None:
    decisions, orders, tca, invariants = facts["decisions"], facts["orders"], facts["tca"], facts["invariants"]
    refused = ", ".join(f"{code} {count}" for code, count in decisions["refused_by_code"].items())
    staged = ", ".join(f"{code} {count}" for code, count in decisions["staged"].items())
    show(
        f"{decisions['received']} decisions: {decisions['admitted']} admitted ({decisions['amended']} amended); "
        f"refused: {refused}"
    )
    show(f"staged, apart: {staged}")
    show(
        f"{orders['sent']} orders, {orders['filled']} filled, {orders['cancelled']} cancelled, "
        f"{orders['rejected']} rejected, {orders['in_doubt']} in doubt, {orders['reconciled']} reconciled"
    )
    show(f"shortfall {tca['shortfall_bps']:.3f} bps of what was wanted; identity error {tca['identity_error_max']:g}")
    for finding in invariants["findings"]:
        if not finding["holds"]:
            show(f"VIOLATED {finding['name']}: {finding['detail']}")
    show(
        f"{invariants['checked']} checks, {invariants['violated']} violated; {took_s:.1f} s; {path.parent}/report.html"
    )
