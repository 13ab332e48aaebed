"""CloudEvents 1.0 as decisions, at `/v1/cloudevents`: structured, binary and batched content mode.

An event's `type` is the kind, or ends with it after the last dot (`com.example.Payout`). `source` and `id` together are
its identity and so the key, unless the extension `lictorkey` gives another. `time` is when it was sent. The event's
`source` says where it came from and is trusted with nothing: who decides follows from the credential, and
`lictorsource` and `lictortenant` choose among those that the credential is for. `lictorpriority` is the class.

One event is answered as a decision is (submitting.py); of a batch each event is, in a list of the same order.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from lictor.declarations.declared import Declared
from lictor.entry import Handle
from lictor.errors import LictorError, MalformedError
from lictor.records import Signal
from lictor.surfaces import shapes
from lictor.surfaces.access.principal import Permission

from . import submitting
from .answers import Response, answer
from .headers import Headers, media_of
from .problem import HttpError, Problem, told_as
from .route import Asked, Route

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
BATCH_MAX = 1_000
BATCH_BYTES_MAX = 8 << 20

Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


#: Stands where an event has no data.
NOTHING = msgspec.Raw(b"null")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event; extensions that are not named here are not read."""

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    time: Annotated[datetime, Meta(tz=True)] | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    data: msgspec.Raw = msgspec.field(default_factory=lambda: NOTHING)
    data_base64: str | None = None
    lictorkey: submitting.Key | None = None
    lictorsource: submitting.Name | None = None
    lictortenant: submitting.Name | None = None
    lictorpriority: Literal["urgent", "high", "normal", "low"] | None = None


class Answered(TypedDict):
    """The answer to one event of a batch: a verdict, or what was wrong with the event."""

    answer: NotRequired[shapes.Submitted]
    error: NotRequired[Problem]


class Batch(TypedDict):
    """The answers to a batch, in its order."""

    answers: list[Answered]


#: Each of a batch is answered by itself, so that one that is none spoils nothing.
Events = Annotated[list[Any], Meta(max_length=BATCH_MAX)]
_one = msgspec.json.Decoder(Event).decode
_many = msgspec.json.Decoder(Annotated[list[msgspec.Raw], Meta(max_length=BATCH_MAX)]).decode


async def cloudevents(asked: Asked) -> Response:
    """One event, or a batch."""
    media = media_of(asked.headers.raw.get(b"content-type"))
    body = await asked.content()
    if media == BATCHED:
        return await _batch(asked, body)
    event, data = (_read(body), None) if media == STRUCTURED else (_binary(asked.headers), body)
    signal = _signal(asked, event, data)
    wait_s, headers = submitting.wait_of(asked)
    handle = await asked.node.submit(signal)
    return submitting.judged(await asked.requests.submitted(handle, wait_s), headers)


async def _batch(asked: Asked, body: bytes) -> Response:
    try:
        events = _many(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"the body is no batch of at most {BATCH_MAX} events: {error}") from None
    given: list[asyncio.Future[Handle] | LictorError] = []
    for event in events:
        try:
            given.append(asked.node.offer(_signal(asked, _read(event))))
        except LictorError as error:
            given.append(error)
    return answer({"answers": [await _answered(asked, each) for each in given]})


async def _answered(asked: Asked, given: asyncio.Future[Handle] | LictorError) -> Answered:
    try:
        if isinstance(given, LictorError):
            raise given
        return {"answer": await asked.requests.submitted(await given)}
    except LictorError as error:
        return {"error": told_as(error)}


def _read(body: bytes | msgspec.Raw) -> Event:
    try:
        return _one(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"no CloudEvent 1.0: {error}") from None


def _binary(headers: Headers) -> Event:
    """The attributes of an event whose data is the body: headers that begin with `ce-`, percent-encoded."""
    found: dict[str, Any] = {}
    for name, value in headers.raw.items():
        if name.startswith(b"ce-"):
            found[name[3:].decode("latin-1")] = unquote(value.decode("latin-1"))
    if not found:
        raise HttpError(
            415,
            "MEDIA_TYPE",
            "this is no CloudEvent",
            hint=f"send {STRUCTURED}, {BATCHED}, or JSON with headers ce-specversion, ce-id, ce-source and ce-type",
        )
    found.pop("data", None)
    found.pop("data_base64", None)
    found["datacontenttype"] = headers.get("content-type")
    try:
        return msgspec.convert(found, Event, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedError(f"no CloudEvent 1.0: {error}") from None


def _signal(asked: Asked, event: Event, data: bytes | None = None) -> Signal:
    """The signal that an event is."""
    principal = asked.principal
    return Signal(
        kind=_kind(asked.node.app, event.type),
        payload=_payload(event) if data is None else _json_only(event, data or b"null"),
        source=principal.source_for(event.lictorsource),
        tenant=principal.tenant_for(event.lictortenant),
        key=event.lictorkey or key_of(event),
        priority=submitting.priority_of(event.lictorpriority),
        sent_us=None if event.time is None else max(0, round(event.time.timestamp() * 1e6)),
    )


def _kind(app: Declared, type_: str) -> str:
    """The kind that an event's type names; the type itself where there is none, which is then refused as such."""
    last = type_.rpartition(".")[2]
    return type_[:200] if type_ in app.kinds or last not in app.kinds else last


def key_of(event: Event) -> str:
    """Source and id identify an event; both as they are where they fit into a key."""
    key = f"{event.source}#{event.id}"
    return key if len(key) <= 512 else "ce:" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()  # noqa: PLR2004


def _payload(event: Event) -> bytes:
    if event.data_base64 is not None:
        if event.data is not NOTHING:
            raise HttpError(422, "MALFORMED", "an event has data or data_base64, not both")
        try:
            return _json_only(event, b64decode(event.data_base64, validate=True))
        except (Error, ValueError) as error:
            raise HttpError(422, "MALFORMED", f"data_base64 is not base64: {error}") from None
    return _json_only(event, bytes(event.data))


def _json_only(event: Event, data: bytes) -> bytes:
    media = media_of(None if event.datacontenttype is None else event.datacontenttype.encode("latin-1", "replace"))
    if media is not None and media != "application/json" and not media.endswith("+json"):
        raise HttpError(422, "MEDIA_TYPE", f"data of type {media:.100} is not read here", hint="send JSON as its data")
    return data


ROUTES = (
    Route(
        "POST", "/v1/cloudevents", Permission.SUBMIT, cloudevents,
        "Submit CloudEvents 1.0: structured, batched, or binary (JSON as the body, attributes as headers ce-*)",
        query=submitting.Waiting, gives=shapes.Submitted, status=202, takes={STRUCTURED: Event, BATCHED: Events},
        others=True, body_bytes_max=BATCH_BYTES_MAX,
        also={200: (shapes.Submitted, Batch), 400: None, 422: shapes.Submitted, 429: shapes.Submitted,
              503: shapes.Submitted},
    ),
)  # fmt: skip
