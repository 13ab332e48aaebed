"""How much of what is done to an exported history is found: each byte flipped, each line removed, repeated or moved."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from benchmarks.scale.fill import GATES, body
from benchmarks.speed.lictor_arm import build
from lictor import Node, Settings, Signal
from lictor.audit import history
from lictor.audit.keyring import Keyring
from lictor.audit.note import PublicKey
from lictor.surfaces.proofs import tree_of

Sample = dict[str, float]


async def exported(path: Path, decisions: int) -> tuple[bytes, list[PublicKey]]:
    """The history of a node that decided so much, with two checkpoints, and its keys."""
    async with Node(build(GATES), str(path), settings=Settings(durability="journal")) as node:
        for number in range(decisions):
            handle = await node.submit(Signal(source="load", kind="Payout", payload=body(number), tenant="acme"))
            await handle.outcome()
            if number == decisions // 2:
                await node.housekeeping.sign(tree_of(node.journal), now=True)
        tree = tree_of(node.journal)
        await node.housekeeping.sign(tree, now=True)
        signed = [kept.signed for kept in tree.all_checkpoints()]
        size = signed[-1].checkpoint.size
        file = BytesIO()
        header = history.Header(history.VERSION, signed[0].checkpoint.origin, size, len(signed), "payloads")
        history.write(file, header, tree.facts(1, size, "payloads"), signed)
        keys = Keyring(f"{path}.key", os.urandom).made().all()
    return file.getvalue(), keys


def tampered(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Every flipped byte; every line removed, repeated, and moved to every other place."""
    for at in range(len(whole)):
        yield "flipped", whole[:at] + bytes([whole[at] ^ (1 << at % 7)]) + whole[at + 1 :]
    lines = whole.splitlines(keepends=True)
    for at, line in enumerate(lines):
        rest = [*lines[:at], *lines[at + 1 :]]
        yield "removed", b"".join(rest)
        yield "repeated", b"".join([*lines[:at], line, line, *lines[at + 1 :]])
        for to in range(len(lines)):
            moved = [*rest[:to], line, *rest[to:]]
            if moved != lines:
                yield "moved", b"".join(moved)


def measure(decisions: int) -> Sample:
    """How many there were and how many were found, by what was done."""
    with tempfile.TemporaryDirectory() as folder:
        whole, keys = asyncio.run(exported(Path(folder) / "journal.db", decisions))
    if not history.check(BytesIO(whole), keys).clean:
        raise RuntimeError("the export is not clean before anything is done to it")
    sample: Sample = {}
    for what, other in tampered(whole):
        sample[what] = sample.get(what, 0) + 1
        found = not history.check(BytesIO(other), keys).clean
        sample[f"{what} found"] = sample.get(f"{what} found", 0) + found
    return sample
