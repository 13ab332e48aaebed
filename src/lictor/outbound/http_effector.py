"""An effector that is one HTTP call, in one declaration: what it sends, and what each answer says of the effect.

    charge = http_effector(app, "charge", url="https://pay.example/v1/charges", secret=env("PAY_KEY"),
                           idempotency_header="Idempotency-Key", reconcile="https://pay.example/v1/charges/{key}")

    @app.plan(Payout)
    def pay(payout):
        return charge.action({"to": payout.account, "amount": payout.amount})

What an answer means:

    2xx                            succeeded; the value is its JSON
    202 with `pending`             the world is working on it, under the name that this field of the answer has
    429, and 503 with Retry-After  certainly nothing happened; obeyed by the whole effector
    408, 425                       certainly nothing happened, may be tried again
    other 4xx, 304 to 308, 501     failed(HTTP_404)
    301 to 303, other 5xx          nobody knows
    no connection                  nothing was sent: may be tried again
    time-out or cut after sending  nobody knows

What nobody knows is tried again under the same key where the effector is idempotent; else it is in doubt, `reconcile`
is asked, and after that a person. `meaning` says otherwise for a status of your choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast

import msgspec

from lictor.app import App
from lictor.declarations.effectors import Call, EffectFailed, Effector, pending, report
from lictor.declarations.secret import SecretRef
from lictor.errors import BlockedError, DeclarationError, LostError, SecretMissingError, UnreachableError
from lictor.monitoring.redaction import HIDDEN
from lictor.records import Report
from lictor.runtime.clock import Clock, SystemClock

from .calling import REQUEST_BYTES_MAX, Answer, Outbound
from .template import Template

#: What a status says of the effect.
Meaning = Literal["succeeded", "failed", "retry", "unknown"]

#: Methods that may be sent twice by their own definition.
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_METHODS = _IDEMPOTENT | {"POST", "PATCH"}
#: Our own limit ends a call before the engine's does: it knows whether anything was sent.
_SHARE = 0.95
#: Of an answer that says no, so much is told.
_TOLD = 300
_BUSY, _UNAVAILABLE, _ACCEPTED, _NOT_FOUND, _GONE = 429, 503, 202, 404, 410
_RETRY = frozenset({408, 425})
_UNKNOWN = frozenset({301, 302, 303})
_NEVER = frozenset({304, 305, 306, 307, 308, 501, 505})


class UnclearError(Exception):
    """An answer that does not say whether it happened: the engine holds it in doubt, or tries again under the key."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """What one HTTP effector sends, and how it reads what comes back."""

    name: str
    url: Template
    method: str
    headers: Mapping[str, str | SecretRef]
    idempotency_header: str | None
    meaning: Mapping[int, Meaning]
    pending: str | None
    poll_after_s: float
    keep: tuple[str, ...] | None
    ask: Template | None
    said: Callable[[Any], str | None] | None
    outbound: Outbound
    limit_s: float
    clock: Clock = field(default_factory=SystemClock)

    async def perform(self, call: Call, /, body: Any = None, **fields: str) -> Any:
        """Make the call.

        Raises:
            EffectFailed: it certainly had no effect.
            UnclearError, LostError: nobody knows.
        """
        try:
            url = self.url.filled(fields)
            content = b"" if body is None else _encode(body)
            headers, secrets = self._headers(content)
        except (SecretMissingError, ValueError) as error:
            raise EffectFailed(str(error), code=getattr(error, "code", "ARGUMENTS_INVALID")) from error
        if len(content) > REQUEST_BYTES_MAX:
            raise EffectFailed(f"{len(content)} bytes are too much for one request", code="TOO_LARGE")
        if self.idempotency_header is not None:
            headers[self.idempotency_header] = call.key
        try:
            answer = await self.outbound.call(
                self.method, url, timeout_s=self.limit_s, headers=headers, content=content
            )
        except BlockedError as error:
            raise EffectFailed(error.message, code=error.code) from error
        except UnreachableError as error:
            raise EffectFailed(error.message, code=error.code, retry=True) from error
        except LostError as error:
            raise LostError(_hidden(error.message, secrets)) from None
        return self._read(answer, secrets)

    def _headers(self, content: bytes) -> tuple[dict[str, str], list[str]]:
        """The headers with their secrets, and the secrets."""
        headers, secrets = {"accept": "application/json"}, []
        if content:
            headers["content-type"] = "application/json"
        for name, value in self.headers.items():
            if isinstance(value, SecretRef):
                secret = value.reveal()
                secrets.append(secret)
                if not secret.isprintable() or not secret.isascii():
                    raise ValueError(f"the secret in {value} cannot stand in a header")
                headers[name] = f"Bearer {secret}" if name.lower() == "authorization" and " " not in secret else secret
            else:
                headers[name] = value
        return headers, secrets

    def _read(self, answer: Answer, secrets: list[str]) -> Any:
        """What an answer says of the effect."""
        body = Answer(answer.status, answer.headers, _hidden(answer.body, secrets), answer.whole)
        meaning = self.meaning.get(answer.status) or _meaning(answer.status)
        after_s = self._retry_after_s(answer)
        if meaning == "succeeded":
            return self._value(body)
        told = f"{self.method} was answered {answer.status}"
        if (excerpt := body.body[:_TOLD].decode(errors="replace").strip()) and meaning != "unknown":
            told += f": {excerpt}"
        code = f"HTTP_{answer.status}"
        if answer.status == _UNAVAILABLE and after_s is not None and answer.status not in self.meaning:
            meaning = "retry"
        if meaning == "retry":
            raise EffectFailed(told, code=code, retry=True, retry_after_s=after_s)
        if meaning == "failed":
            raise EffectFailed(told, code=code)
        raise UnclearError(told)

    def _value(self, answer: Answer) -> Any:
        """The value of a success, or that the world is working on it."""
        data = answer.data()
        if answer.status == _ACCEPTED and self.pending is not None:
            ref = data.get(self.pending) if isinstance(data, dict) else None
            if not isinstance(ref, str | int) or ref == "":
                raise UnclearError(f"202, and no {self.pending!r} in the answer to ask by")
            return pending(str(ref), poll_after_s=self.poll_after_s)
        if self.keep is not None:
            return {name: data[name] for name in self.keep if name in data} if isinstance(data, dict) else None
        return data

    def _retry_after_s(self, answer: Answer) -> float | None:
        """The wait that the world asks for, in seconds from now; given as seconds or as a date."""
        text = answer.headers.get("retry-after", "").strip()
        if not text:
            return None
        try:
            seconds = float(text) if text.replace(".", "", 1).isdigit() else self._until_s(text)
        except (ValueError, TypeError, OverflowError):
            return None
        return max(0.0, seconds)

    def _until_s(self, date: str) -> float:
        return parsedate_to_datetime(date).timestamp() - self.clock.wall_us() / 1e6

    async def find(self, call: Call, /, _body: Any = None, **fields: str) -> Report | None:
        """Ask the world what became of it; None where it does not say."""
        if self.ask is None:
            return None
        headers, secrets = self._headers(b"")
        url = self.ask.filled({**fields, "key": call.key, "ref": call.ref or call.key})
        answer = await self.outbound.call("GET", url, timeout_s=self.limit_s, headers=headers)
        found = Answer(answer.status, answer.headers, _hidden(answer.body, secrets), answer.whole)
        if answer.status in {_NOT_FOUND, _GONE}:
            result: str | None = "absent"
        elif not 200 <= answer.status < 300 or answer.status == _ACCEPTED:  # noqa: PLR2004 - the class of success
            return None
        else:
            result = "succeeded" if self.said is None else self.said(found.data())
        if result is None:
            return None
        value = self._kept(found.data()) if result == "succeeded" else None
        code = None if result in {"succeeded", "absent"} else f"SAID_{result.upper()}"
        return report(f"{call.key}:{call.fence}:{result}", final=True, result=result, code=code, value=value)

    def _kept(self, data: Any) -> Any:
        if self.keep is None or not isinstance(data, dict):
            return data
        return {name: data[name] for name in self.keep if name in data}


def http_effector(  # noqa: PLR0913 - each is a declaration of its own
    app: App,
    name: str,
    *,
    url: str,
    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST",
    secret: SecretRef | None = None,
    headers: Mapping[str, str | SecretRef] | None = None,
    idempotency_header: str | None = None,
    meaning: Mapping[int, Meaning] | None = None,
    pending: str | None = None,
    keep: tuple[str, ...] | None = None,
    reconcile: str | None = None,
    said: Callable[[Any], str | None] | None = None,
    outbound: Outbound | None = None,
    timeout_s: float = 10.0,
    **options: Any,
) -> Effector[..., Any]:
    """Declare an effector that is one HTTP call: `made.action(body, account="a-17")` sends `body` as JSON.

    Args:
        app: Where it is declared.
        name: Its name.
        url: Where it goes; `{account}` in its path or query is filled in from the action's arguments, escaped.
        method: How.
        secret: Goes along as `Authorization: Bearer ...`; followed at each call, and told to nobody else.
        headers: More headers; a value may be a reference to a secret.
        idempotency_header: Takes the key, and the other side never does the same twice: so the effector is idempotent.
        meaning: What a status says of the effect, where it is not what the module says.
        pending: With it 202 means that the world is working on it, under the name in this field of the answer.
        keep: The fields of the answer that are kept as the value; all by default.
        reconcile: Where to ask what became of it, by GET; `{key}` and `{ref}` are filled in, too. 404: never seen.
        said: What the answer to that says: `succeeded`, `failed`, `cancelled`, `expired`, `absent`, or None.
        outbound: Where calls may go and how much they may bring; the public internet by default.
        timeout_s: For a call.
        **options: Of `App.effector`: `slots`, `extra_work`, `resolve_within_s`, `hedge` and the others.

    Raises:
        DeclarationError: no call can be made from these, or a secret would go over the wire in clear text.
    """
    outbound, every = outbound or Outbound(), dict(headers or {})
    if secret is not None:
        every["authorization"] = secret
    asks = None if reconcile is None else _checked(name, reconcile, every, outbound)
    given = (method, every, idempotency_header, meaning or {}, pending, options.get("poll_after_s", 5.0), keep)
    made = HttpCall(name, _checked(name, url, every, outbound), *given, asks, said, outbound, timeout_s * _SHARE)
    return _declared(app, made, {"timeout_s": timeout_s, **options})


def _declared(app: App, made: HttpCall, options: Mapping[str, Any]) -> Effector[..., Any]:
    if made.method not in _METHODS:
        raise DeclarationError(f"effector {made.name!r}: method {made.method!r}", hint=", ".join(sorted(_METHODS)))
    idempotent = made.idempotency_header is not None or made.method in _IDEMPOTENT
    declare = app.effector(idempotent=idempotent, name=made.name, **options)
    effector = cast("Effector[..., Any]", declare(made.perform))
    if made.ask is not None:
        effector.reconcile(made.find)
    return effector


def _checked(name: str, url: str, headers: Mapping[str, str | SecretRef], outbound: Outbound) -> Template:
    """An address that calls can be made to with these headers."""
    try:
        made = Template(url)
    except ValueError as error:
        raise DeclarationError(f"effector {name!r}: {error}") from None
    bare = made.scheme == "http" and not outbound.guard.opens(made.host, made.port)
    if bare and any(isinstance(value, SecretRef) for value in headers.values()):
        raise DeclarationError(
            f"effector {name!r}: a secret would go to {made.host} in clear text",
            hint=f'use https, or allow "{made.host}:{made.port}" in the guard',
        )
    return made


def _meaning(status: int) -> Meaning:
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return "succeeded"
    if status == _BUSY or status in _RETRY:
        return "retry"
    return "failed" if 400 <= status < 500 or status in _NEVER else "unknown"  # noqa: PLR2004 - the class of refusals


def _hidden(said: Any, secrets: list[str]) -> Any:
    """What was said, where it repeats a secret without it."""
    for secret in sorted(secrets, key=len, reverse=True):
        said = (
            said.replace(secret.encode(), HIDDEN.encode()) if isinstance(said, bytes) else said.replace(secret, HIDDEN)
        )
    return said


_encode = msgspec.json.Encoder(decimal_format="string").encode
