"""A wait of a thread that has no event loop: of programs that are not async, never of a node."""

from __future__ import annotations

import time


def pause(seconds: float) -> None:
    """Block the calling thread for so long."""
    time.sleep(seconds)
