"""Webhooks in, at `/hooks/{name}`: what an App has declared. The credential is the signature, and nothing else is.

202  decided (also refused: it is decided), kept in quarantine, or news of an action that was taken
204  of no interest
401  not signed as it must be, or too old; counted
404  no such webhook, or news of an action that nobody knows (yet: sent again later it may be)
503  not now, with Retry-After; nothing was kept, and it is to be sent again
"""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from lictor.declarations.outside import Resolve, Webhook, WebhookEvent
from lictor.declarations.plain import told
from lictor.entry import Handle
from lictor.errors import DeclarationError, LictorError, MalformedError, SecretMissingError, SignatureError
from lictor.node import Node
from lictor.outbound.signature import check_github, check_standard, secrets_of
from lictor.records import Signal
from lictor.runtime.ids import id_text
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.tracing import traceparent
from lictor.surfaces.views import verdict_data

from .answers import Answer, Response, answer
from .problem import HttpError
from .route import Asked, Route

#: News that was taken and is remembered, so that the same again is answered likewise; a restart forgets it.
NEWS_MAX = 10_000
#: When a sender is to come again whose message could not be taken.
AGAIN_S = 30.0

_news: WeakKeyDictionary[Node, OrderedDict[tuple[str, str], None]] = WeakKeyDictionary()


async def webhook(asked: Asked) -> Response:
    """A message from outside."""
    node, name = asked.node, asked.path["name"]
    hook = node.app.webhooks.get(name)
    if hook is None:
        raise HttpError(404, "NOT_FOUND", f"there is no webhook {name!r:.80}")
    body = await asked.content()
    headers = {given: value for given, value in asked.headers.items() if given not in {"authorization", "cookie"}}
    try:
        id_ = _checked(hook, headers, body, node.clock.wall_us() / 1e6)
    except SignatureError as error:
        _count(node, hook, "forged")
        raise HttpError(401, error.code, error.message, hint="sign it with the secret that was agreed") from None
    except SecretMissingError as error:
        _count(node, hook, "failed")
        node.pipeline.monitoring.note("webhook_failed", webhook=name, error=told(error))
        raise HttpError(503, error.code, "it cannot be checked now", retry_after_s=AGAIN_S) from None
    try:
        made = _made(node, hook, id_, headers, body)
    except Exception as error:  # noqa: BLE001 - `to` is user code; what it cannot read is kept for a person
        return _decided(node, hook, await _put_aside(node, hook, _key(hook, id_, body), body, told(error)))
    if made is None:
        _count(node, hook, "ignored")
        return Answer(204)
    if isinstance(made, Resolve):
        return await _resolved(node, hook, _key(hook, id_, body), made)
    return _decided(node, hook, await node.submit(made))


def _checked(hook: Webhook, headers: dict[str, str], body: bytes, now_s: float) -> str:
    """The id of a message that is signed by one of the secrets, as they are now."""
    found: list[bytes] = []
    missing: SecretMissingError | None = None
    for ref in hook.secrets:
        try:
            text = ref.reveal()
        except SecretMissingError as error:
            missing = error  # while one is replaced, the other is enough
            continue
        found += secrets_of(text) if hook.scheme == "standard" else [text.encode()]
    if not found and missing is not None:
        raise missing
    if hook.scheme == "github":
        return check_github(found, headers, body)
    return check_standard(found, headers, body, now_s)


def _key(hook: Webhook, id_: str, body: bytes) -> str:
    """What a message is done once by: what its signature covers. GitHub's covers the body, and not the delivery."""
    return f"sha256:{sha256(body).hexdigest()}" if hook.scheme == "github" else id_


def _made(node: Node, hook: Webhook, id_: str, headers: dict[str, str], body: bytes) -> Signal | Resolve | None:
    """What the App makes of a message.

    Raises:
        Exception: whatever its function raises; or it makes nothing that can be submitted.
    """
    data = json.loads(body, parse_constant=_no_number) if body else None
    type_ = headers.get("x-github-event") if hook.scheme == "github" else None
    if type_ is None and isinstance(data, dict) and isinstance(data.get("type"), str):
        type_ = data["type"]
    made = hook.to(WebhookEvent(hook.name, id_, type_, data, body, headers))
    if made is None or isinstance(made, Resolve):
        return made
    if not isinstance(made, Signal):
        try:
            made = node.signal(made)
        except DeclarationError as error:
            raise MalformedError(error.message, hint=error.hint) from None
    # Who decides, and for whom, is what the secret stands for, never what the message says.
    return msgspec.structs.replace(
        made,
        source=hook.source,
        tenant=hook.tenant,
        key=_key(hook, id_, body),
        position=f"webhook:{hook.name}",
        parent=None,
        trace=traceparent(headers.get("traceparent")),
    )


def _no_number(text: str) -> Any:
    raise MalformedError(f"{text} is no JSON")


async def _put_aside(node: Node, hook: Webhook, id_: str, body: bytes, why: str) -> Handle:
    """Keep what could not be understood, for a person."""
    signal = Signal(
        source=hook.source, tenant=hook.tenant, kind=hook.kind, payload=body, key=id_, position=f"webhook:{hook.name}"
    )
    return await node.put_aside(signal, why)


def _decided(node: Node, hook: Webhook, handle: Handle) -> Response:
    """What became of a message that was submitted or put aside."""
    verdict = handle.verdict
    entry = next((r.seen["quarantine"] for r in verdict.rulings if r.seen and "quarantine" in r.seen), None)
    if verdict.result == "shed":
        _count(node, hook, "shed")
        raise HttpError(
            503, verdict.code or "SHED", "not now", hint="send it again later", retry_after_s=verdict.retry_after_s
        )
    if handle.id is None and entry is None:
        _count(node, hook, "failed")
        why = next((str(r.seen["why"]) for r in verdict.rulings if r.seen and "why" in r.seen), "it cannot be taken")
        raise HttpError(422, verdict.code or "REFUSED", why)
    _count(node, hook, "duplicate" if handle.duplicate else "quarantined" if entry is not None else "decided")
    said = {
        "id": None if handle.id is None else id_text(handle.id),
        "duplicate": handle.duplicate,
        "verdict": verdict_data(verdict),
        "quarantine": entry,
    }
    return answer(said, 202)


async def _resolved(node: Node, hook: Webhook, id_: str, made: Resolve) -> Response:
    """News of an action: taken once, whoever repeats it."""
    known = _news.setdefault(node, OrderedDict())
    if (hook.name, id_) in known:
        _count(node, hook, "duplicate")
        return answer({"ref": made.ref, "new": False}, 202)
    news = msgspec.structs.replace(made.report, id=f"webhook:{hook.name}:{id_}")
    try:
        new = await node.resolve(made.ref, news)
    except LictorError:
        _count(node, hook, "unknown")
        raise
    known[hook.name, id_] = None
    if len(known) > NEWS_MAX:
        known.popitem(last=False)
    _count(node, hook, "resolved" if new else "duplicate")
    return answer({"ref": made.ref, "new": new}, 202)


def _count(node: Node, hook: Webhook, what: str) -> None:
    node.pipeline.monitoring.counts.outside.add(("webhook", hook.name, what))


ROUTES = (
    Route(
        "POST",
        "/hooks/{name}",
        Permission.PUBLIC,
        webhook,
        "A signed webhook of a declared sender",
        status=202,
        also={204: Any, 401: None, 422: None, 503: None},
    ),
)
