"""The conformance suite that every journal must pass, unchanged: behaviour through the port alone.

Each of `CASES` is a coroutine function that takes a `Stand` and drives it through one promise. To run them on a store:

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
    @pytest.mark.parametrize("reopens", [False, True])
    def test_my_journal(case, reopens, tmp_path):
        asyncio.run(conform(case, lambda: MyJournal(tmp_path), MyJournal.abandon, reopens=reopens))

With `reopens` the journal is closed and opened again after each batch, and must show the same state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lictor.journal.port import Journal
from lictor.testing.journal_cases import admission, attempts, budgets, control, keys, parking, reading, storage
from lictor.testing.journal_stand import T0_US, Stand, picture

Case = Callable[[Stand], Awaitable[None]]

CASES: tuple[Case, ...] = (
    *admission.CASES,
    *keys.CASES,
    *budgets.CASES,
    *attempts.CASES,
    *control.CASES,
    *parking.CASES,
    *reading.CASES,
    *storage.CASES,
)


async def conform(case: Case, make: Callable[[], Journal], kill: Callable[[Journal], None], *, reopens: bool) -> None:
    """Run one case on a fresh store.

    `make` gives a new, unopened journal on that store each time it is called; `kill` ends one as a crash would.

    Raises:
        AssertionError: the journal breaks the promise that the case is named for.
    """
    stand = Stand(make, kill, reopens=reopens)
    await stand.journal.open(T0_US)
    try:
        await case(stand)
        before = picture(stand.state)
        await stand.reopen()
        assert picture(stand.state) == before, "reopening changed the state"
    finally:
        await stand.journal.close()
