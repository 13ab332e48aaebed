"""How a fact is stored: a compact body, and a payload apart, which can be erased while history stays provable.

The payload of an `Admit` is the decision's content, of a `Close` the outcome's value, of a `Refer` the reference's
value. The leaf of a fact is SHA-256(event || body || payload digest); the payload digest is SHA-256(salt || payload),
or 32 zero bytes where there is no payload. A commit's chain is SHA-256(previous chain || its leaves) (I14).
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from lictor.errors import JournalDamagedError
from lictor.records import Decision, Outcome

from . import port

_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_replace = msgspec.structs.replace
_fields = msgspec.structs.astuple
#: Where in a decision its payload stands, and in an outcome its value.
_PAYLOAD_AT = Decision.__struct_fields__.index("payload")
_VALUE_AT = Outcome.__struct_fields__.index("value")

#: event name <-> verb type; names are stored, so they never change. `resume` is the `Admit` of a held or deferred
#: decision.
EVENTS: dict[str, type[port.Verb]] = {
    "admit": port.Admit,
    "start": port.Start,
    "progress": port.Progress,
    "close": port.Close,
    "undo": port.Undo,
    "approve": port.Approve,
    "cancel": port.Cancel,
    "halt": port.SetHalt,
    "limit": port.SetLimit,
    "grant": port.SetGrant,
    "standing": port.SetStanding,
    "mark": port.Mark,
    "learn": port.Learn,
    "quarantine": port.Quarantine,
    "shed": port.Shed,
    "refer": port.Refer,
    "declare": port.Declare,
    "epoch": port.Epoch,
    "resume": port.Admit,
}
NAMES: dict[type[port.Verb], str] = {verb: name for name, verb in EVENTS.items() if name != "resume"}
_DECODERS = {name: msgspec.msgpack.Decoder(verb).decode for name, verb in EVENTS.items()}
#: What each leaf begins with.
PREFIXES = {name: name.encode() for name in EVENTS}

NO_PAYLOAD = bytes(32)
#: What the first commit is chained to.
GENESIS = bytes(32)
SALT_BYTES = 16


def encode(verb: port.Verb) -> tuple[bytes, bytes]:
    """(body, payload) of a fact."""
    kind = type(verb)
    if kind is port.Admit:
        d = verb.decision  # type: ignore[attr-defined]
        fields = _fields(d)
        bare = (*fields[:_PAYLOAD_AT], b"", *fields[_PAYLOAD_AT + 1 :])
        return _encode((bare, verb.verdict, verb.plan, verb.lease)), d.payload  # type: ignore[attr-defined]
    if kind is port.Close and verb.outcome.value is not None:  # type: ignore[attr-defined]
        o = verb.outcome  # type: ignore[attr-defined]
        fields = _fields(o)
        outcome = (*fields[:_VALUE_AT], None, *fields[_VALUE_AT + 1 :])
        body = _encode((verb.decision, verb.event, outcome, verb.acts))  # type: ignore[attr-defined]
        return body, _encode(o.value)
    if kind is port.Refer:
        return _encode((verb.name, verb.version, verb.at_us, b"")), verb.value  # type: ignore[attr-defined]
    return _encode(verb), b""


def decode(event: str, body: bytes, payload: bytes) -> port.Verb:
    """The fact that `encode` stored; an erased payload comes back empty.

    Raises:
        JournalDamagedError: the bytes are not of this event.
    """
    try:
        verb: port.Verb = _DECODERS[event](body)
        if not payload:
            return verb
        if isinstance(verb, port.Admit):
            return _replace(verb, decision=_replace(verb.decision, payload=payload))
        if isinstance(verb, port.Close):
            return _replace(verb, outcome=_replace(verb.outcome, value=msgspec.msgpack.decode(payload)))
        if isinstance(verb, port.Refer):
            return _replace(verb, value=payload)
    except (KeyError, msgspec.DecodeError) as error:
        raise JournalDamagedError(f"a stored {event} cannot be read: {error}") from error
    return verb


def leaf(event: str, body: bytes, digest: bytes) -> bytes:
    """The hash that history commits to; `digest` is the payload's."""
    return sha256(PREFIXES[event] + body + digest).digest()


def payload_digest(salt: bytes, payload: bytes) -> bytes:
    """Salted, so that an erased payload cannot be guessed from it."""
    return sha256(salt + payload).digest() if payload else NO_PAYLOAD


def chain(previous: bytes, leaves: bytes) -> bytes:
    """The running hash after one more commit."""
    return sha256(previous + leaves).digest()
