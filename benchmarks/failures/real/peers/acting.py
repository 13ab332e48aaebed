"""What the peers' tasks do, and how the rig learns of it: one line a call, appended to a file.

A record is three integers: the decision's number, and when the call began and ended by the monotonic clock, which all
processes of a machine share. Appends of this size are atomic.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

#: Names of the environment: the file, and how long a call takes.
LOG, SERVICE_S = "LICTOR_BENCH_ACTS", "LICTOR_BENCH_SERVICE_S"

_RECORD = struct.Struct("<qqq")
_open: dict[tuple[int, str], int] = {}


def act(number: int) -> None:
    """One call of the downstream: it takes its time and uses no processor."""
    began_ns = time.monotonic_ns()
    time.sleep(float(os.environ[SERVICE_S]))
    ended_ns = time.monotonic_ns()
    mine = (os.getpid(), os.environ[LOG])  # a process that forked, or goes on with the next stage, has another file
    if mine not in _open:
        _open[mine] = os.open(mine[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(_open[mine], _RECORD.pack(number, began_ns, ended_ns))


def acts(path: Path) -> Iterator[tuple[int, int, int]]:
    """What was done so far: number, began, ended."""
    if path.exists():
        whole = path.read_bytes()
        yield from _RECORD.iter_unpack(whole[: len(whole) // _RECORD.size * _RECORD.size])
