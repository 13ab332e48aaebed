"""Kill a node again and again in the middle of its work, and compare three accounts that it cannot falsify.

They are its acknowledgements (kept by this process as they were printed), the witness's log of arrivals, and the
journal as `verify` reads it.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lictor.execution.attempts import action_key
from lictor.journal.port import Close, DecisionRow, Filter, Progress
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.sqlite.verify import verify

ROOT = Path(__file__).parents[2]
READY_S_MAX = 60.0
#: Actions of the worker's largest plan.
ACTIONS_MAX = 2


@dataclass
class Account:
    """What was acknowledged, as the outside saw it."""

    verdicts: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    problems: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        """One printed acknowledgement; one that contradicts an earlier one is a problem."""
        what, key, *rest = line.split()
        if what == "verdict":
            said = (rest[0], rest[1], rest[2])
            if self.verdicts.setdefault(key, said) != said:
                self.problems.append(f"{key}: acknowledged as {self.verdicts[key]}, then as {said}")
        elif what == "outcome" and self.outcomes.setdefault(key, rest[1]) != rest[1]:
            self.problems.append(f"{key}: outcome {self.outcomes[key]}, then {rest[1]}")


@dataclass(frozen=True)
class Arrivals:
    """The witness's log."""

    bodies: dict[str, set[str]]
    counts: Counter[str]
    repeatable: set[str]

    @classmethod
    def read(cls, log: Path) -> Arrivals:
        """Every arrival since the beginning."""
        bodies: dict[str, set[str]] = {}
        counts: Counter[str] = Counter()
        repeatable: set[str] = set()
        for line in log.read_text().splitlines():
            arrival = json.loads(line)
            bodies.setdefault(arrival["key"], set()).add(arrival["body"])
            counts[arrival["key"]] += 1
            if arrival["idempotent"]:
                repeatable.add(arrival["key"])
        return cls(bodies, counts, repeatable)

    def changed(self) -> list[str]:
        """I7: one key, one content."""
        return [f"{key} arrived with {len(b)} contents" for key, b in self.bodies.items() if len(b) > 1]

    def doubles(self) -> list[str]:
        """No double effect where effects are not idempotent."""
        return [f"{key} was done {n} times" for key, n in self.counts.items() if n > 1 and key not in self.repeatable]


class Campaign:
    """One journal, one witness, many incarnations of the node."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.account = Account()
        self.journal = folder / "journal.db"
        self.log = folder / "witness.jsonl"
        self.port = 0

    async def run(self, kills: int, say: object = None) -> dict[str, object]:
        """Kill that many times, then drain, then compare.

        Returns:
            Figures of the run; `problems` is empty when every promise held.
        """
        witness = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chaos.witness",
            str(self.log),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert witness.stdout is not None
        self.port = int(await witness.stdout.readline())
        try:
            for number in range(kills):
                await self._incarnation(number)
                self._verify(f"after kill {number + 1}")
                if callable(say):
                    told = f"{len(self.account.verdicts)} acknowledged, {len(self.account.problems)} problems"
                    say(f"{number + 1} kills, {told}")
            await self._drain()
            self._verify("at the end")
        finally:
            witness.kill()
            await witness.wait()
        return await self._figures()

    async def _start(self, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chaos.worker",
            str(self.journal),
            str(self.port),
            *options,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def _incarnation(self, number: int) -> None:
        """Start a node, let it work for a moment, kill it, and keep what it had said."""
        first = max((int(key[2:]) + 1 for key in self.account.verdicts), default=0)
        worker = await self._start("--seed", str(number), "--first", str(first))
        assert worker.stdout is not None
        line = await asyncio.wait_for(worker.stdout.readline(), READY_S_MAX)
        if line != b"ready\n":
            self.account.problems.append(f"kill {number}: the node did not come up: {line!r}")
            return
        reading = asyncio.create_task(self._read(worker.stdout))
        await asyncio.sleep(self.chance.uniform(0.0, 0.6))  # the moment of the kill is what is drawn here
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        await reading
        self.account.kills += 1

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            if line.endswith(b"\n"):
                self.account.take(line.decode().rstrip())

    async def _drain(self) -> None:
        """Start once more and let everything end that can."""
        worker = await self._start("--drain")
        assert worker.stdout is not None
        await asyncio.wait_for(self._read_ready(worker.stdout), 120)
        if await worker.wait() != 0:
            self.account.problems.append(f"the last node ended with {worker.returncode}")

    async def _read_ready(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            if line != b"ready\n":
                self.account.take(line.decode().rstrip())

    def _verify(self, when: str) -> None:
        found = verify(self.journal)
        self.account.problems += [f"{when}: {f.check}: {f.detail}" for f in found.findings]

    async def _figures(self) -> dict[str, object]:
        """Compare the three accounts."""
        account, arrivals = self.account, Arrivals.read(self.log)
        journal = SqliteJournal(self.journal)
        state = await journal.open(0)
        rows = {row.key: row for row in await journal.decisions(Filter(limit=1 << 30))}
        for key, (_, result, code) in account.verdicts.items():
            row = rows.get(key)
            if row is None:
                account.problems.append(f"{key}: acknowledged and lost")
            elif (result == "refused") != (row.state == "refused") or (result == "refused" and row.code != code):
                account.problems.append(f"{key}: acknowledged {result} {code}, stored {row.state} {row.code}")
        for key, result in account.outcomes.items():
            if key in rows and rows[key].state != result:
                account.problems.append(f"{key}: outcome {result} acknowledged, stored {rows[key].state}")
        doubtful = [o for o in state.open.values() if any(a.state == "in_doubt" for a in o.actions)]
        stuck = [o.decision.key for o in state.open.values() if o not in doubtful and not self._behind(o, doubtful)]
        if stuck:
            account.problems.append(f"open and waiting for nobody: {stuck[:5]}")
        unflagged = await self._unflagged(journal, arrivals, rows)
        changed, doubles = arrivals.changed(), arrivals.doubles()
        await journal.close()
        return {
            "kills": account.kills,
            "acknowledged": len(account.verdicts),
            "outcomes": len(account.outcomes),
            "arrivals": sum(arrivals.counts.values()),
            "in_doubt": len(doubtful),
            "changed": changed,
            "doubles": doubles,
            "unflagged": unflagged,
            "problems": account.problems + changed + doubles + unflagged,
        }

    @staticmethod
    async def _unflagged(journal: SqliteJournal, arrivals: Arrivals, rows: dict[str, DecisionRow]) -> list[str]:
        """Effects that the witness has seen, of actions that are recorded as failed: nobody would look into them."""
        lost = []
        for row in rows.values():
            keys = [(ordinal, action_key(row.id, ordinal)) for ordinal in range(ACTIONS_MAX)]
            done = [(ordinal, key) for ordinal, key in keys if key in arrivals.counts]
            if not done or row.state not in {"failed", "expired", "cancelled", "refused"}:
                continue
            facts = [fact.verb for fact in await journal.history(row.id)]
            acts = [act for fact in facts if isinstance(fact, (Progress, Close)) for act in fact.acts]
            known = {act.ordinal for act in acts if act.event == "succeed"}
            lost += [f"{key} was done and is recorded as {row.state}" for ordinal, key in done if ordinal not in known]
        return lost

    @staticmethod
    def _behind(found: object, doubtful: list[object]) -> bool:
        """It waits in its order key behind one that waits for a person."""
        keys = {(o.decision.tenant, o.decision.order_key) for o in doubtful}  # type: ignore[attr-defined]
        return (found.decision.tenant, found.decision.order_key) in keys  # type: ignore[attr-defined]
