"""Filters over closed decisions: the same rows as one that looks at each, wherever they are in the file."""

import asyncio
import random
from itertools import pairwise

import pytest
from tests.journal.sqlite.forging import read, run

from lictor.journal.port import Filter
from lictor.journal.sqlite import SqliteJournal, volumes
from lictor.journal.sqlite.verify import verify
from lictor.testing.journal_stand import T0_US, admit, close, decision, hold, refuse

STATES = ("succeeded", "failed", "refused")


@pytest.fixture
def small(monkeypatch):
    """Volumes of 64, lists of bits from 4 places on."""
    monkeypatch.setattr(volumes, "VOLUME_DECISIONS", 64)
    monkeypatch.setattr(volumes, "_BITS_BYTES", 8)
    monkeypatch.setattr(volumes, "_FEW", 4)
    monkeypatch.setattr(volumes, "STEP_ROWS", 10)


async def fill(journal, count, seed=1):
    """Decisions that end in another order than they came in, some much later, some by the one that replaces them."""
    r, open_ = random.Random(seed), []
    for number in range(1, count + 1):
        at_us = T0_US + 10 * number
        fields = {
            "kind": r.choice(("pay", "pay", "refund")),
            "tenant": r.choice(("acme", "globex", f"t{number % 40}")),
            "source": r.choice(("a", "a", "a", "b")),
            "key": r.choice((None, f"k{number}", f"k{number % 7}")),
            "parent": 1 if number == 90 else None,
            "depth": 1 if number == 90 else 0,
        }
        wanted = decision(number, received_us=at_us, **fields)
        if fields["key"] is not None and number % 7 == int(fields["key"][1:]):
            wanted = decision(number, received_us=at_us, **{**fields, "source": f"s{number}"})
        if r.random() < 0.3:
            await journal.write([refuse(wanted, r.choice(("NO", "NEVER")))], at_us)
            continue
        fence = journal.state.next_fence()
        await journal.write([admit(wanted, fence=fence)], at_us)
        open_.append(number)
        while open_ and r.random() < 0.6:
            ended = open_.pop(r.randrange(len(open_)) if number % 50 else 0)
            if ended == 1 and number < 100:  # a parent ends after its child
                open_.append(1)
                break
            event = r.choice(("succeed", "fail"))
            await journal.write([close(ended, event, code="E" if event == "fail" else None)], at_us)
    return open_


def naive(rows, wanted):
    def fits(row):
        for name in ("state", "kind", "tenant", "source", "code", "key", "parent"):
            asked = getattr(wanted, name)
            if asked is not None and getattr(row, name) not in (asked if isinstance(asked, tuple) else (asked,)):
                return False
        timely = (wanted.since_us or 0) <= row.received_us < (wanted.until_us or 1 << 62)
        return timely and row.id < (wanted.before or 1 << 62)

    return [row for row in rows if fits(row)][: wanted.limit]


def filters(seed):
    r = random.Random(seed)
    while True:
        wanted = {
            "state": (*STATES, STATES[:2]), "kind": ("pay", "refund", ("pay", "refund"), "none"),
            "tenant": ("acme", "t3", "t7", ("t1", "globex")), "source": ("a", "b", "s5"),
            "code": ("NO", "E", ("NO", "NEVER")), "key": ("k3", "k100", "k5"), "parent": (1, 2),
            "since_us": (T0_US + 900, T0_US + 2_000), "until_us": (T0_US + 1_000, T0_US + 3_000),
            "before": (30, 150, 330), "limit": (1, 5, 1_000),
        }  # fmt: skip
        yield Filter(**{name: r.choice(wanted[name]) for name in r.sample(list(wanted), r.randint(1, 4))})


async def bound(journal):
    while await journal.tend():
        pass


