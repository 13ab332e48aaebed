"""The worker processes of one effector, as attempts use them: calls go in, what came of them comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lictor.declarations.effectors import Call, EffectFailed
from lictor.runtime.processes import Processes, WorkerNotStarted

from .remote import SERVES, asked, returned


class WorkerProcess:
    """Runs one function, by its name, in `slots` processes."""

    def __init__(self, function: str, slots: int) -> None:
        self.processes = Processes(slots, SERVES, function)

    def start(self) -> None:
        """Begin to start the processes."""
        self.processes.start()

    async def perform(self, call: Call, args: Sequence[Any], kwargs: dict[str, Any], begins: Callable[[], None]) -> Any:
        """What the function returned, or what it raised.

        Raises:
            EffectFailed: it raised that; or no process could be started, so that it has certainly not begun.
            Raised: it raised something else.
            WorkerDied: its process ended in the midst of it.
        """

        def request() -> bytes:
            data = asked(call, args, kwargs)
            begins()
            return data

        try:
            data = await self.processes.run(request)
        except WorkerNotStarted as error:
            raise EffectFailed(f"no worker process: {error}", code="WORKER_FAILED", retry=True) from error
        return returned(data, call)

    async def stop(self) -> None:
        """End the processes."""
        await self.processes.stop()
