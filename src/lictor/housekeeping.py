"""What a node does behind its commits: the tree over history and the lists grow, checkpoints are signed (I14).

Never on the way of a decision. While turns are taken it works in short steps with pauses between them, so that it takes
a few hundredths of a core at most; when nothing happens it catches up. How far it is behind is in health and metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lictor.audit.anchor import Anchor
from lictor.audit.checkpoint import Checkpoint, SignedCheckpoint
from lictor.audit.keyring import Keyring, Keys
from lictor.audit.tree import Tree
from lictor.config import Settings
from lictor.errors import InvariantViolation, LictorError
from lictor.journal.port import Journal
from lictor.monitoring.vitals import Audited
from lictor.runtime.clock import Clock
from lictor.runtime.randomness import Randomness

#: Between two steps while turns are taken, and when nothing is left to do.
PAUSE_S = 0.1
IDLE_S = 0.25
#: So many facts behind, and the pauses between steps are half as long.
BEHIND_MAX = 100_000
#: A tree that lacks more facts than this is not signed: it would have to be made from them, and everyone would wait.
RAGGED_MAX = 16_384


class Housekeeping:
    """The tree, the lists and the checkpoints of one journal."""

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        clock: Clock,
        randomness: Randomness,
        turns: Callable[[], int],
        note: Callable[..., None],
    ) -> None:
        self._journal = journal
        self._every_us = int(settings.checkpoint_every_s * 1e6)
        self._facts = settings.checkpoint_facts
        self._clock = clock
        self._turns = turns
        self._note = note
        beside = f"{getattr(journal, 'path', '')}.key"
        self.keyring = Keyring(settings.audit_key or beside, randomness.bytes)
        self._anchor = Anchor(settings.anchor) if settings.anchor else None
        self.audited = Audited()
        self._since_us = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._journal.tree is None:
            return
        self.audited.kept, self._since_us = True, self._clock.wall_us()
        self._look_back(self._journal.tree)
        seen = -1
        while True:
            left = await self._journal.tend()
            await self.sign(self._journal.tree)
            busy, seen = seen != self._turns(), self._turns()
            if left and not busy:
                await asyncio.sleep(0)
            else:
                await self._clock.sleep(IDLE_S if not left else PAUSE_S if left < BEHIND_MAX else PAUSE_S / 2)

    async def finish(self) -> None:
        """Sign what is there before the journal closes, unless much of the tree is still to grow."""
        tree = self._journal.tree
        if tree is not None and self._every_us:
            await self.sign(tree, now=True)

    async def sign(self, tree: Tree, *, now: bool = False) -> None:
        """Sign a checkpoint where one is due.

        Raises:
            InvariantViolation: history is not what was signed before (I14).
        """
        size, at_us = tree.size, self._clock.wall_us()
        last = tree.newest()
        covered = last.signed.checkpoint.size if last is not None else 0
        since_us = at_us - max(self._since_us, last.at_us if last is not None else 0)
        audited = self.audited
        audited.size, audited.behind, audited.unsigned = size, size - tree.grown, size - covered
        if self._every_us == 0 or not (audited.unsigned or (now and self._hands_over())):
            return
        due = audited.unsigned >= self._facts or since_us >= self._every_us
        if not (now or due) or audited.behind > RAGGED_MAX:
            return
        if last is not None and tree.spans(0, covered) != last.signed.checkpoint.root:
            raise InvariantViolation("I14", f"the first {covered} facts are not those that were signed")
        try:
            await self._signed(tree, size, at_us)
        except (InvariantViolation, LictorError) as error:
            if isinstance(error, InvariantViolation) or error.code.startswith("JOURNAL"):
                raise
            self._tell(str(error))
        else:
            audited.unsigned, audited.fault = 0, self.audited.anchor_fault

    def _hands_over(self) -> bool:
        try:
            keys = self.keyring.keys()
        except LictorError:
            return False
        return keys is not None and len(keys.signing) > 1

    async def _signed(self, tree: Tree, size: int, at_us: int) -> None:
        keys = self.keyring.made()
        signed = SignedCheckpoint.signed(_checkpoint(keys, size, tree.spans(0, size)), keys.signing)
        await self._journal.keep(signed, at_us)
        if len(keys.signing) > 1:
            self.keyring.handed_over(keys.signing[0])
            self._note("audit_key_changed", key=keys.public.text())
        if self._anchor is not None and not self.audited.anchor_fault:
            self._anchor.append(signed)

    def _look_back(self, tree: Tree) -> None:
        """Hold history against the last checkpoint of the anchor; where they disagree nothing is added to it."""
        if self._anchor is None:
            return
        try:
            kept = self._anchor.read()
        except LictorError as error:
            self.audited.anchor_fault = str(error)
            self._tell(str(error))
            return
        if not kept:
            return
        last = kept[-1].checkpoint
        if last.size > tree.size or tree.spans(0, last.size) != last.root:
            told = f"{self._anchor.path} has a checkpoint of {last.size} facts that are not those of this history"
            self.audited.anchor_fault = told
            self._tell(told)

    def _tell(self, fault: str) -> None:
        """People have to look; decisions go on."""
        if self.audited.fault != fault:
            self.audited.fault = fault
            self._note("audit_failed", error=fault)


def _checkpoint(keys: Keys, size: int, root: bytes) -> Checkpoint:
    if len(keys.signing) == 1:
        return Checkpoint(keys.origin, size, root)
    return Checkpoint(keys.origin, size, root, keys.signing[0].public, keys.signing[1].public)
