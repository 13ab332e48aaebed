"""Who is being cancelled: this task, or something that it waited for. Reads the running task and nothing else."""

from __future__ import annotations

import asyncio


def being_cancelled() -> bool:
    """Whether the current task itself is asked to end; if not, a `CancelledError` comes from what it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
