"""How a fact is stored: a compact body, and a payload kept apart so that it can be erased while the history stays provable.

The body of an `Admit` leaves out the decision's content, the body of a `Close` the outcome's value: both go to the payload.
The leaf of a fact is SHA-256(event || body || SHA-256(salt || payload)); a commit's chain is SHA-256(previous chain || its leaves) (I14).
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from lictor.errors import JournalDamagedError

from . import port

_encode = msgspec.msgpack.Encoder(decimal_format="string").encode

#: event name <-> verb type; names are stored, so they never change.
EVENTS: dict[str, type[port.Verb]] = {
    "admit": port.Admit, "start": port.Start, "progress": port.Progress, "close": port.Close, "undo": port.Undo,
    "approve": port.Approve, "cancel": port.Cancel, "halt": port.SetHalt, "limit": port.SetLimit, "learn": port.Learn,
    "quarantine": port.Quarantine, "shed": port.Shed, "refer": port.Refer, "declare": port.Declare, "epoch": port.Epoch,
}
NAMES: dict[type[port.Verb], str] = {verb: name for name, verb in EVENTS.items()}
_DECODERS = {name: msgspec.msgpack.Decoder(verb).decode for name, verb in EVENTS.items()}


def encode(verb: port.Verb) -> tuple[str, bytes, bytes]:
    """(event name, body, payload) of a fact."""
    if type(verb) is port.Admit:
        d = verb.decision
        bare = (
            d.id, d.kind, d.version, d.tenant, d.source, d.key, d.digest, b"", d.received_us, d.deadline_us, d.priority,
            d.order_key, d.not_before_us, d.confidence, d.expects, d.parent, d.depth, d.supersedes, d.amended_from,
            d.submitted_digest,
        )
        return "admit", _encode((bare, verb.verdict, verb.plan, verb.lease)), d.payload
    if type(verb) is port.Close and verb.outcome.value is not None:
        o = verb.outcome
        outcome = (o.decision, o.result, o.at_us, o.code, None, o.settled, o.attempts, o.started_us, o.detail)
        return "close", _encode((verb.decision, verb.event, outcome, verb.acts)), _encode(o.value)
    return NAMES[type(verb)], _encode(verb), b""


def decode(event: str, body: bytes, payload: bytes) -> port.Verb:
    """The fact that `encode` stored; an erased payload comes back empty.

    Raises:
        JournalDamagedError: the bytes are not of this event.
    """
    try:
        verb: port.Verb = _DECODERS[event](body)
        if payload and isinstance(verb, port.Admit):
            return msgspec.structs.replace(verb, decision=msgspec.structs.replace(verb.decision, payload=payload))
        if payload and isinstance(verb, port.Close):
            value = msgspec.msgpack.decode(payload)
            return msgspec.structs.replace(verb, outcome=msgspec.structs.replace(verb.outcome, value=value))
    except (KeyError, msgspec.DecodeError) as error:
        raise JournalDamagedError(f"a stored {event} cannot be read: {error}") from error
    return verb


def leaf(event: str, body: bytes, payload_digest: bytes) -> bytes:
    """The hash that history commits to."""
    return sha256(event.encode() + body + payload_digest).digest()


def payload_digest(salt: bytes, payload: bytes) -> bytes:
    """Salted, so that an erased payload cannot be guessed from it."""
    return sha256(salt + payload).digest()


def chain(previous: bytes, leaves: list[bytes]) -> bytes:
    """The running hash after one more commit."""
    return sha256(previous + b"".join(leaves)).digest()
