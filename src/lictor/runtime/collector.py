"""The cyclic garbage collector, told that a node keeps thousands of decisions in flight on purpose.

At CPython's default (700 allocations) a collection walks the decisions in flight again and again without finding
anything, because the engine makes no cycles: measured at 1,024 in flight, about a third of all processor time.
Reference counting goes on as ever.
"""

from __future__ import annotations

import gc

#: Allocations before a young collection; then young ones before a middle, and middle ones before a full collection.
THRESHOLDS = (50_000, 20, 50)

_nodes = 0
_before: tuple[int, int, int] | None = None


def tune() -> None:
    """While any node runs in this process, collect less often."""
    global _nodes, _before  # noqa: PLW0603 - the collector itself is one for the process
    if _nodes == 0 and gc.get_threshold() < THRESHOLDS:
        _before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
    _nodes += 1


def restore() -> None:
    """A node has stopped; with the last one the collector is as it was."""
    global _nodes, _before  # noqa: PLW0603 - as above
    _nodes -= 1
    if _nodes == 0 and _before is not None:
        gc.set_threshold(*_before)
        _before = None
