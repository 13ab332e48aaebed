"""Kill a trading node again and again, and after each restart compare what it believes with the venue's truth log.

`python -m tests.chaos.trading --kills 50` writes out/chaos-trading/report.json. The venue is a process of its own that
is never killed here; it cancels what rests of a client that goes. The node cannot falsify its log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.trading_worker import OPEN_S_MAX
from tests.desks.trading.venue.process import VenueProcess

from lictor.desks.trading.venue.truth import doubles, positions, read_truth
from lictor.journal.port import Filter
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.sqlite.verify import verify
from lictor.surfaces.evidence import Evidence

ROOT = Path(__file__).parents[2]
SPEED = 5.0
LINE_S_MAX = OPEN_S_MAX + 30.0
#: Longest time from `go` to the kill, in seconds.
KILL_S_MAX = 1.2


@dataclass
class Tally:
    """What a campaign has seen so far."""

    kills: int = 0
    acknowledged: int = 0
    cut_off: int = 0
    orders: int = 0
    fills: int = 0
    problems: list[str] = field(default_factory=list)


class TradingCampaign:
    """One venue, one journal, many incarnations of the node."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.tally = Tally()
        self._verdicts: dict[str, tuple[str, str, str]] = {}
        self._chance = random.Random(f"trading:{seed}")

    async def run(self, kills: int) -> Tally:
        """Kill that many times; one more incarnation only settles."""
        options = ["--skip-s", "300", "--market-every-ms", "200"]
        with VenueProcess(self.folder / "venue", *options, speed=SPEED) as venue:
            for number in range(kills + 1):
                await self._incarnation(venue, number, last=number == kills)
            stats = venue.tell("stats")
        await self._acknowledged()
        self.tally.orders, self.tally.fills = stats["arrivals"], stats["fills"]
        return self.tally

    async def _incarnation(self, venue: VenueProcess, number: int, *, last: bool) -> None:
        clock = venue.ready["clock"]
        told = json.dumps([clock["origin_monotonic"], clock["origin_wall_us"], clock["speed"]])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.trading_worker", str(venue.port), str(self.folder), told,
            str(self.seed * 1_000 + number),
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        ready = await self._line(process, "ready")
        self.tally.cut_off += int(ready[0]) if ready else 0
        self._compare(await self._line(process, "settled"), venue, number)
        if last:
            process.stdin.close()
            await process.wait()
        else:
            process.stdin.write(b"go\n")
            await asyncio.sleep(self._chance.uniform(0.0, KILL_S_MAX))
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                self.tally.kills += 1
            await process.wait()
        async for line in process.stdout:
            self._take(line.decode())
        self._verify(number)

    async def _line(self, process: asyncio.subprocess.Process, wanted: str) -> list[str]:
        assert process.stdout is not None
        while True:
            line = (await asyncio.wait_for(process.stdout.readline(), LINE_S_MAX)).decode()
            if not line:
                self.tally.problems.append(f"the node ended instead of saying {wanted!r}")
                return []
            what, *rest = line.split()
            if what == wanted:
                return rest
            self._take(line)

    def _take(self, line: str) -> None:
        what, *rest = line.split()
        if what == "failed":
            self.tally.problems.append(f"the node failed: {line.strip()}")
        if what == "verdict" and len(rest) == 4 and rest[1] != "None":
            key, *said = rest
            self.tally.acknowledged += 1
            before = self._verdicts.setdefault(key, (said[0], said[1], said[2]))
            if before != tuple(said):
                self.tally.problems.append(f"{key}: acknowledged as {before}, then as {said}")

    def _compare(self, settled: list[str], venue: VenueProcess, number: int) -> None:
        """After a restart: nothing open, and position, money and both balances as the venue has them."""
        problems = self.tally.problems
        if len(settled) < 5 or settled[4] != "0":
            problems.append(f"incarnation {number} did not settle: {settled}")
            return
        position, cash, long, short = (int(text) for text in settled[:4])
        truth = positions(venue.truth).get("DESK", {"qty": 0, "money": 0})
        if not truth["qty"] == position == long == -short:
            problems.append(
                f"incarnation {number}: position {truth['qty']} at the venue, {position}, {long}, {-short} here"
            )
        if truth["money"] != cash:
            problems.append(f"incarnation {number}: money {truth['money']} at the venue, {cash} here")
        if twice := doubles(venue.truth):
            problems.append(f"incarnation {number}: arrived twice: {twice[:3]}")

    def _verify(self, number: int) -> None:
        found = verify(self.folder / "journal.db")
        for finding in found.findings[:5]:
            self.tally.problems.append(f"incarnation {number}: {finding.check}: {finding.detail}")

    async def _acknowledged(self) -> None:
        """No acknowledged decision is lost, and every order at the venue is of an admitted one."""
        journal = SqliteJournal(str(self.folder / "journal.db"))
        await journal.open(int(2e18 // 1e3))
        try:
            rows, before = [], None
            while page := await journal.decisions(Filter(limit=500, before=before)):
                rows += page
                before = page[-1].id
        finally:
            await journal.close()
        kept = {row.key: str(row.id) for row in rows}
        lost = [key for key, said in self._verdicts.items() if kept.get(key) != said[0]]
        self.tally.problems += [f"{key}: acknowledged and lost" for key in lost]
        if not any(record["event"] == "arrival" for record in read_truth(self.folder / "venue" / "truth.jsonl")):
            self.tally.problems.append("nothing was sent: the campaign proves nothing")


def main() -> None:
    """Run it in several journals, so that one damaged early cannot hide the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--per-journal", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("out/chaos-trading"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started, total = time.time(), Tally()
    while total.kills < options.kills and len(total.problems) < 20:
        count = min(options.per_journal, options.kills - total.kills)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=options.out))
        found = asyncio.run(TradingCampaign(folder, seed=total.kills + 1).run(count))
        print(f"{folder.name}: {found.kills} kills, {found.acknowledged} acknowledged, {found.cut_off} cut off, "
              f"{found.orders} orders, {found.fills} fills, {len(found.problems)} problems")  # fmt: skip
        total.kills += found.kills
        total.acknowledged += found.acknowledged
        total.cut_off += found.cut_off
        total.orders += found.orders
        total.fills += found.fills
        total.problems += found.problems
    command = f"python -m tests.chaos.trading --kills {options.kills}"
    evidence = Evidence("chaos-trading", command=command, started_us=int(started * 1e6), packages=("obook",))
    evidence.show(id="S4 kill -9 of a trading run", target=options.kills, value=total.kills, unit="kills")
    evidence.show(id="S4 problems after kills of a trading run", target=0, value=len(total.problems), unit="problems",
                  at_most=True)  # fmt: skip
    evidence.show(
        id="S4 decisions cut off by a kill and settled after", target=1, value=total.cut_off, unit="decisions"
    )
    evidence.add("tally", {"acknowledged": total.acknowledged, "orders": total.orders, "fills": total.fills,
                           "problems": total.problems})  # fmt: skip
    evidence.write(options.out, ended_us=int(time.time() * 1e6))
    for problem in total.problems[:20]:
        print(problem)
    took_s = time.time() - started
    print(f"{total.kills} kills, {total.acknowledged} acknowledged, {len(total.problems)} problems, {took_s:.0f} s")
    raise SystemExit(bool(total.problems))


if __name__ == "__main__":
    main()
