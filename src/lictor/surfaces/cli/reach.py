"""How a command reaches a journal: through the socket of the node that runs on it, else straight to the file.

Commands that read open a file read-only; commands that write open it as a node would, and only when the lock is free.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from lictor.errors import NodeStoppedError

#: An option that is there or not.
FLAG = Parameter(negative="", show_default=False)
#: An option that can be given many times.
MANY = Parameter(negative="", show_default=False, consume_multiple=False)
SHARED = Group("Journal and output", sort_key=90)


@Parameter(name="*", group=SHARED)
@dataclass(frozen=True, slots=True)
class Where:
    """What nearly every command takes."""

    journal: Annotated[Path, Parameter(alias="-j", env_var="LICTOR_JOURNAL", help="The journal file.")] = Path(
        "lictor.db"
    )
    json: Annotated[bool, FLAG, Parameter(help="Print JSON: one document, or one line for each row.")] = False

    def ask(self, do: str, *, wait_s: float = 0.0, **asked: Any) -> Any:
        """The answer of the live node, else of the file.

        Raises:
            NodeStoppedError: it needs a node, and none runs.
            JournalLockedError: a node has the file and serves no socket.
        """
        from lictor.surfaces.channel import Channel
        from lictor.surfaces.control import socket_of

        channel = Channel.open(socket_of(self.journal))
        if channel is not None:
            with channel:
                return channel.ask(do, wait_s=wait_s, **asked)
        from . import closed

        if do in closed.READS:
            return asyncio.run(closed.read(self.journal, do, asked))
        if do in closed.WRITES:
            return asyncio.run(closed.write(self.journal, do, asked))
        closed.check(self.journal)
        raise NodeStoppedError(
            f"no node runs on {self.journal}", hint=f"start one: lictor run MODULE:APP --journal {self.journal}"
        )

    @property
    def live(self) -> bool:
        """Whether a node answers."""
        from lictor.surfaces.channel import Channel
        from lictor.surfaces.control import socket_of

        channel = Channel.open(socket_of(self.journal))
        if channel is None:
            return False
        channel.close()
        return True


def login() -> str:
    """The name of whoever runs the command: the default of `--by`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for the user id
        return f"uid-{os.getuid()}"
