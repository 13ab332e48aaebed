"""A node with an App that reaches out, on a clock that runs fast, so that waits between tries take milliseconds."""

import time
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lictor import App, Call, Node, ScaledClock, Settings, allow, env
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.surfaces.outreach import Outreach

SECRET = f"whsec_{b64encode(b's' * 32).decode()}"
SPEED = 50.0


@dataclass(frozen=True)
class Note:
    """What these nodes decide."""

    text: str


def notes() -> App:
    app = App("notes")
    app.decision(expires_in_s=600)(Note)

    @app.gate(Note)
    def all_of_them(note, state):
        return allow()

    @app.effector(idempotent=True, timeout_s=600)
    async def write(call: Call, text: str) -> str:
        return text

    app.plan(Note)(lambda note: write.action(note.text))
    return app


def telling(app: App, site, *sources: str, **options) -> App:
    """The App, with callbacks for these sources at `/<source>` of a site."""
    for source in sources:
        given = {"secret": env("CALLBACK_SECRET"), "allow": (f"127.0.0.1:{site.port}",)} | options
        app.callback(source, f"{site.url}/{source}", **given)
    return app


@asynccontextmanager
async def reaching(app: App, disk: MemoryDisk | None = None, **settings):
    """A node with its outreach."""
    clock = ScaledClock.starting_now(time.time_ns() // 1000, SPEED)
    journal = MemoryJournal(disk or MemoryDisk())
    settings = Settings(tune_collector=False, **settings)
    async with Node(app, journal, settings=settings, clock=clock) as node, Outreach(node) as outreach:
        node.outreach = outreach
        yield node