@pytest.mark.usefixtures("small")
def test_each_filter_gives_what_looking_at_each_decision_gives(quick_path):
    path = quick_path / "journal.db"

    async def main():
        journal = SqliteJournal(path, durability="journal")
        await journal.open(T0_US)
        for part in range(2):
            if part == 0:
                await fill(journal, 400)
            else:  # what waits for a volume, again in a journal that was just opened
                await journal.close()
                journal = SqliteJournal(path, durability="journal")
                await journal.open(T0_US)
            everything = await journal.decisions(Filter(limit=10_000))
            assert [a.id > b.id for a, b in pairwise(everything)].count(False) == 0
            for wanted, _ in zip(filters(part), range(150), strict=False):
                assert await journal.decisions(wanted) == naive(everything, wanted), wanted
            await bound(journal)
            for wanted, _ in zip(filters(part), range(150), strict=False):
                assert await journal.decisions(wanted) == naive(everything, wanted), wanted
        await journal.close()

    asyncio.run(main())
    assert read(path, "SELECT count(*) FROM volumes") >= 4
    assert verify(path).clean


@pytest.mark.usefixtures("small")
def test_pages_follow_one_another_without_a_gap(quick_path):
    async def main():
        journal = SqliteJournal(quick_path / "journal.db", durability="journal")
        await journal.open(T0_US)
        await fill(journal, 300)
        await bound(journal)
        whole = await journal.decisions(Filter(state="succeeded", source="a", limit=1_000))
        paged, before = [], None
        while page := await journal.decisions(Filter(state="succeeded", source="a", limit=7, before=before)):
            paged += page
            before = page[-1].id
        assert paged == whole
        assert len(whole) > 50
        await journal.close()

    asyncio.run(main())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM lists WHERE volume = 2 AND field = 0",
        "UPDATE lists SET places = x'0000' WHERE volume = 1 AND field = 4",
        "UPDATE volumes SET latest_us = latest_us + 1 WHERE number = 1",
        "UPDATE volumes SET ids = zeroblob(length(ids)) WHERE number = 1",
    ],
)
def test_i15_a_volume_that_does_not_follow_is_found(quick_path, forgery):
    path = quick_path / "journal.db"

    async def main():
        journal = SqliteJournal(path, durability="journal")
        await journal.open(T0_US)
        await fill(journal, 200)
        await bound(journal)
        await journal.close()

    asyncio.run(main())
    assert verify(path).clean
    assert run(path, forgery)
    assert [finding.check for finding in verify(path).findings] == ["I15"]


@pytest.mark.usefixtures("small")
def test_volumes_go_with_what_is_archived(quick_path):
    path = quick_path / "journal.db"

    async def main():
        journal = SqliteJournal(path, durability="journal", make_keys=volumes_keys)
        await journal.open(T0_US)
        for number in range(1, 301):
            await journal.write([refuse(decision(number, received_us=T0_US + number), "NO")], T0_US + number)
        await journal.write([hold(decision(301))], T0_US + 302)
        await bound(journal)
        assert read(path, "SELECT count(*) FROM volumes") == 4
        assert len(await journal.decisions(Filter(code="NO", limit=1_000))) == 300
        await journal.retain(T0_US + 150, quick_path / "archive.gz")
        assert read(path, "SELECT min(number), count(*) FROM volumes") == (3, 2)
        assert read(path, "SELECT min(volume) FROM lists") == 3
        left = await journal.decisions(Filter(code="NO", limit=1_000))
        assert [row.id for row in left] == list(range(300, 149, -1))
        await journal.close()

    asyncio.run(main())
    assert verify(path, [quick_path / "archive.gz"]).clean


def volumes_keys(db):
    from lictor.journal.sqlite.keys import StoredKeys

    return StoredKeys(db, segment_keys=4, shelf_segments=2, keep_us=0)


def test_places_are_stored_as_they_are():
    for places in ([0], [5, 63, 4_095], list(range(63)), list(range(64)), list(range(0, 4_096, 3))):
        assert volumes.bits_of(volumes.places_of(places)) == sum(1 << place for place in places)
