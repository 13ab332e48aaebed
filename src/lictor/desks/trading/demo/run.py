"""The demo from beginning to end: fit, trade, close, check, report.

Starts the venue as a process of its own; writes everything under the folder of the options.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from lictor import ScaledClock, SystemClock
from lictor.desks.trading.deciders import Decider, FittedModel, Reversion
from lictor.desks.trading.demo.checks import checked
from lictor.desks.trading.demo.drills import HEAD, Drills
from lictor.desks.trading.demo.options import Options
from lictor.desks.trading.demo.record import Recorder
from lictor.desks.trading.demo.report.gather import gather
from lictor.desks.trading.demo.report.write import write
from lictor.desks.trading.demo.screen import Screen, screen_for
from lictor.desks.trading.demo.venue import Venue
from lictor.desks.trading.demo.watching import stay, watched
from lictor.desks.trading.fitting import fit_events
from lictor.desks.trading.market import MarketEvent, Print, Snapshot
from lictor.desks.trading.model import Model
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.session import Place, Session
from lictor.desks.trading.venue import CaptureMissing, read_capture, sample

#: The venue's clock begins to run once it has had this many times as long to start as the fit took, at least so long.
LEAD_SHARE, LEAD_S_MIN = 1.3, 3.0
WARM_S = 180
#: Of the machine's clock: the venue answers in well under a millisecond, and nothing else here takes this long.
ANSWER_WITHIN_S = 0.4
#: What a run leaves in its folder.
LEFT_BEHIND = ("journal.db*", "fix", "venue", "model.json", "models.json", "node.log", "metrics.txt", "report.*")
MODEL_EVERY_S = 4.0
REVERSION_EVERY_S = 8.0


@dataclass(slots=True)
class Fitted:
    """The model, and the market of the last minutes before it trades."""

    model: Model
    from_us: int
    warm: list[MarketEvent]


def main(options: Options) -> int:
    """Run it; returns the exit code: 0 if every check passed."""
    try:
        return asyncio.run(run(options))
    except KeyboardInterrupt:
        return 130
    except CaptureMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 2


async def run(options: Options) -> int:
    """Run it on the running loop."""
    machine = SystemClock()
    started_us, began = machine.wall_us(), machine.monotonic()
    _clear(options.out)
    recorder = Recorder()
    _log_to(options.out / "node.log")
    with screen_for(options, recorder) as screen:
        screen.say("fitting the model on the first ten minutes")
        fitted = _fit(options)
        lead_s = max(LEAD_S_MIN, LEAD_SHARE * (machine.monotonic() - began))
        screen.say(f"model {fitted.model.version} is fitted; starting the venue")
        venue = await Venue.start(
            options.out / "venue",
            speed=options.speed,
            skip_s=options.fit_s,
            origin_monotonic=machine.monotonic() + lead_s,
        )
        ended: dict[str, object] = {}
        try:
            session, key = await _trade(options, recorder, screen, venue, fitted)
        finally:
            ended = await venue.stop()
    findings = await checked(options, session, recorder, venue.truth)
    facts = gather(options, session, recorder, fitted.model, ended, findings)
    (options.out / "metrics.txt").write_text(recorder.metrics, encoding="utf-8")
    path = write(options, facts, started_us=started_us, took_s=machine.monotonic() - began)
    screen.result(facts, path, machine.monotonic() - began)
    if options.stay:
        await stay(options, session, key, screen.keep)
    return 1 if facts["invariants"]["violated"] else 0


def _clear(out: Path) -> None:
    """Remove what an earlier run left, and nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    for name in LEFT_BEHIND:
        for path in out.glob(name):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _log_to(path: Path) -> None:
    """The node's log goes into a file: the terminal is the screen's."""
    log = logging.getLogger("lictor")
    log.handlers = [logging.FileHandler(path)]
    log.propagate = False


