"""Sends one signed message (Standard Webhooks) to an address, through the guard, and says whether it was taken."""

from __future__ import annotations

from typing import Any

import msgspec

from lictor.declarations.secret import SecretRef
from lictor.errors import DeclarationError, LictorError
from lictor.monitoring.logbook import stamp
from lictor.outbound import Guard, Outbound
from lictor.outbound.signature import secrets_of, signed
from lictor.outbound.template import Template
from lictor.runtime.clock import Clock

#: First wait before a message is sent again, in seconds; it doubles from there.
BASE_S = 1.0
_TAKEN = range(200, 300)


class NotTakenError(LictorError):
    """The other side has not taken a message."""

    code = "NOT_TAKEN"

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        #: It asks to be left alone for so long.
        self.after_s = after_s


class Post:
    """Where messages go.

    Raises:
        DeclarationError: that is no address of a web server, or messages would go there in clear text.
    """

    def __init__(
        self, url: str, secret: SecretRef, allow: tuple[str, ...], clock: Clock, *, timeout_s: float = 10.0
    ) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._timeout_s = timeout_s
        guard = Guard(allow)
        try:
            where = Template(url)
        except ValueError as error:
            raise DeclarationError(str(error)) from None
        if where.scheme == "http" and not guard.opens(where.host, where.port):
            hint = f'use https, or allow "{where.host}:{where.port}"'
            raise DeclarationError(f"what is sent to {where.host} would go in clear text", hint=hint)
        self._outbound = Outbound(guard, answer_bytes_max=4 << 10)

    async def send(self, id_: str, type_: str, at_us: int, data: Any) -> None:
        """Send a message once; `id_` is the same each time that it is sent.

        Raises:
            LictorError: it was not taken, as far as is known.
        """
        body = _encode({"type": type_, "timestamp": stamp(at_us), "data": data})
        keys = secrets_of(self._secret.reveal())
        headers = signed(keys, id_, self._clock.wall_us() // 1_000_000, body)
        answer = await self._outbound.call(
            "POST",
            self._url,
            timeout_s=self._timeout_s,
            headers={"content-type": "application/json", **headers},
            content=body,
        )
        if answer.status not in _TAKEN:
            after = answer.headers.get("retry-after", "")
            after_s = float(after) if after.isascii() and after.isdigit() else None
            raise NotTakenError(f"it was answered {answer.status}", after_s)


def wait_s(failures: int, draw: float, most_s: float, error: LictorError) -> float:
    """How long to wait after so many failures in a row; `draw` from 0 to 1 keeps those that failed together apart."""
    asked = getattr(error, "after_s", None) or 0.0
    backoff = min(most_s, BASE_S * 2.0 ** min(failures - 1, 30))
    return float(min(most_s, max(asked, backoff * (0.5 + draw / 2))))


_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode
