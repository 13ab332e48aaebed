"""The proof that facts are in a history that was signed: one document, checked by public keys alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lictor.errors import MalformedError

from .checkpoint import SignedCheckpoint, Trust
from .entry import Fact
from .history import Checked
from .merkle import Spans, entry_hash, includes, inclusion
from .note import PublicKey


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fact, and the hashes that lead from it to the root."""

    fact: Fact
    path: tuple[bytes, ...]


class Proof(msgspec.Struct, frozen=True, tag="proof", tag_field="lictor", forbid_unknown_fields=True):
    """Facts, in one signed tree."""

    #: The signed checkpoint, and those at which keys were handed over, if any.
    checkpoint: str
    facts: tuple[Place, ...]
    handed_over: tuple[str, ...] = ()

    def write(self) -> bytes:
        """As it is passed on."""
        return msgspec.json.encode(self) + b"\n"


def prove(
    facts: Iterable[Fact],
    signed: SignedCheckpoint,
    spans: Spans,
    handed_over: Sequence[SignedCheckpoint] = (),
) -> Proof:
    """The proof of facts that a checkpoint covers."""
    places = tuple(Place(fact, inclusion(fact.seq - 1, signed.checkpoint.size, spans)) for fact in facts)
    return Proof(signed.write(), places, tuple(one.write() for one in handed_over))


def check(written: bytes, keys: Sequence[PublicKey]) -> Checked:
    """Check a proof against public keys; reads nothing else. What it shows of the facts is then what was committed.

    Which decision a fact is about is said in its body alone.
    """
    try:
        proof = msgspec.json.decode(written, type=Proof)
        signed = SignedCheckpoint.read(proof.checkpoint)
        over = [SignedCheckpoint.read(note) for note in proof.handed_over]
    except (msgspec.DecodeError, UnicodeDecodeError, MalformedError) as error:
        return Checked("", 0, 0, (f"no proof: {error}",))
    findings = []
    if proof.write() not in {written, written + b"\n"}:
        findings.append("the proof is not written as it was")
    checkpoint = signed.checkpoint
    trust = Trust(keys, over)
    before = [one for one in over if one.checkpoint.size <= checkpoint.size and one.note != signed.note]
    accepted = [trust.accepts(one) for one in (*before, signed)]
    accepted += [trust.accepts(one) for one in over if one not in before and one.note != signed.note]
    if not all(accepted) or any(one.checkpoint.origin != checkpoint.origin for one in over):
        findings.append("a checkpoint is not signed by a key that was given")
    if not proof.facts:
        findings.append("the proof has no facts")
    for place in proof.facts:
        fact = place.fact
        leaf = entry_hash(fact.entry()) if fact.fault() is None else b""
        if not includes(leaf, fact.seq - 1, checkpoint.size, place.path, checkpoint.root):
            findings.append(f"fact {fact.seq} {fact.fault() or 'is not in the tree that was signed'}")
    return Checked(checkpoint.origin, len(proof.facts), 1 + len(over), tuple(findings))