def _fit(options: Options) -> Fitted:
    """Fit on the capture before `fit_s`, and on nothing after."""
    capture = read_capture()
    until_us = capture.starts_at_us + int(options.fit_s * 1e6)
    events = list(sample(capture, 1_000_000, 10, until_us))
    model = fit_events(events, until_us)
    (options.out / "model.json").write_text(model.to_json() + "\n", encoding="utf-8")
    approved = {model.version: HEAD, Reversion.version: HEAD}
    (options.out / "models.json").write_text(json.dumps(approved, indent=2) + "\n", encoding="utf-8")
    warm = [event for event in events if event.time_us >= until_us - WARM_S * 1_000_000]
    return Fitted(model, until_us, warm)


async def _trade(
    options: Options, recorder: Recorder, screen: Screen, venue: Venue, fitted: Fitted
) -> tuple[Session, str | None]:
    """From the log-on to the last outcome; the session comes back stopped, with the key that opens its dashboard."""
    clock, policy = venue.clock, Policy()
    journal = "memory:" if options.memory else str(options.out / "journal.db")
    place = Place(venue.ready["port"], journal, options.out / "fix", options.out / "models.json")
    deciders: list[Decider] = [
        FittedModel(fitted.model, policy, every_s=MODEL_EVERY_S, after_us=fitted.from_us),
        Reversion(policy, every_s=REVERSION_EVERY_S, after_us=fitted.from_us),
    ]
    session = Session(place, clock, deciders, policy, recorder.watch(), answer_within_s=ANSWER_WITHIN_S)
    recorder.follow(session)
    _warm(session, fitted.warm)
    end_us = int(venue.ready["ends_at_us"] - options.spare_s * 1e6)
    drills = Drills(session, venue, recorder, fitted.model.version)
    async with session, watched(session.node, screen.keep) as key:
        await _until(clock, fitted.from_us)
        if options.trade_s:
            end_us = min(end_us, clock.wall_us() + int(options.trade_s * 1e6))
        screen.trading(clock.wall_us(), end_us)
        running = _start(session, drills, options)
        session.trading = True
        while clock.wall_us() < end_us and session.node.failure is None:
            screen.refresh(session)
            await clock.sleep(0.25 * options.speed)
        session.trading = False
        screen.say("trading is over: letting everything open close, then flattening")
        await _close(session, screen)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await recorder.learned(session)
        screen.refresh(session)
    return session, key


def _warm(session: Session, events: list[MarketEvent]) -> None:
    """Let tape and deciders see the minutes before, without acting on them."""
    prints: list[Print] = []
    for event in events:
        for decider in session.deciders:
            decider.feed(event)
        if isinstance(event, Snapshot):
            session.tape.feed(event, prints)
            prints = []
        else:
            prints.append(event)


def _start(session: Session, drills: Drills, options: Options) -> list[asyncio.Task[None]]:
    """Exercises at their times, and the person who looks at throttled sources."""
    running: list[asyncio.Task[None]] = []
    throttled = session.watch.throttled

    def lifted(source: str) -> None:
        throttled(source)
        running.append(asyncio.create_task(drills.throttle_lifted(source)))

    session.watch.throttled = lifted
    if options.drills:
        running += [asyncio.create_task(_at(session, after_s, drill)) for after_s, drill in drills.plan()]
    return running


async def _at(session: Session, after_s: float, drill: Callable[[], Awaitable[None]]) -> None:
    await session.clock.sleep(after_s)
    if session.trading:
        await drill()


async def _until(clock: ScaledClock, at_us: int) -> None:
    await clock.sleep(max(0.0, (at_us - clock.wall_us()) / 1e6))


async def _close(session: Session, screen: Screen) -> None:
    """Wait until all that is open has its outcome, flatten, and wait again; each wait is bounded."""
    for _ in range(2):
        for _ in range(60):
            if not session.node.journal.state.open:
                break
            screen.refresh(session)
            await session.clock.sleep(1.0)
        if await session.flatten("end of the session") is None:
            return
