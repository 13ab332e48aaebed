"""A journal that was filled is one that the engine could have left: it verifies, and a node goes on with it."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

from benchmarks.scale.fill import GATES, SOURCE, body, fill, keys, tenant_name
from benchmarks.speed.lictor_arm import build

from lictor import Node, Settings, Signal
from lictor.journal.sqlite.verify import verify


def test_what_was_filled_verifies_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(fill(path, closed=250, still_open=20, tenants=3, batch=100, seed=5))
    found = verify(path)
    assert (found.findings, found.decisions, found.open) == ((), 253, 20)

    async def goes_on() -> None:
        async with Node(build(GATES), str(path), settings=Settings(durability="journal")) as node:
            state = node.journal.state
            seventh = next(islice(keys(5), 6, None))
            known = Signal(source=SOURCE, kind="Payout", payload=body(6), tenant=tenant_name(0), key=seventh)
            again = await node.submit(known)
            assert again.duplicate
            other = Signal(source=SOURCE, kind="Payout", payload=body(7), tenant=tenant_name(0), key=seventh)
            assert (await node.submit(other)).verdict.code == "KEY_REUSED"
            while state.open:
                await asyncio.sleep(0)
            done = sum(1 + number % 250 for number in range(2, 270, 3)) + 1
            (balance,) = (found for (_, scope), found in state.balances.items() if scope == tenant_name(2))
            assert list(balance.sums.values()) == [[done, 0]]

    asyncio.run(goes_on())
    assert verify(path).clean
