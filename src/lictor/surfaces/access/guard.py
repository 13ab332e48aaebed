"""What holds for every answer, whatever route gives it: for which names it is given, and how browsers may use it.

DNS rebinding makes a browser reach this server under a name that somebody else owns, and takes our pages for theirs. So
a host by name is served only where it is listed; an address is nobody's to rebind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Pairs = tuple[tuple[bytes, bytes], ...]

LOOPBACK = ("localhost",)
#: On every answer that does not say otherwise itself: nothing in it is run, framed, guessed, kept or told on.
GUARDED: Pairs = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
#: Under TLS: this name is never again asked in the clear.
HSTS = (b"strict-transport-security", b"max-age=31536000")
_KNOWN_MAX = 256


class Guard:
    """Stands around the whole site."""

    def __init__(self, hosts: Iterable[str] = (), *, secure: bool = False) -> None:
        self.secure = secure
        self.hosts = frozenset(host.lower().rstrip(".") for host in (*LOOPBACK, *hosts))
        #: As headers.
        self.pairs = (*GUARDED, HSTS) if secure else GUARDED
        #: Hosts that were asked for and are good, as they came: the same few, again and again.
        self._good: set[bytes] = set()

    def serves(self, host: bytes | None) -> bool:
        """Whether a request for this `Host` is answered."""
        if host in self._good:
            return True
        if host is None or not self._served(host.decode("latin-1")):
            return False
        if len(self._good) < _KNOWN_MAX:
            self._good.add(host)
        return True

    def _served(self, host: str) -> bool:
        name = host.lower()
        if name.startswith("["):
            name, closed, port = name[1:].partition("]")
            port = port.removeprefix(":") if closed else "?"
        else:
            name, _, port = name.partition(":")
        if port and not port.isdigit():
            return False
        if name.rstrip(".") in self.hosts:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    def around(self, send: Send) -> Send:
        """Sends the same answer, with the headers that it did not set itself."""
        pairs = self.pairs

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ())]
                given = {name.lower() for name, _ in headers}
                headers += [pair for pair in pairs if pair[0] not in given]
                message = {**message, "headers": headers}
            await send(message)

        return guarded
