"""What proves a history, as requests: checkpoints, what they cover, and the proof of one decision."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, ClassVar

import msgspec

from lictor.audit.merkle import consistency
from lictor.audit.proof import Proof, prove
from lictor.audit.tree import Kept, Tree
from lictor.errors import DeniedError, LictorError, NotFoundError
from lictor.journal.port import Journal
from lictor.node import Node

from . import asks
from .access.principal import Permission
from .shapes import Audit, Checkpoint, Consistency
from .sight import Sight

#: Checkpoints of one answer, at most.
CHECKPOINTS_MAX = 1_000
_NUMBER_MAX = (1 << 63) - 1


class NotKeptError(LictorError):
    """This store keeps no tree over its history."""

    code = "NOT_KEPT"


def tree_of(journal: Journal) -> Tree:
    """The tree over a journal's history.

    Raises:
        NotKeptError: it has none.
    """
    if journal.tree is None:
        raise NotKeptError("in memory no history is kept that could be proved", hint="give the node a journal file")
    return journal.tree


def checkpoint_data(kept: Kept) -> Checkpoint:
    """A checkpoint as lists show it."""
    checkpoint = kept.signed.checkpoint
    return {
        "number": kept.number,
        "size": checkpoint.size,
        "at_us": kept.at_us,
        "root": b64encode(checkpoint.root).decode(),
        "note": kept.signed.write(),
    }


async def proof_of(journal: Journal, decision: int, *, content: bool) -> Proof:
    """The proof of a decision's facts in the newest checkpoint; what came after that is not in it.

    Raises:
        NotKeptError: the journal has no tree.
        LictorError: `NOT_SIGNED`, no checkpoint covers it yet.
        NotFoundError: it is archived.
    """
    tree, seqs = tree_of(journal), [row.seq for row in await journal.history(decision)]
    if not seqs:
        raise NotFoundError("its facts are archived", hint="export the history, or look into the archive")
    newest = tree.newest()
    if newest is None or newest.signed.checkpoint.size < seqs[0]:
        error = LictorError("no checkpoint covers it yet", hint="ask again in a minute")
        error.code = "NOT_SIGNED"
        raise error
    covered = [seq for seq in seqs if seq <= newest.signed.checkpoint.size]
    facts = [next(tree.facts(seq, seq, "facts" if content else "leaves")) for seq in covered]
    return prove(facts, newest.signed, tree.spans, [kept.signed for kept in tree.handed_over()])


class Proving:
    """The requests, for one node and one who asks."""

    __slots__ = ()

    ASKS: ClassVar[dict[str, type[asks.Ask]]] = {
        "proof": asks.Proof,
        "audit": asks.Audit,
        "checkpoints": asks.Checkpoints,
        "consistency": asks.Consistency,
    }

    node: Node
    sight: Sight

    async def _proof(self, ask: asks.Proof) -> Any:
        principal = self.sight.principal
        if ask.content and principal is not None and not principal.may(Permission.ADMIN):
            raise DeniedError("the content of facts is told to who has the role admin", hint="leave `content` away")
        if ask.content:
            self.sight.need_whole("the content of facts")
        decision = await self.sight.decision(self.node.journal, ask.what, ask.tenant)
        return msgspec.to_builtins(await proof_of(self.node.journal, decision, content=ask.content))

    async def _audit(self, _ask: asks.Audit) -> Audit:
        self.sight.need_whole("how far history is proved")
        tree, house = tree_of(self.node.journal), self.node.housekeeping
        newest, size = tree.newest(), tree.size
        try:
            keys = house.keyring.keys()
        except LictorError:
            keys = None
        return {
            "origin": keys.origin if keys is not None else None,
            "keys": [key.text() for key in keys.all()] if keys is not None else [],
            "facts": size,
            "behind": size - tree.grown,
            "unsigned": size - (newest.signed.checkpoint.size if newest is not None else 0),
            "fault": house.audited.fault or None,
            "checkpoint": None if newest is None else checkpoint_data(newest),
        }

    async def _checkpoints(self, ask: asks.Checkpoints) -> list[Checkpoint]:
        before = _NUMBER_MAX if ask.before is None else ask.before
        found = tree_of(self.node.journal).checkpoints(before, max(1, min(ask.limit, CHECKPOINTS_MAX)))
        return [checkpoint_data(kept) for kept in found]

    async def _consistency(self, ask: asks.Consistency) -> Consistency:
        tree = tree_of(self.node.journal)
        if not 0 <= ask.old <= ask.new <= tree.size:
            raise NotFoundError(f"no tree of {ask.new} facts that begins with {ask.old}: there are {tree.size}")
        path = consistency(ask.old, ask.new, tree.spans)
        return {"old": ask.old, "new": ask.new, "path": [b64encode(one).decode() for one in path]}
