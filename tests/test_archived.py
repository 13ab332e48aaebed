"""Who repeats a key whose history has been archived is answered, and the effect is not made again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lictor import App, Call, Node, allow
from lictor.journal.memory import MemoryJournal
from lictor.journal.port import Answer, Verb


class Forgetful(MemoryJournal):
    """Its closed history is in an archive: it knows a key, and no longer what it was answered."""

    async def write(self, verbs: Sequence[Verb], at_us: int) -> list[Answer]:
        answers = await super().write(verbs, at_us)
        for answer in answers:
            if answer.code == "DUPLICATE" and answer.open is None:
                answer.verdict = answer.outcome = None
        return answers


def test_a_key_whose_history_is_archived_is_refused_by_its_code_and_done_once() -> None:
    done: list[str] = []
    app = App("archive")

    @app.decision()
    @dataclass(frozen=True)
    class Note:
        text: str

    @app.gate(Note)
    def anything(_note, _state):
        return allow()

    @app.effector(idempotent=False, timeout_s=5)
    async def write(_call: Call, text: str) -> None:
        done.append(text)

    @app.plan(Note)
    def plan(note):
        return write.action(note.text)

    async def main() -> None:
        async with Node(app, Forgetful()) as node:
            first = await node.submit(Note("a"), key="k")
            await first.outcome()
            again = await asyncio.wait_for(node.submit(Note("a"), key="k"), 10)
            assert (again.verdict.result, again.verdict.code, await again.outcome()) == ("refused", "ARCHIVED", None)
            assert first.id in again.verdict.rulings[0].seen.values()
        assert done == ["a"]

    asyncio.run(main())
