"""The processes of the demo: the bank, the node, and commands that a person types. Each is a real one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from lictor.desks.agents.demo.office import BANK, FOLDER

START_S_MAX = 30.0
APP = "lictor.desks.agents.demo.office:make"


class Bank:
    """The bank, and what it says it has booked."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, ledger: Path) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"
        self.ledger = ledger

    @classmethod
    async def start(cls, ledger: Path, silent_for: str) -> Bank:
        """Start it and wait until it listens."""
        command = [sys.executable, "-m", "lictor.desks.agents.demo.bank", "--ledger", str(ledger)]
        process = await asyncio.create_subprocess_exec(
            *command, "--silent-for", silent_for, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return cls(process, (await _line(process))["port"], ledger)

    async def booking(self, to: str) -> dict[str, Any]:
        """Wait until it has booked a payment to somebody."""
        while True:
            booking = await _line(self._process)
            if booking["to"] == to:
                return booking

    def booked(self) -> list[dict[str, Any]]:
        """All that has arrived, from the ledger itself."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()] if self.ledger.exists() else []

    async def stop(self) -> None:
        """End it."""
        await _end(self._process)


class Office:
    """The node: `lictor run`, and other commands on its journal."""

    def __init__(self, folder: Path, bank: Bank) -> None:
        self.journal = folder / "journal.db"
        self.environment = os.environ | {BANK: bank.url, FOLDER: str(folder)}
        self._log = (folder / "node.log").open("ab")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """Start a node and wait until it is ready."""
        command = [sys.executable, "-m", "lictor", "run", APP, "--journal", str(self.journal), "--json"]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=self._log, env=self.environment
        )
        return await _line(self._process)

    async def kill(self) -> None:
        """End the node as a crash does: kill -9."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """Let the node drain and end."""
        if self._process is not None:
            await _end(self._process)
        self._log.close()

    async def command(self, *arguments: str) -> Any:
        """What a person types: `lictor ... --json` on the journal; the document that it prints."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "lictor", *arguments, "--journal", str(self.journal), "--json"],
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"lictor {' '.join(arguments)}: {out.decode()}")
        return json.loads(out)


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(START_S_MAX):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the demo ended with {await process.wait()}")
    found: dict[str, Any] = json.loads(line)
    return found


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        await process.wait()
