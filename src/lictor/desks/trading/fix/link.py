"""One FIX session over one TCP connection: how both ends of it are set up and pumped.

Reads and writes the socket and, through `SessionStore`, the session's files. The engine's own transports are not used:
its acceptor listens on every interface unless told otherwise and hides the port that it got, its initiator retries at
fixed intervals, and neither says whether a message reached the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from fixcore.application import Application
from fixcore.log.base import Log
from fixcore.message.message import Message, apply_poss_dup
from fixcore.session.session import Session
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.transport.framer import MessageFramer

from lictor.desks.trading.fix.store import SessionStore
from lictor.desks.trading.fix.wire import BEGIN_STRING, SENDING_TIME, timestamp

READ_BYTES = 65_536
RESENT = b"\x0143=Y\x01"
RESEND_REQUEST = b"\x0135=2\x01"


def now() -> str:
    """The machine's time, as FIX writes it."""
    return timestamp(int(datetime.now(tz=UTC).timestamp() * 1e6))


class QuietLog(Log):  # type: ignore[misc]
    """The engine prints every message by default; here the last session events are kept, for error texts."""

    def __init__(self) -> None:
        self.last_event = ""

    def on_incoming(self, message: str) -> None:
        """Nothing."""

    def on_outgoing(self, message: str) -> None:
        """Nothing."""

    def on_event(self, text: str) -> None:
        self.last_event = text


class Stamped(Application):  # type: ignore[misc]
    """Gives SendingTime the microseconds that the engine leaves out, and settles what the application has taken."""

    store: SessionStore

    def to_app(self, message: Message, _session_id: SessionID) -> None:
        message.header.set(SENDING_TIME, now())

    def to_admin(self, message: Message, session_id: SessionID) -> None:
        self.to_app(message, session_id)

    def from_admin(self, _message: Message, _session_id: SessionID) -> None:
        self.store.settle()

    def from_app(self, message: Message, _session_id: SessionID) -> None:
        self.take(message)
        self.store.settle()

    def take(self, message: Message) -> None:
        """Handle one application message of the counterparty."""
        raise NotImplementedError


class OpenSession(Session):  # type: ignore[misc]
    """A session that answers a resend request even when it comes out of turn, as the protocol asks.

    The engine keeps one that is ahead of its turn until the gap before it has closed. After a cut both sides may miss
    messages of the other; each then waits for the other to resend first, for ever.
    """

    async def on_data(self, raw: bytes) -> None:
        early = self._early(raw) if RESEND_REQUEST in raw and self.is_logged_on else None
        if early is not None:
            await self._on_resend_request(early)  # and again in its turn, where all of it is a known duplicate
        await super().on_data(raw)

    def _early(self, raw: bytes) -> Message | None:
        with suppress(ValueError):  # garbled: the engine says what becomes of that
            message = Message.decode(raw)
            if int(message.header.get_or(34, "0")) > self._store.next_target_msg_seq_num():
                return message
        return None


def make_session(
    role: str, sender: str, target: str, application: Application, store: SessionStore, log: Log, **settings: str
) -> Session:
    """A session that lives as long as the process, over any number of connections. `role`: initiator or acceptor."""
    session_id = SessionID(BEGIN_STRING, sender, target)
    configured = SessionSettings()
    configured.set_session(session_id, {"ConnectionType": role, **settings})
    return OpenSession(session_id, configured, application, store, log)


async def pump(
    session: Session,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    framer: MessageFramer,
    waiting: list[bytes],
    send: Callable[[bytes], Awaitable[None]],
) -> None:
    """Feed the session from the socket until either side closes it. `waiting`: whole messages read already."""

    async def restamped(raw: bytes) -> None:
        # Resent messages go past `Stamped`: in whole seconds they would seem older than they are, and be refused.
        await send(apply_poss_dup(raw, now()) if RESENT in raw else raw)

    async def close() -> None:
        await asyncio.sleep(0)  # what was sent in this turn of the loop leaves first
        writer.close()

    try:
        await session.on_connect(restamped, close)
        while True:
            for raw in waiting:
                await session.on_data(raw)
            data = await reader.read(READ_BYTES)
            if not data:
                return
            waiting = framer.feed(data)
    except OSError:
        return  # the connection is gone, which the end of this function tells the session
    finally:
        writer.close()
        await session.on_disconnect()
