"""Every crash point of every verb: at each change of the disk it stops, errs or loses power.

After each, the journal opens, holds all that was acknowledged, the batch in flight whole or not at all, and verifies.
"""

import asyncio
import itertools
import shutil

import pytest
from tests.journal.sqlite.crashing import Disk
from tests.journal.workload import Workload

from lictor.errors import JournalError, JournalIOError
from lictor.journal.port import (
    Act,
    Approve,
    Cancel,
    Declare,
    Learn,
    Mark,
    Progress,
    Quarantine,
    Refer,
    SetGrant,
    SetHalt,
    SetStanding,
    Shed,
    Undo,
)
from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite.keys import StoredKeys
from lictor.journal.sqlite.verify import verify
from lictor.records import Adjustment, Approval, Grant, Halt, Lesson, Quarantined, ShedCount, Standing
from lictor.testing.journal_stand import T0_US, admit, cash, close, decision, defer, hold, limit, picture, refuse, start

NAMES = (f"crashing-{number}" for number in itertools.count())

#: Fences of the epochs that a journal goes through here.
FENCE = [(epoch << 40) + 7 for epoch in range(9)]
WAITS = hold(decision(3, key="waits"))

#: What is there before the verb.
BEFORE = [
    limit(100), Declare("a", "1", "p", T0_US, {}), admit(decision(1, key="k"), cash(30), fence=FENCE[1]), WAITS,
    admit(decision(2), cash(5), actions=2), defer(decision(4)),
]  # fmt: skip

APPROVAL = Approval(
    decision=3, gate="g", gate_version="1", digest=WAITS.decision.digest, approver="olga", approved=True, at_us=T0_US
)
STANDING = Standing(
    gate="g", gate_version="1", digest=WAITS.decision.digest, source=WAITS.decision.source, approver="olga",
    at_us=T0_US, until_us=T0_US + 60_000_000, decision=3,
)  # fmt: skip
ENTRY = Quarantined(id=1, source="feed", at_us=T0_US, reason="RANGE", detail="", signal=b"{}")
LESSON = Lesson(name="score", subject="a", at_us=T0_US)
GRANT = Grant(
    id="a", name="agent", hash=b"h" * 32, roles=("submit",), sources=None, tenants=("acme",), made_us=T0_US, by="olga"
)
CHANGE = Adjustment(name="size", subject="a", value=0.5, was=1.0, at_us=T0_US, lesson="score")

#: One batch each; the journal is in its second epoch by then.
VERBS = {
    "admit with lease": [admit(decision(10, key="new"), cash(20), fence=FENCE[2])],
    "admit again": [admit(WAITS.decision, cash(1), fence=FENCE[2])],
    "admit a successor": [admit(decision(10, supersedes=2), cash(9))],
    "admit a child": [admit(decision(10, parent=1, depth=1), cash(9), fence=FENCE[2])],
    "refuse": [refuse(decision(10, key="new"), "NO")],
    "start": [start(2, FENCE[2], 0, 1)],
    "progress": [Progress(1, (Act(0, "pend", FENCE[1], ref="r", settled=(("cash", "acme", 3),), report="a"),), T0_US)],
    "close": [close(1, "succeed", [Act(0, "succeed", FENCE[1], settled=(("cash", "acme", 40),))], value={"r": 1})],
    "undo": [Undo(1, T0_US, "E")],
    "approve": [Approve(APPROVAL)],
    "approve and the next ones too": [Approve(APPROVAL), SetStanding(STANDING)],
    "cancel unstarted": [Cancel(2, T0_US, "olga")],
    "cancel started": [Cancel(1, T0_US, "olga")],
    "halt": [SetHalt(Halt(scope="all", mode="halted", at_us=T0_US, by="olga"))],
    "grant": [SetGrant(GRANT)],
    "mark": [Mark("agent-7", 5, T0_US)],
    "limit": [limit(70)],
    "learn": [Learn((LESSON,), (CHANGE,), T0_US)],
    "quarantine": [Quarantine(ENTRY)],
    "shed": [Shed((ShedCount(1, "agent", "payout", "INFEASIBLE", 3),), T0_US)],
    "refer": [Refer("prices", "v1", T0_US, b"[1]")],
    "declare": [Declare("a", "2", "q", T0_US, {"kinds": []})],
}


def few_keys(db):
    """Keys move to segments after a few, so that this too is cut off."""
    return StoredKeys(db, segment_keys=2, shelf_segments=2)


def journal_in(folder, vfs=None, durability="sync"):
    path = folder / "journal.db"
    return SqliteJournal(path, durability=durability, vfs=vfs, make_keys=few_keys, checkpoint_pages=(1, 24))


async def run(journal, batches, acknowledged, each=lambda: None):
    """Open, write, close; notes a picture after each batch that was acknowledged."""
    await journal.open(T0_US)
    acknowledged.append(picture(journal.state))
    each()
    for batch in batches:
        await journal.write(batch, T0_US)
        acknowledged.append(picture(journal.state))
        await journal.rest()
        each()
    await journal.close()


