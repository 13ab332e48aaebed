"""The venue's FIX 4.4 acceptor: one session for each client, over TCP on this machine only.

Reads and writes sockets, the sessions' files and the outboxes, all under the venue's state folder. Orders are handled
in the callback that delivers them; reports go through the client's outbox, so they wait there while the client is away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from fixcore.message.message import Message
from fixcore.session.session_id import SessionID
from fixcore.transport.framer import MessageFramer

from lictor.desks.trading.fix import wire
from lictor.desks.trading.fix.link import READ_BYTES, QuietLog, Stamped, make_session, pump
from lictor.desks.trading.fix.store import SessionStore
from lictor.desks.trading.venue.outbox import Outbox

HOST = "127.0.0.1"
VENUE = "VENUE"
MARKET_WAITING_MAX = 64
FIRST_MESSAGE_S_MAX = 10.0


class Floor(Protocol):
    """What stands behind the gateway."""

    def handle(self, port: Port, message: Message) -> None:
        """An application message of a client."""

    def client_came(self, port: Port) -> None:
        """The client logged on."""

    def client_left(self, port: Port) -> None:
        """The client's session ended."""


class Port(Stamped):
    """One client: its session, whether or not it is connected, and what waits to be sent to it."""

    def __init__(self, floor: Floor, client: str, state: Path) -> None:
        self.client = client
        self.connected = False
        self.market_request = ""  #: id of the subscription to market data; empty if there is none
        self.market_depth = 0
        self.store = SessionStore(state / client, replay=(wire.REPORT, wire.CANCEL_REJECT))
        self.session = make_session("acceptor", VENUE, client, self, self.store, QuietLog())
        self._floor = floor
        self._outbox = Outbox(state / client)
        self._market: deque[Message] = deque(maxlen=MARKET_WAITING_MAX)
        self._unsent: list[bytes] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._sender = asyncio.create_task(self._send_waiting(), name=f"sender-{client}")

    def on_logon(self, _session_id: SessionID) -> None:
        self._floor.client_came(self)
        self._wake.set()

    def on_logout(self, _session_id: SessionID) -> None:
        self._outbox.client_left()
        self._market.clear()
        self.market_request = ""
        self._floor.client_left(self)

    def take(self, message: Message) -> None:
        self._floor.handle(self, message)

    def put(self, msg_type: str, fields: wire.Fields, *, kept: bool) -> None:
        """Send a message when its turn comes; a kept one waits for the client if need be."""
        if kept or self.session.is_logged_on:
            self._outbox.put(msg_type, fields, kept=kept)
            self._wake.set()

    def put_market(self, message: Message) -> None:
        """Send market data; a client that does not read loses the oldest."""
        self._market.append(message)
        self._wake.set()

    async def _send_waiting(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # a session that ends in between raises RuntimeError and keeps nothing, so what was to be sent stays queued
            with suppress(RuntimeError):
                while self.session.is_logged_on and (self._outbox or self._market):
                    await self._send_one()

    async def _send_one(self) -> None:
        if not self._outbox:
            with suppress(OSError):
                await self.session.send_app(self._market.popleft())
            return
        outgoing = self._outbox.first()
        # a connection that breaks here has the message in the session's store already, which resends it
        with suppress(OSError):
            await self.session.send_app(wire.message(outgoing.msg_type, outgoing.fields))
        if self._outbox and self._outbox.first() is outgoing:
            self._outbox.handed_over()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framer: MessageFramer, waiting: list[bytes]
    ) -> None:
        """Run the session over this connection until it ends; `waiting`: whole messages read already."""
        self.connected = True
        self._writer = writer
        try:
            await pump(self.session, reader, writer, framer=framer, waiting=waiting, send=self._write)
        finally:
            self.connected = False
            self._writer = None

    async def _write(self, raw: bytes) -> None:
        """The session's way out. What is written in one turn of the loop leaves in one call: calls cost most."""
        if self._writer is None or self._writer.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(raw)
        await self._writer.drain()

    def _flush(self) -> None:
        if self._writer is not None and not self._writer.transport.is_closing():
            self._writer.writelines(self._unsent)
        self._unsent.clear()

    def cut(self) -> None:
        """Break the connection at once: nothing that is not yet with the operating system goes out."""
        self._unsent.clear()
        if self._writer is not None:
            self._writer.transport.abort()

    def close(self) -> None:
        """Stop sending and close the files."""
        self._sender.cancel()
        self._outbox.close()
        self.store.close()


class Gateway:
    """Listens, and gives each connection to the port of the client that its first message names."""

    def __init__(self, floor: Floor, clients: Iterable[str], state: Path) -> None:
        self.ports = {client: Port(floor, client, state) for client in clients}
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def listen(self, port: int) -> int:
        """Bind to 127.0.0.1; 0 takes a free port. Returns the port. Raises OSError if it is taken."""
        self._server = await asyncio.start_server(self._connected, HOST, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._open[task] = writer
        framer = MessageFramer()
        waiting: list[bytes] = []
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(FIRST_MESSAGE_S_MAX):
                while not waiting and (data := await reader.read(READ_BYTES)):
                    waiting = framer.feed(data)
            port = self._port(waiting)
            # one connection a session: a second one must not take over its way out
            if port is not None and not port.connected:
                await port.serve(reader, writer, framer, waiting)
        del self._open[task]
        writer.close()

    def _port(self, waiting: list[bytes]) -> Port | None:
        if not waiting:
            return None
        with suppress(ValueError):
            header = Message.decode(waiting[0]).header
            if header.get_or(wire.TARGET) == VENUE:
                return self.ports.get(header.get_or(wire.SENDER))
        return None

    async def close(self) -> None:
        """Stop listening and break all connections."""
        if self._server is not None:
            self._server.close()
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*filter(None, self._open), return_exceptions=True)
        for port in self.ports.values():
            port.close()
