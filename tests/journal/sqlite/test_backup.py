"""A backup taken from a working journal is a sound journal; a restored one doubts all that was open."""

import asyncio

import pytest
from tests.journal.sqlite.forging import run

from lictor.errors import JournalError
from lictor.journal.port import Epoch
from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite import backup as backups
from lictor.journal.sqlite.backup import restore
from lictor.journal.sqlite.verify import verify
from lictor.testing.journal_stand import T0_US, admit, close, decision, limit, picture, refuse


async def opened(path):
    journal = SqliteJournal(path, durability="journal")
    await journal.open(T0_US)
    return journal


def test_batches_go_on_while_it_is_copied(quick_path, monkeypatch):
    monkeypatch.setattr(backups, "STEP_PAGES", 3)

    async def main():
        journal = await opened(quick_path / "journal.db")
        await journal.write([refuse(decision(n, b"x" * 300), "NO") for n in range(1, 200)], T0_US)
        written = 200
        copying = asyncio.create_task(journal.backup(quick_path / "backup.db"))
        while not copying.done():
            await journal.write([refuse(decision(written), "NO")], T0_US)
            written += 1
            await asyncio.sleep(0)
        await copying
        assert written > 210
        await journal.close()

    asyncio.run(main())
    found = verify(quick_path / "backup.db")
    assert found.findings == ()
    assert found.decisions >= 200
    assert not list(quick_path.glob("*.part"))


def test_a_restored_journal_goes_on_under_a_new_epoch_and_in_doubt(quick_path):
    async def main():
        journal = await opened(quick_path / "journal.db")
        fence = journal.state.next_fence()
        await journal.write([limit(10), admit(decision(1, key="k"), fence=fence), admit(decision(2))], T0_US)
        before = picture(journal.state)
        await journal.backup(quick_path / "backup.db")
        await journal.write([close(1)], T0_US)
        await journal.close()
        restore(quick_path / "backup.db", quick_path / "restored.db")
        restored = await opened(quick_path / "restored.db")
        assert picture(restored.state) == before
        assert restored.state.epoch == 2
        assert restored.state.doubt == "restored"
        restored.abandon()

        again = await opened(quick_path / "restored.db")
        assert again.state.doubt == "restored"  # until a node has dealt with it
        fences = [again.state.next_fence()]
        await again.write([Epoch(again.state.epoch, T0_US)], T0_US)
        assert again.state.doubt == ""
        fences.append(again.state.next_fence())
        assert fences == sorted(set(fences))
        await again.close()
        last = await opened(quick_path / "restored.db")
        assert last.state.doubt == ""
        await last.close()
        assert verify(quick_path / "restored.db").findings == ()

    asyncio.run(main())


def test_nothing_is_overwritten_and_nothing_else_is_restored(quick_path):
    async def main():
        journal = await opened(quick_path / "journal.db")
        (quick_path / "there").write_text("precious")
        with pytest.raises(JournalError, match="already there"):
            await journal.backup(quick_path / "there")
        await journal.close()
        with pytest.raises(JournalError, match="already there"):
            restore(quick_path / "journal.db", quick_path / "there")
        run(quick_path / "other.db", "CREATE TABLE a (b)")
        for backup in ("other.db", "there", "nothing.db"):
            with pytest.raises(JournalError):
                restore(quick_path / backup, quick_path / "new.db")
        assert (quick_path / "there").read_text() == "precious"
        assert not (quick_path / "new.db").exists()

    asyncio.run(main())
