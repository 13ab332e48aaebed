"""The open loop: `python -m benchmarks.failures.real.generator FD CORE WORKLOAD` sends arrivals when they are due.

For each stage it is told what to draw, encodes all of it, says that it is ready, and on `go` sends what is due every
fifth of a millisecond. It never waits for the arm: what the socket does not take stays here, and counts from when it
was due all the same. At the end it says how far it lagged behind its schedule.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import sys
import time
from array import array

import msgspec

from benchmarks.failures.real import wire
from benchmarks.failures.real.cell import Workload
from benchmarks.failures.real.schedule import Draw, Schedule

#: Nanoseconds between two looks at the schedule, at the least.
_TICK_NS = 200_000
_LEAD_NS = 50_000_000


class Lag(msgspec.Struct, frozen=True):
    """How late arrivals were handed to the socket, or would have been had it taken them; seconds."""

    p50_s: float
    p99_s: float
    max_s: float
    #: What the socket had not taken when the last arrival was due, bytes: the arm did not read.
    unread_bytes: int


def send(sock: socket.socket, due_us: array[int], encoded: list[bytes]) -> Lag:
    """Send a schedule on time."""
    began_ns = time.monotonic_ns() + _LEAD_NS
    sock.sendall(wire.frame(wire.BEGUN, msgspec.msgpack.encode(began_ns)))
    sock.settimeout(0.0)
    lags_ns: list[int] = []
    unsent = bytearray()
    sent, count = 0, len(encoded)
    while sent < count:
        now_us = (time.monotonic_ns() - began_ns) // 1000
        due = sent
        while due < count and due_us[due] <= now_us:
            lags_ns.append(1000 * (now_us - due_us[due]))
            due += 1
        if due > sent:
            unsent += wire.batch(encoded[sent:due])
            sent = due
        if unsent:
            with contextlib.suppress(BlockingIOError):  # the arm does not read
                del unsent[: sock.send(unsent)]
        if sent < count:
            wait_ns = 1000 * due_us[sent] + began_ns - time.monotonic_ns()
            time.sleep(max(wait_ns, _TICK_NS) / 1e9)
    left = len(unsent)
    while unsent:
        select.select([], [sock], [])
        del unsent[: sock.send(unsent)]
    sock.settimeout(None)
    lags_ns.sort()
    last = len(lags_ns) - 1
    p50, p99, worst = (lags_ns[round(share * last)] / 1e9 for share in (0.5, 0.99, 1.0)) if lags_ns else (0.0,) * 3
    return Lag(p50, p99, worst, left)


def main() -> None:
    """Serve one cell until its socket closes."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    os.sched_setaffinity(0, {int(sys.argv[2])})
    workload = msgspec.json.decode(sys.argv[3], type=Workload)
    gc.disable()
    encode = msgspec.msgpack.Encoder().encode
    frames = wire.Frames()
    schedule, encoded = None, []
    while data := sock.recv(1 << 16):
        for what, body in frames.feed(data):
            if what == wire.DRAW:
                draw = msgspec.msgpack.decode(body, type=Draw)
                schedule = Schedule(draw, workload)
                encoded = [encode(arrival) for arrival in schedule.arrivals(draw.seed)]
                sock.sendall(wire.frame(wire.READY, encode(len(encoded))))
            elif what == wire.GO and schedule is not None:
                lag = send(sock, schedule.due_us, encoded)
                sock.sendall(wire.frame(wire.END, encode(lag)))


if __name__ == "__main__":
    main()
