"""A shell in a directory of its own: commands run here, nodes as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM

from lictor.surfaces.cli.commands import run

#: The App of the guide, with an account that takes for ever, and one that a file must free.
PAYOUTS = """
import asyncio
from dataclasses import dataclass
from pathlib import Path
from lictor import App, Call, Quality, Range, allow, deny, hold

app = App("payouts", version="1")
cash = app.balance("cash", limit=1_000, per="tenant")
accounts = app.reference("accounts", lambda: {"a-17", "a-18", "slow"}, max_age_s=60)
app.source("local")
app.source("feed", quality=Quality(ranges={"amount": Range(1, 5000)}))
KNOWN_ONLY = True
HOLD_ABOVE = 500

@app.decision(order_by="account", expires_in_s=600)
@dataclass(frozen=True)
class Payout:
    account: str
    amount: int

@app.gate(Payout, family="rules")
def account_known(payout, state):
    if not KNOWN_ONLY or payout.account in state[accounts]:
        return allow()
    return deny("ACCOUNT_UNKNOWN", account=payout.account)

@app.gate(Payout, family="authorization")
def large(payout, state):
    return hold("LARGE", amount=payout.amount) if payout.amount > HOLD_ABOVE else allow()

@app.gate(Payout, family="resources")
def affordable(payout, state):
    return allow(cash.reserve(payout.amount))

@app.effector(idempotent=False, timeout_s=0.2, slots=8)
async def transfer(call: Call, account: str, amount: int) -> str:
    if account == "slow":
        await asyncio.Event().wait()
    with Path("bank.txt").open("a") as bank:
        bank.write(f"{call.key} {account} {amount}\\n")
    return f"receipt {account}"

@app.plan(Payout)
def pay(payout):
    return transfer.action(payout.account, payout.amount)
"""


class Shell:
    """Runs `lictor` in a directory, and reads what it says."""

    def __init__(self, folder: Path, capsys) -> None:
        self.folder = folder
        self._capsys = capsys
        (folder / "payouts.py").write_text(PAYOUTS)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error of a command, run in this process."""
        self._capsys.readouterr()
        code = run(list(arguments))
        out, err = self._capsys.readouterr()
        return code, out, err

    def json(self, *arguments: str, code: int = 0):
        """The document that a command prints."""
        got, out, err = self(*arguments, "--json")
        assert got == code, (got, out, err)
        return json.loads(out)

    def rows(self, *arguments: str) -> list:
        """The lines that a command prints."""
        got, out, err = self(*arguments, "--json")
        assert got == 0, (got, out, err)
        return [json.loads(line) for line in out.splitlines()]

    def submit(self, account: str, amount: int, *options: str, code: int = 0):
        return self.json("submit", "Payout", json.dumps({"account": account, "amount": amount}), *options, code=code)

    @property
    def bank(self) -> list[str]:
        """What truly happened."""
        file = self.folder / "bank.txt"
        return file.read_text().splitlines() if file.exists() else []

    @contextmanager
    def node(self, spec: str = "payouts:app", *options: str):
        """A node in a process of its own, ready; killed at the end if it still runs."""
        started = Node(self.folder, spec, *options)
        try:
            yield started
        finally:
            started.end(SIGKILL)


class Node:
    """`lictor run`, as a process."""

    def __init__(self, folder: Path, spec: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lictor", "run", spec, "--json", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read().decode())
        self.ready = json.loads(line)

    def end(self, number: int = SIGTERM) -> tuple[int, list[dict]]:
        """Send a signal; the exit code and what it said since it was ready."""
        self.process.send_signal(number)
        out, _ = self.process.communicate()
        return self.process.returncode, [json.loads(line) for line in out.splitlines()]
