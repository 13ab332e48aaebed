"""A node that cannot start leaves nothing behind: the journal is free for the next."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from lictor import App, Call, Node, Settings, allow
from lictor.errors import JournalIOError, LictorError
from lictor.journal.memory import MemoryJournal
from lictor.journal.port import Admit


@dataclass(frozen=True)
class Pay:
    amount: int = 1


def app_of(limit: Any = 10) -> App:
    app = App("starts", version="1")
    app.decision(expires_in_s=600)(Pay)
    cash = app.balance("cash", limit=limit, per="tenant")
    app.reference("prices", lambda: 1, max_age_s=60)
    app.gate(Pay)(lambda pay, state: allow(cash.reserve(pay.amount)))

    @app.effector(idempotent=True, timeout_s=5)
    async def pay(call: Call) -> None:
        """Nothing."""

    app.plan(Pay)(lambda pay_: pay.action())
    return app


def test_a_start_that_fails_frees_the_journal(tmp_path):
    path, failed = str(tmp_path / "journal.db"), []

    async def main():
        node = Node(app_of(), path)
        node.pipeline.execution.recover = lambda state, at_us: 1 / 0
        with pytest.raises(ZeroDivisionError):
            async with node:
                failed.append("entered")
        async with Node(app_of(), path) as other:
            return (await other.submit(Pay())).admitted, node.journal

    assert asyncio.run(main())[0]
    assert not failed


def test_a_start_that_finds_the_journal_locked_says_so_and_leaves_the_other_alone(tmp_path):
    path = str(tmp_path / "journal.db")

    async def main():
        async with Node(app_of(), path) as first:
            with pytest.raises(LictorError, match="is open in another node"):
                async with Node(app_of(), path):
                    pass
            return (await first.submit(Pay())).admitted

    assert asyncio.run(main())


def test_a_limit_that_raises_leaves_the_one_in_force(tmp_path):
    path = str(tmp_path / "journal.db")

    def broken(scope: str) -> int:
        raise ValueError(scope)

    async def main():
        async with Node(app_of(), path) as node:
            await node.submit(Pay(), tenant="acme")
        async with Node(app_of(broken), path) as node:
            limit = node.journal.state.balances["cash", "acme"].limit
            return limit, (await node.submit(Pay(), tenant="acme")).admitted, node.failure

    assert asyncio.run(main()) == (10, True, None)


def test_what_has_not_begun_when_the_journal_fails_does_not_begin():
    begun: list[str] = []

    class Failing(MemoryJournal):
        """Its disk is found to be gone after an admission was committed, and before the loop comes to the effect."""

        async def write(self, verbs: Any, at_us: int) -> Any:
            answers = await super().write(verbs, at_us)
            admitted.extend(verb for verb in verbs if isinstance(verb, Admit))
            if admitted:
                asyncio.get_running_loop().call_soon(nodes[0]._fail, JournalIOError("the disk is gone"))
            return answers

    nodes: list[Node] = []
    admitted: list[Any] = []
    app = App("fails", version="1")
    app.decision(expires_in_s=600)(Pay)
    app.gate(Pay)(lambda pay, state: allow())

    @app.effector(idempotent=False, timeout_s=5)
    async def pay(call: Call) -> None:
        begun.append(call.key)

    app.plan(Pay)(lambda pay_: pay.action())

    async def main():
        async with Node(app, Failing(), settings=Settings(drain_s=0.0)) as node:
            nodes.append(node)
            await asyncio.wait([asyncio.ensure_future(node.submit(Pay(1)))])
            while node.pipeline.execution.running():
                await asyncio.sleep(0)
            return node.failure

    assert isinstance(asyncio.run(main()), JournalIOError)
    assert admitted
    assert not begun
