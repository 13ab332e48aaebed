"""One HTTP call out into the world, guarded, bounded in size and time. Every way out says whether it may have acted.

A connection serves one call: the other side may close a kept one just as the request leaves, and then nobody would
know what became of it. Proxies, certificates and passwords of the environment are not used; nothing is decompressed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from lictor.errors import BlockedError, LictorError, LostError, UnreachableError

from .guard import PORTS, Guard

if TYPE_CHECKING:
    from httpx2 import URL

    from .wire import Resolve, Wire

#: Time for the look-up and the connection, of what a call has.
CONNECT_SHARE = 0.5
#: Headers that go along when a redirect leads to another origin; others may be meant for the first alone.
_CARRIED = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
_FOLLOWED = {301: False, 302: False, 303: False, 307: True, 308: True}  # status -> the method is kept
_SAFE = frozenset({"GET", "HEAD"})
REQUEST_BYTES_MAX = 8 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is cut after the bytes that are taken; `whole` says whether it was not."""

    status: int
    #: Names in lower case; of a name that came twice the last.
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    def data(self) -> Any:
        """The body as data where it is JSON, as text where it is not, None where it is empty."""
        if not self.body:
            return None
        if self.whole:
            try:
                return msgspec.json.decode(self.body)
            except msgspec.DecodeError:
                pass
        return self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Outbound:
    """Makes calls where its guard lets them go.

    Args:
        guard: Where calls may go.
        ca: A file of certificate authorities to trust, in place of the system's.
        answer_bytes_max: More of an answer's body is not read.
        redirects_max: How many are followed, each through the guard; what changes something follows only 307 and 308.
    """

    guard: Guard = field(default_factory=Guard)
    ca: str | None = None
    answer_bytes_max: int = 1 << 20
    redirects_max: int = 0
    #: Looks names up; None for the system's resolver.
    resolve: Resolve | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """The answer, whatever its status.

        Raises:
            BlockedError: the guard does not let it go there; nothing was sent.
            UnreachableError: nothing was sent.
            LostError: it was sent at least in part, and no whole answer came within the time.
            LictorError: the extra `lictor[http]` is not installed.
        """
        wire = self._wire()
        given = {"accept-encoding": "identity", "user-agent": "lictor"}
        given |= {name.lower(): value for name, value in (headers or {}).items()}
        try:
            async with asyncio.timeout(timeout_s):
                return await self._followed(wire, method, url, given, content, timeout_s)
        except TimeoutError:
            raise _lost(wire, f"no answer within {timeout_s:g} s") from None

    async def _followed(
        self, wire: Wire, method: str, url: str, headers: dict[str, str], content: bytes, timeout_s: float
    ) -> Answer:
        """The answer at the end of the redirects that may be followed."""
        target = parsed(url)
        for hop in range(self.redirects_max + 1):
            answer = await self._hop(wire, method, target, headers, content, timeout_s)
            keeps = _FOLLOWED.get(answer.status)
            where = answer.headers.get("location")
            if hop == self.redirects_max or keeps is None or where is None or not (keeps or method in _SAFE):
                return answer
            following = parsed(str(target.join(where)))
            if target.scheme == "https" and following.scheme == "http":
                raise BlockedError(f"{target.host} redirects from https to http")
            if (following.scheme, following.host, following.port) != (target.scheme, target.host, target.port):
                headers = {name: value for name, value in headers.items() if name in _CARRIED}
            target = following
            wire.begun = False  # the answer to what was sent is known: it did nothing but lead on
        raise AssertionError

    async def _hop(
        self, wire: Wire, method: str, url: URL, headers: dict[str, str], content: bytes, timeout_s: float
    ) -> Answer:
        import httpcore2  # noqa: PLC0415 - an extra

        port = url.port or PORTS[url.scheme]
        self.guard.check_host(url.raw_host.decode("ascii"), port)
        sent = {"host": url.netloc.decode("ascii"), **headers}
        if content or method not in _SAFE:
            sent["content-length"] = str(len(content))
        target = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host.strip(b"[]"), port=url.port, target=url.raw_path
        )
        limits = {"connect": timeout_s * CONNECT_SHARE, "read": timeout_s, "write": timeout_s, "pool": timeout_s}
        pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusting(self.ca), max_keepalive_connections=0, network_backend=wire
        )
        lines = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]
        try:
            async with (
                pool,
                pool.stream(method, target, headers=lines, content=content, extensions={"timeout": limits}) as came,
            ):
                return await self._read(came)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            raise _lost(wire, f"{type(error).__name__}: {error}") from error

    async def _read(self, came: Any) -> Answer:
        """The answer, as much of it as is taken."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in came.headers}
        body = bytearray()
        async for part in came.aiter_stream():
            body += part
            if len(body) > self.answer_bytes_max:
                return Answer(came.status, headers, bytes(body[: self.answer_bytes_max]), whole=False)
        return Answer(came.status, headers, bytes(body), whole=True)

    def _wire(self) -> Wire:
        try:
            from .wire import Wire, resolve  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise LictorError(f"calls over HTTP: {error}", hint="pip install 'lictor[http]'") from error
        return Wire(self.guard, self.resolve or resolve)


def parsed(url: str) -> URL:
    """An address that calls may have: http or https, a host, no password in it.

    Raises:
        BlockedError: it is none.
        LictorError: the extra `lictor[http]` is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LictorError(f"calls over HTTP: {error}", hint="pip install 'lictor[http]'") from error
    try:
        found = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError, ValueError) as error:
        raise BlockedError(f"no address of a web server: {error}") from None
    if found.scheme not in PORTS:
        raise BlockedError(f"the scheme {found.scheme!r} is not spoken", hint="http or https")
    if not found.host:
        raise BlockedError("an address without a host")
    if found.userinfo:
        raise BlockedError(
            f"the address of {found.host} has a password in it", hint="give it as a header, by reference"
        )
    return found


def _lost(wire: Wire, told: str) -> LostError | UnreachableError:
    return LostError(told) if wire.begun else UnreachableError(told)


@lru_cache(maxsize=8)
def _trusting(ca: str | None) -> ssl.SSLContext:
    """What is trusted; made once, because reading all authorities takes milliseconds."""
    return ssl.create_default_context(cafile=ca)
