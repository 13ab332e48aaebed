"""The venue's truth log: what really happened, one JSON object a line, whatever the reports say.

Appends to one file, unsynced, so it survives the death of either process. Events: `open`, `logon`, `logout`,
`arrival` (every NewOrderSingle, repeated ones too, with all its business fields as they came), `fill`,
`cancel_request`, `cancel`, `rejected` (by the book), `status`, `fault`, `close`. A test reads positions and doubles
from it, and a restarted venue what it must remember.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class TruthLog:
    """Raises OSError if the file cannot be opened or written: a venue that cannot tell the truth must stop."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, event: str, at_us: int, **facts: object) -> None:
        """Append one event with its virtual time."""
        line = json.dumps({"event": event, "at_us": at_us, **facts}, separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def content_digest(fields: Mapping[int, str]) -> str:
    """Names the exact business content of an order: a retry of the same decision has the same."""
    return hashlib.sha256("\x01".join(f"{tag}={value}" for tag, value in fields.items()).encode()).hexdigest()[:16]


def read_truth(path: Path) -> Iterator[Record]:
    """The events of a log in order; an unfinished last line is left out, a missing file is empty."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def positions(path: Path) -> dict[str, dict[str, int]]:
    """For each client the quantity bought less sold (`qty`) and the money received less paid (`money`)."""
    found: dict[str, dict[str, int]] = {}
    for record in read_truth(path):
        if record["event"] == "fill":
            position = found.setdefault(record["client"], {"qty": 0, "money": 0})
            position["qty"] += record["side"] * record["qty"]
            position["money"] -= record["side"] * record["qty"] * record["price"]
    return found


def doubles(path: Path) -> list[str]:
    """Keys that were accepted as a new order more than once, or that arrived with different contents: must be empty."""
    accepted: Counter[str] = Counter()
    contents: dict[str, set[str]] = {}
    for record in read_truth(path):
        if record["event"] == "arrival":
            name = f"{record['client']}/{record['key']}"
            accepted[name] += record["answer"] == "accepted"
            contents.setdefault(name, set()).add(record["digest"])
    return sorted(name for name in contents if accepted[name] > 1 or len(contents[name]) > 1)
