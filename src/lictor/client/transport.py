"""What both clients need of httpx2: it is imported when the first client is made, and an extra names it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from lictor.errors import LictorError

from .steps import Lost, Reply, Send

#: Connections that one client keeps open at once.
CONNECTIONS_MAX = 32


def httpx() -> ModuleType:
    """The library.

    Raises:
        LictorError: the extra is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LictorError("the client needs the extra http", hint="pip install 'lictor[http]'") from error
    return httpx2


def options(url: str, key: str | None, timeout_s: float, verify: Any) -> dict[str, Any]:
    """What a client of the library is made with. No proxy or credential of the surroundings is used."""
    headers = {"accept": "application/json", "user-agent": "lictor"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    limits = httpx().Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
    return {
        "base_url": url,
        "headers": headers,
        "timeout": timeout_s,
        "verify": verify,
        "limits": limits,
        "trust_env": False,
        "follow_redirects": False,
    }


def request(send: Send, timeout_s: float | None) -> dict[str, Any]:
    """One request in the library's words."""
    headers = dict(send.headers)
    if send.body is not None:
        headers["content-type"] = send.media
    waits_s = None if timeout_s is None else timeout_s + send.wait_s
    connect_s = timeout_s if timeout_s is not None else 5.0
    return {
        "method": send.method,
        "url": send.path,
        "params": dict(send.query),
        "content": send.body,
        "headers": headers,
        "timeout": httpx().Timeout(connect_s, read=waits_s),
    }


def reply(response: Any, body: bytes) -> Reply:
    """What came, in ours."""
    return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def lost(error: Exception, where: str) -> Lost:
    """What became of a request that nobody answered."""
    library = httpx()
    before = (library.ConnectError, library.ConnectTimeout, library.PoolTimeout, library.ProxyError)
    return Lost(f"{where}: {str(error) or type(error).__name__}", sent=not isinstance(error, before))
