"""Lets schemathesis find what the HTTP API does not do as its own OpenAPI says: all checks, stateful links included.

The node and its server are real, and run here; schemathesis runs beside it, as its command line does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.surfaces.http.served import key, served

CONFIG = Path(__file__).with_name("schemathesis.toml")


@dataclass(frozen=True)
class Fuzzed:
    """What a run found."""

    cases: int
    failures: int
    #: All that schemathesis printed.
    text: str
    code: int


async def fuzz(folder: Path, *, examples: int, seed: int = 1, options: Sequence[str] = ()) -> Fuzzed:
    """Run all phases, with so many examples of each operation, on a node whose journal is in a folder."""
    report = folder / "schemathesis.ndjson"
    async with served(journal=str(folder / "fuzzed.db"), durability="journal") as http:
        token = await key(http.node, "fuzz", "admin")
        given = ["--header", f"Authorization: Bearer {token}", "--max-examples", str(examples), "--seed", str(seed)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{http.server.url}/openapi.json"),
            *("--checks", "all", "--continue-on-failure", "--generation-deterministic", "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", str(report)),
            *given,
            *options,
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    cases, failures = counted(report)
    return Fuzzed(cases, failures, printed.decode(), process.returncode or 0)


def counted(report: Path) -> tuple[int, int]:
    """Cases that were sent, and checks that failed."""
    cases = failures = 0
    for line in report.read_text().splitlines():
        for event in json.loads(line).values():
            if isinstance(event, dict) and isinstance(recorder := event.get("recorder"), dict):
                cases += len(recorder.get("interactions", ()))
                for checks in recorder.get("checks", {}).values():
                    failures += sum(check["status"] == "failure" for check in checks)
    return cases, failures


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        found = asyncio.run(fuzz(Path(made), examples=int(sys.argv[1]), options=sys.argv[2:]))
        print(found.text)
        print(f"{found.cases} cases, {found.failures} failures, exit code {found.code}")
