"""The network under a call out: looks a name up once, has each address checked, and connects to one that was.

TLS and the Host header keep the name. It also knows whether anything of the request has gone out, which tells what
certainly had no effect from what may have had one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address
from typing import Any

import httpcore2

from lictor.errors import BlockedError

from .address import Address
from .guard import Guard

#: Looks a host up: its addresses, in the order to try them.
Resolve = Callable[[str, int], Awaitable[list[Address]]]
#: Addresses of one host that are tried.
TRIES = 4


async def resolve(host: str, port: int) -> list[Address]:
    """Ask the system's resolver, once.

    Raises:
        OSError: nobody knows the name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = (ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found)
    return list(dict.fromkeys(addresses))


class Wire(httpcore2.AsyncNetworkBackend):
    """The network of one call."""

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve
        self._inner = httpcore2.AnyIOBackend()
        #: Part of a request has gone out.
        self.begun = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of the library
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self._guard.check_host(host, port)
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} has no address: {error}") from error
        for address in addresses:  # all of them: a name that also leads inside is not to be trusted
            self._guard.check_address(host, address, port)
        failed: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses[:TRIES]:
            try:
                stream = await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return Watched(stream, self)
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the interface of the library
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - likewise
    ) -> httpcore2.AsyncNetworkStream:
        raise BlockedError(f"{path} is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Of retries, which this network does not make."""
        raise NotImplementedError


class Watched(httpcore2.AsyncNetworkStream):
    """A connection that notes when the request begins to go out."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, wire: Wire) -> None:
        self._stream = stream
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - of the library
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - of the library
        self._wire.begun = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of the library
    ) -> httpcore2.AsyncNetworkStream:
        return Watched(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._wire)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
