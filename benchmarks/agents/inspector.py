"""The MCP inspector's command line talks to `lictor mcp` and to `/mcp`: it calls, is refused, approved, deduplicated.

    python -m benchmarks.agents.inspector [FOLDER]     installs the inspector there (about 110 MB, 30 s), talks, tells

`talk(bin_, folder)` gives the checks by name, for whoever writes a report.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.surfaces.mcp.office import OFFICE

PACKAGE = "@modelcontextprotocol/inspector@2.12.0"
JOURNAL = "office.db"


def install(folder: Path) -> Path:
    """Install the inspector into a folder; gives its executable.

    Raises:
        RuntimeError: there is no npm, or its registry does not answer.
    """
    bin_ = folder / "node_modules" / ".bin" / "mcp-inspector"
    if bin_.exists():
        return bin_
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not bin_.exists():
        raise RuntimeError(f"npm could not install {PACKAGE}: {done.stderr.strip()[-300:]}")
    return bin_


class Inspector:
    """The inspector's command line, on one server."""

    def __init__(self, bin_: Path, folder: Path, *target: str) -> None:
        self._command = [str(bin_), "--cli", *target]
        self._folder = folder
        self._environment = os.environ | {"MCP_CATALOG_PATH": str(folder / "catalog.json")}

    def __call__(self, method: str, *options: str) -> dict[str, Any]:
        """What it prints."""
        done = subprocess.run(
            [*self._command, "--method", method, *options],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        start = done.stdout.find("{")
        if start < 0:
            raise RuntimeError(f"the inspector said nothing: {done.stderr.strip()[-500:]}")
        found: dict[str, Any] = json.JSONDecoder().raw_decode(done.stdout[start:])[0]
        return found

    def call(self, tool: str, **arguments: str) -> dict[str, Any]:
        """What a call was answered with, as structure, with whether it was an error."""
        pairs = [part for name, value in arguments.items() for part in ("--tool-arg", f"{name}={value}")]
        result = self("tools/call", "--tool-name", tool, *pairs)
        return {**result["structuredContent"], "is_error": result.get("isError", False)}


def lictor(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "lictor", *arguments, "--journal", JOURNAL]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout


def converse(inspector: Inspector, folder: Path, payee: str) -> dict[str, bool]:
    """The whole conversation, over one transport."""
    names = {tool["name"] for tool in inspector("tools/list")["tools"]}
    first, again = (inspector.call("send_mail", to=payee) for _ in range(2))
    dear = inspector.call("send_mail", to=payee, text="far too many letters")
    held = inspector.call("send_mail", to=f"{payee}@far", text="!")
    lictor(folder, "approve", held["decision"], "--by", "eva")
    done = inspector.call("send_mail", to=f"{payee}@far", text="!")
    sent = (folder / "sent.txt").read_text().splitlines()
    return {
        "lists each kind as a tool": {"send_mail", "wait_for_post", "Note", "lictor_outcome"} <= names,
        "calls a tool": (first["status"], first["is_error"]) == ("succeeded", False),
        "is answered the same when it calls again": again["duplicate"] and again["decision"] == first["decision"],
        "is refused, with what would be allowed": dear["is_error"] and set(dear["allowed"]) == {"stamps"},
        "is held at once": (held["status"], held["is_error"]) == ("held", False),
        "goes on once a person has approved": (done["status"], done["decision"]) == ("succeeded", held["decision"]),
        "and each effect happened once": (sent.count(f"{payee} hi"), sent.count(f"{payee}@far !")) == (1, 1),
    }


def talk(bin_: Path, folder: Path) -> dict[str, bool]:
    """Talk over both transports, to one node; the checks by name."""
    (folder / "office.py").write_text(OFFICE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "lictor", "run", "office:app", "--journal", JOURNAL, "--http", address, "--json"]
    node = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if node.stdout is None or not node.stdout.readline():
            raise RuntimeError("the node did not start")
        token = lictor(folder, "keys", "make", "agent-7", "--roles", "submit").strip()
        path = os.environ.get("PYTHONPATH")  # it gives a server none of its own environment
        given = ("-e", f"PYTHONPATH={path}") if path else ()
        stdio = Inspector(bin_, folder, *given, sys.executable, "-m", "lictor", "mcp", "--journal", JOURNAL)
        over = {
            "stdio": converse(stdio, folder, "ann"),
            "http": converse(
                Inspector(bin_, folder, f"http://{address}/mcp", "--header", f"Authorization: Bearer {token}"),
                folder,
                "bob",
            ),
        }
    finally:
        node.terminate()
        node.communicate()
    return {f"{name}, over {transport}": holds for transport, checks in over.items() for name, holds in checks.items()}


def main() -> int:
    """Install, talk, tell."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/inspector").resolve()
    bin_ = install(folder)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    checks = talk(bin_, work)
    for name, holds in checks.items():
        print("holds" if holds else "FAILS", name)
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
