"""Starts real venues for tests: processes of their own, steered through their control socket, ended by name."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FROZEN = 1e-6  # speed at which the captured participants stand still for as long as a test lasts


class VenueProcess:
    """One venue. `state` may be that of an earlier one, which this one then continues."""

    def __init__(self, state: Path, *options: str, speed: float = FROZEN) -> None:
        self.state = state
        command = [sys.executable, "-m", "lictor.desks.trading.venue", "--state", str(state), "--speed", str(speed)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        line = self._line()
        assert line, f"the venue ended with {self.process.wait()}"
        self.ready: dict[str, Any] = json.loads(line)
        self._control = socket.create_connection(("127.0.0.1", self.ready["control_port"]))
        self._answers = self._control.makefile("r")

    @property
    def port(self) -> int:
        return self.ready["port"]

    @property
    def truth(self) -> Path:
        return self.state / "truth.jsonl"

    def now_us(self) -> int:
        clock = self.ready["clock"]
        return clock["origin_wall_us"] + int((time.monotonic() - clock["origin_monotonic"]) * clock["speed"] * 1e6)

    def tell(self, do: str, **arguments: object) -> dict[str, Any]:
        self._control.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        assert answer["ok"], answer
        return answer

    def best(self) -> tuple[int, int]:
        """Best bid and best ask in cents."""
        book = self.tell("book", depth=1)
        return book["bids"][0][0], book["asks"][0][0]

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def kill(self) -> None:
        """As kill -9 does it."""
        self.process.kill()
        self._close()

    def stop(self) -> dict[str, Any]:
        """End it, and return what it says of its run."""
        self.process.terminate()
        line = self._line()
        self._close()
        return json.loads(line)

    def _close(self) -> None:
        self._answers.close()
        self._control.close()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.kill()
