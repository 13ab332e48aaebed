"""The same on a real file: a killed node's successor knows what it knew and feeds, tells and exports the same."""

import asyncio
import json

import pytest
from tests.feedback.trades import kill, known, trades

from lictor import Node, Settings


def node_at(app, path):
    return Node(app, str(path), settings=Settings(tune_collector=False, durability="journal", learn_every_s=0.05))


async def exported(node, path):
    await node.export(path)
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("pause_s", [0.0, 0.06], ids=["before_a_lesson", "after_lessons"])
def test_a_restart_on_a_file_knows_and_tells_the_same(tmp_path, pause_s):
    app, path = trades(), tmp_path / "trades.db"

    async def main():
        node = node_at(app, path)
        await node.start()
        handles = []
        for place in range(12):
            handle = await node.submit(
                app.Trade(3, "bad" if place % 3 == 0 else "good"),
                source=f"s{place % 2}",
                confidence=0.6,
                expects={"amount": 3},
            )
            await handle.outcome()
            handles.append(handle)
            await asyncio.sleep(pause_s)
        before = known(node)[::2], await node.outcomes("s1"), await exported(node, tmp_path / "before.jsonl")
        told = [str(await node.timeline(handle.id)) for handle in handles[:3]]
        await kill(node)
        node.journal.abandon()
        async with node_at(trades(), path) as again:
            after = known(again)[::2], await again.outcomes("s1"), await exported(again, tmp_path / "after.jsonl")
            assert after == before
            retold = [str(await again.timeline(handle.id)) for handle in handles[:3]]
            assert all(new.startswith(old) for old, new in zip(told, retold, strict=True)), "it may have learned since"
            rest = await again.outcomes("s1", after=before[1][2].cursor)
            assert rest == before[1][3:]

    asyncio.run(main())
