"""From what a source sends to a signal, and from a verdict to a status.

    202  admitted, held or deferred: it is durable and goes on; Location says where to look
    200  the same, with the outcome that was waited for, or that a decision of the same key has had before
    422  refused: it was understood, judged and recorded, and nothing was done or will be
    429  shed: what its source or tenant may use by its deadline is taken; Retry-After
    503  shed: the node is full or takes nothing now, from anybody; Retry-After

Why a refusal is not a 2xx: all that looks at the status alone (`curl --fail`, `raise_for_status`, a proxy's log, a
model that reads "200 OK") would take it for done, and that is the one mistake that must not be made. All five have the
same body, with the verdict and each gate's ruling; what is no verdict is a problem (problem.py). An outcome that failed
is a 200 still: the status tells of the decision, `outcome` of the world.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from lictor.errors import Code, NotFoundError
from lictor.records import Priority, Signal
from lictor.runtime.ids import id_number
from lictor.surfaces import shapes
from lictor.surfaces.access.principal import Principal
from lictor.surfaces.sight import Sight, record_of
from lictor.surfaces.tracing import traceparent

from .answers import Answer, Pairs, encode
from .problem import HttpError, retry_after
from .route import Asked

#: An outcome is waited for so long at most; ask again, or follow the outcome feed.
WAIT_S_MAX = 300.0

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Key = Annotated[str, Meta(min_length=1, max_length=512)]
#: Thirteen letters of five bits; the first of them below 8, because an id has 63.
Id = Annotated[str, Meta(pattern="^[0-7][0-9a-hj-km-np-tv-z]{12}$")]
#: As people write it: 2500 or 12.50.
Amount = Annotated[str, Meta(pattern=r"^-?[0-9]{1,17}([.][0-9]{1,6})?$")]
#: Up to the year 2255, which is as far as JSON numbers are exact everywhere.
Micros = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Wait = Annotated[float, Meta(ge=0, le=WAIT_S_MAX)]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may stand behind the question mark."""


class Waiting(Query, frozen=True, kw_only=True):
    """With `wait_s`, the answer comes with the outcome, if that comes within so many seconds."""

    wait_s: Wait | None = None


class Submit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One decision as its source sends it.

    `source` and `tenant` choose among those that the credential is for; without them it has to be for one alone.
    """

    kind: Name
    payload: msgspec.Raw
    source: Name | None = None
    tenant: Name | None = None
    key: Key | None = None
    version: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    priority: Literal["urgent", "high", "normal", "low"] | None = None
    expires_in_s: Annotated[float, Meta(gt=0, le=316_224_000)] | None = None
    deadline_us: Micros | None = None
    not_before_us: Micros | None = None
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    expects: dict[str, Any] | None = None
    parent: Id | None = None
    supersedes: Id | None = None
    sent_us: Micros | None = None


_PRIORITY = {each.name.lower(): int(each) for each in Priority}
_TOO_MANY = Code.INFEASIBLE


async def signal_of(asked: Asked, sent: Submit, key: str | None) -> Signal:
    """The signal that the one who asks may send; `key` is the one of the header.

    Raises:
        DeniedError: not as that source or tenant.
        NotFoundError: its parent or what it supersedes is not there for them.
        HttpError: the body and the header name different keys.
    """
    if key is None:
        key = sent.key
    elif sent.key is not None and sent.key != key:
        raise HttpError(422, "MALFORMED", "the header Idempotency-Key and the body name different keys")
    signal = plain_signal(asked.principal, sent, key)
    if (came := asked.headers.raw.get(b"traceparent")) is not None:
        signal = msgspec.structs.replace(signal, trace=traceparent(came.decode("latin-1")))
    if sent.parent is None and sent.supersedes is None:
        return signal
    return await related(asked, sent, signal)


def plain_signal(principal: Principal, sent: Submit, key: str | None) -> Signal:
    """The signal without what it is related to.

    Raises:
        DeniedError: not as that source or tenant.
    """
    return Signal(
        kind=sent.kind,
        payload=bytes(sent.payload),
        source=principal.source_for(sent.source),
        tenant=principal.tenant_for(sent.tenant),
        key=key,
        version=sent.version,
        priority=priority_of(sent.priority),
        expires_in_s=sent.expires_in_s,
        deadline_us=sent.deadline_us,
        not_before_us=sent.not_before_us,
        confidence=sent.confidence,
        expects=sent.expects,
        sent_us=sent.sent_us,
    )


async def related(asked: Asked, sent: Submit, signal: Signal) -> Signal:
    """The same with its parent and what it supersedes.

    Raises:
        NotFoundError: they are not there for the one who asks.
    """
    parent, supersedes = await _seen(asked, sent.parent), await _seen(asked, sent.supersedes)
    return msgspec.structs.replace(signal, parent=parent, supersedes=supersedes)


async def _seen(asked: Asked, text: str | None) -> int | None:
    if text is None:
        return None
    number = id_number(text)
    found = await record_of(asked.node.journal, number) if number is not None and number < 1 << 63 else None
    if number is None or found is None or not Sight(asked.principal).sees(found.source, found.tenant):
        raise NotFoundError(f"no decision {text}")
    return number


def priority_of(name: str | None) -> int | None:
    """The class of a name."""
    return None if name is None else _PRIORITY[name]


def status_of(told: shapes.Submitted) -> int:
    """The status of a verdict."""
    result = told["verdict"]["result"]
    if result == "refused":
        return 422
    if result == "shed":
        return 429 if told["verdict"]["code"] == _TOO_MANY else 503
    return 202 if told["outcome"] is None else 200


def judged(told: shapes.Submitted, headers: Pairs = ()) -> Answer:
    """The answer to one decision."""
    if told["id"] is not None:
        headers = (*headers, (b"location", b"/v1/decisions/" + told["id"].encode()))
    again_s = told["verdict"]["retry_after_s"]
    if again_s is not None:
        headers = (*headers, retry_after(again_s))
    return Answer(status_of(told), encode(told), headers=headers)


def key_of(given: str | None) -> str | None:
    """The key that a header Idempotency-Key names, as a quoted string of RFC 9651 or bare.

    Raises:
        HttpError: it names none.
    """
    if given is None:
        return None
    key = given.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if not 0 < len(key) <= 512:  # noqa: PLR2004 - what a key has (inputs/envelope.py)
        raise HttpError(400, "MALFORMED", "the header Idempotency-Key has 1 to 512 characters")
    return key


def wait_of(asked: Asked) -> tuple[float | None, Pairs]:
    """How long to wait for the outcome, by `?wait_s=` or the header `Prefer: wait=S`; and what to say of it."""
    if asked.query is not None and asked.query.wait_s is not None:
        return asked.query.wait_s, ()
    prefer = asked.headers.get("prefer")
    if prefer is None:
        return None, ()
    for part in prefer.replace(";", ",").split(","):
        name, _, value = part.partition("=")
        if name.strip().lower() == "wait" and (seconds := value.strip().strip('"')).isascii() and seconds.isdigit():
            wait_s = min(float(seconds[:9]), WAIT_S_MAX)
            return wait_s, ((b"preference-applied", b"wait=%d" % wait_s),)
    return None, ()