class Bench:
    """A journal to start from, and what each run from there may leave."""

    def __init__(self, folder, before, batches, durability="sync"):
        self.folder, self.batches, self.durability = folder, batches, durability
        self.template = folder / "template"
        self.template.mkdir()
        if before:
            asyncio.run(run(journal_in(self.template, durability="journal"), [before], []))
        #: The picture after each batch; the first is that of the template.
        self.pictures = []
        disk = Disk(next(NAMES))
        counts = []
        journal = journal_in(self._copy(), disk.name, durability)
        asyncio.run(run(journal, batches, self.pictures, lambda: counts.append(disk.count)))
        #: The changes of the disk to fail one by one. Opening and closing are the same for each verb: done once.
        self.changes = range(1, disk.count + 1) if before is None else range(counts[0] + 1, counts[-1] + 1)

    def _copy(self):
        folder = self.folder / next(NAMES)
        shutil.copytree(self.template, folder)
        return folder

    def crash(self, at, *, persistent, power=None):
        """Fail the disk at one change, then see what a restart finds."""
        disk = Disk(next(NAMES))
        disk.fail_at, disk.persistent = at, persistent
        folder = self._copy()
        for path in folder.iterdir():
            disk.know(str(path))
        journal = journal_in(folder, disk.name, self.durability)
        acknowledged = []
        try:
            asyncio.run(run(journal, self.batches, acknowledged))
            failure = None
        except JournalError as error:
            failure = error
        assert disk.failed
        if power is not None:
            after = self.folder / next(NAMES)
            after.mkdir()
            disk.after_power_loss(after, power)
        else:
            after = folder
        journal.abandon()
        self._restart(after, acknowledged, failure)
        return failure, journal, disk, len(acknowledged)

    def _restart(self, folder, acknowledged, failure):
        count = len(acknowledged)
        assert acknowledged == self.pictures[:count]
        again = journal_in(folder, durability="journal")
        asyncio.run(again.open(T0_US))
        found = picture(again.state)
        asyncio.run(again.close())
        allowed = [self.pictures[max(count - 1, 0)], self.pictures[min(count, len(self.pictures) - 1)]]
        assert found in allowed, f"{failure}: {count - 1} batches were acknowledged"
        result = verify(folder / "journal.db")
        assert result.findings == ()


@pytest.fixture(params=[*VERBS, "a mixed load", "a new journal"], scope="module")
def bench(request, quick_paths):
    quick_path = quick_paths()
    if request.param == "a new journal":
        return Bench(quick_path, None, [BEFORE])
    if request.param == "a mixed load":
        return Bench(quick_path, None, mixed(quick_path))
    return Bench(quick_path, BEFORE, [VERBS[request.param]])


def mixed(folder):
    """Batches of random work, as they went into a journal."""
    work = Workload(5, strictly=True)
    batches = [work.opening()]

    async def main():
        (folder / "rehearsal").mkdir()
        journal = journal_in(folder / "rehearsal", durability="journal")
        await journal.open(T0_US)
        await journal.write(batches[0], T0_US)
        for _ in range(5):
            batch = [verb for _ in range(3) for verb in work.batch(journal.state)][:1]
            batches.append(batch)
            await journal.write(batch, T0_US)
        await journal.close()

    asyncio.run(main())
    return batches


def test_nothing_that_was_answered_is_lost(bench):
    """The process dies, or the power is lost with what was not synced gone or torn, at any change of the disk."""
    for at in bench.changes:
        bench.crash(at, persistent=True)
        bench.crash(at, persistent=True, power="drop")
        bench.crash(at, persistent=True, power=at)


def test_an_error_ends_the_journal(bench):
    """Whatever change failed, once, the journal says so, writes no more and never tries the sync again."""
    for at in bench.changes:
        failure, journal, disk, acknowledged = bench.crash(at, persistent=False)
        if failure is None:
            continue  # SQLite may do without: what a checkpoint could not write stays in the write-ahead log
        assert isinstance(failure, JournalIOError)
        changes = disk.count
        with pytest.raises(JournalError):
            asyncio.run(journal.write([limit(1)], T0_US))
        assert disk.count == changes
        # A file that is still being made is rolled back by SQLite; nothing in it was ever acknowledged.
        assert disk.syncs_after_failure == 0 or not acknowledged


def test_without_a_sync_for_each_commit_power_loss_is_found_to_lose_what_was_answered(quick_path):
    """The harness can fail: `durability=journal` promises to survive a crash of the process, and no more."""
    bench = Bench(quick_path, BEFORE, [VERBS["limit"], VERBS["refuse"]], durability="journal")

    def lose_power_everywhere():
        for at in bench.changes:
            bench.crash(at, persistent=True, power="drop")

    with pytest.raises(AssertionError, match="were acknowledged"):
        lose_power_everywhere()
