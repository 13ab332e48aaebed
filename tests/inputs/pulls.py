"""Pulls a source on a node in virtual time, and writes the files that it reads."""

from tests.inputs.payouts import payouts
from tests.inputs.simulated import node_on, simulate


def pulled(source, *, disk=None, app=None, limit=10**15, settings=None):
    """Pull a source on a node; gives the result, what was really done, and what is in quarantine."""
    app, done = app or payouts(limit=limit)

    async def main(clock):
        async with node_on(app, clock, disk, **(settings or {})) as node:
            result = await node.pull(source)
            while node.journal.state.open:
                await clock.sleep(0.1)
            return result, await node.quarantined(limit=1_000)

    result, kept = simulate(main)
    return result, sorted(done, key=lambda each: each[1]), kept


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path
