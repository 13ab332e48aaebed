"""The demo's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How the demo runs. Times are virtual seconds of the capture."""

    out: Path = Path("out/demo-trading")
    speed: float = 24.0
    #: The model is fitted on what comes before this and trades what comes after.
    fit_s: float = 600.0
    #: It stops trading this long before the capture ends, so that all that is open can close.
    spare_s: float = 75.0
    #: Trade for at most this long; 0 is to the end.
    trade_s: float = 0.0
    drills: bool = True
    plain: bool = False
    memory: bool = False
    #: Keep the dashboard up when all is done.
    stay: bool = False


def parsed(arguments: Sequence[str]) -> Options:
    """Options of a command line; exits with a message on a wrong one."""
    given = Options()
    parser = argparse.ArgumentParser(prog="lictor demo trading", description="Trade a real capture, end to end.")
    parser.add_argument("--out", type=Path, default=given.out, help="folder for journal and report (%(default)s)")
    parser.add_argument("--speed", type=float, default=given.speed, help="virtual seconds a second (%(default)s)")
    parser.add_argument("--trade-s", type=float, default=given.trade_s, help="virtual seconds to trade (to the end)")
    parser.add_argument("--no-drills", dest="drills", action="store_false", help="stage no faults and no exercises")
    parser.add_argument("--plain", action="store_true", help="plain lines instead of the live screen")
    parser.add_argument("--memory", action="store_true", help="keep the journal in memory")
    parser.add_argument("--stay", action="store_true", help="keep the dashboard up when all is done, until Ctrl-C")
    given_now = parser.parse_args(list(arguments))
    if given_now.stay and given_now.memory:
        parser.error("--stay opens the journal once more, which --memory does not keep")
    return Options(**vars(given_now), fit_s=given.fit_s, spare_s=given.spare_s)
