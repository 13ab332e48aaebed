"""The demo from beginning to end: a story in six parts, then the comparison of what was told with what happened.

Writes everything under the folder that is given: journal, ledger of the bank, letters, report.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lictor import SystemClock
from lictor.desks.agents.demo.agent import Agent, agent
from lictor.desks.agents.demo.evidence import judge
from lictor.desks.agents.demo.processes import Bank, Office

#: What an earlier run left.
LEFT_BEHIND = ("journal.db*", "ledger.jsonl", "node.log", "report.*", "letters")
PERSON = "maria"


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 where everything that was promised was kept."""
    parser = argparse.ArgumentParser(prog="lictor demo agent", description="An agent with governed tools, end to end.")
    parser.add_argument("--out", type=Path, default=Path("out/demo-agent"), help="folder for all of it (%(default)s)")
    return asyncio.run(run(parser.parse_args(list(arguments)).out.resolve()))


async def run(out: Path) -> int:
    """Run it on the running loop."""
    clock = SystemClock()
    started_us, began = clock.wall_us(), clock.monotonic()
    _clear(out)
    bank = await Bank.start(out / "ledger.jsonl", silent_for="Echo Inc")
    office = Office(out, bank)
    try:
        story = Story(office, bank)
        await story.tell()
    finally:
        await office.stop()
        await bank.stop()
    took_s = clock.monotonic() - began
    facts = judge(out, story.facts, bank.booked(), started_us=started_us, took_s=took_s)
    say("", "")
    for line in facts.lines:
        say("", line)
    say("", f"{facts.met} of {facts.all} checks hold, after {took_s:.0f} s; all of it: {out}/report.html")
    return 0 if facts.met == facts.all else 1


class Story:
    """What happens, in order. `facts` keeps what the agent was told."""

    def __init__(self, office: Office, bank: Bank) -> None:
        self._office = office
        self._bank = bank
        self.facts: dict[str, Any] = {}

    async def tell(self) -> None:
        """All six parts."""
        say("", "A node runs. An agent called clerk may spend 400, and 150 at once without asking.")
        await self._office.start()
        async with agent(self._office, say) as clerk:
            self.facts["tools"] = await clerk.tools()
            await self._spends(clerk)
            await self._overspends(clerk)
            await self._asks(clerk)
            await self._is_killed(clerk)
            self.facts["heard"] = clerk.heard
        await self._goes_on()

    async def _spends(self, clerk: Agent) -> None:
        say("", "\n1. It spends; its framework loses the answer and makes the same call again.")
        self.facts["first"] = await clerk.call("pay", to="Ada Ltd", amount=120)
        self.facts["again"] = await clerk.call("pay", to="Ada Ltd", amount=120)
        self.facts["letter"] = await clerk.call("write_letter", name="ada", text="Your invoice is paid.")

    async def _overspends(self, clerk: Agent) -> None:
        say("", "\n2. It overspends, is told what would be allowed, and acts on that.")
        await clerk.call("pay", to="Bolt GmbH", amount=140)
        refused = self.facts["refused"] = await clerk.call("pay", to="Cargo SA", amount=150)
        self.facts["less"] = await clerk.call("pay", to="Cargo SA", amount=refused["allowed"]["cash"] - 40)
        self.facts["stranger"] = await clerk.call("pay", to="Mallory", amount=10)

    async def _asks(self, clerk: Agent) -> None:
        say("", "\n3. More than 150 needs a person. The call is answered at once; nothing is held open.")
        held = self.facts["held"] = await clerk.call("pay", to="Dock BV", amount=300)
        say("", "\n4. A person raises the limit and approves exactly this call.")
        await self._typed("limit", "set", "cash", "800", "--by", PERSON)
        await self._typed("approve", held["decision"], "--by", PERSON, "--reason", "the crane, as agreed")
        self.facts["approved"] = await clerk.call("lictor_outcome", decision=held["decision"], wait_s=20)

    async def _is_killed(self, clerk: Agent) -> None:
        say("", "\n5. The bank books a payment and its answer is lost: the node is killed in that moment (kill -9).")
        calling = asyncio.create_task(clerk.call("pay", to="Echo Inc", amount=110))
        booking = await self._bank.booking("Echo Inc")
        say("bank", f"booked {booking['amount']} for {booking['to']}, and says nothing")
        await self._office.kill()
        say("node", "killed")
        self.facts["cut_off"] = await calling
        ready = await self._office.start()
        say("node", f"runs again; it recovered {ready['open']} open decision and asks the bank what became of it")
        self.facts["same"] = await clerk.call("pay", to="Echo Inc", amount=110)

    async def _goes_on(self) -> None:
        say("", "\n6. The agent is started anew, and its run repeated from the beginning.")
        async with agent(self._office, say) as clerk:
            self.facts["repeated"] = [
                await clerk.call("pay", to="Ada Ltd", amount=120),
                await clerk.call("pay", to="Dock BV", amount=300),
                await clerk.call("pay", to="Echo Inc", amount=110),
            ]
        command = self._office.command
        told = await asyncio.gather(
            command("show", self.facts["held"]["decision"]), command("limits"), command("verify")
        )
        self.facts |= dict(zip(("shown", "limits", "verified"), told, strict=True))

    async def _typed(self, *arguments: str) -> None:
        say(PERSON, f"lictor {' '.join(arguments)}")
        await self._office.command(*arguments)


def say(who: str, what: str) -> None:
    """A line of the story; who says nothing tells it."""
    gap = "" if not who and not what.startswith("->") else "  "
    sys.stdout.write(f"{gap}{who:6}{' ' if gap else ''}{what}\n" if gap else f"{what}\n")
    sys.stdout.flush()


def _clear(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in LEFT_BEHIND:
        for path in out.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
