"""Answers to what is held, and what stands for the next ones: from the shell, on a node and on a file; and by scope."""

import asyncio

import pytest
from tests.surfaces.http.served import payouts

from lictor import Node, NotFoundError, Settings, Signal
from lictor.runtime.ids import id_text
from lictor.surfaces.access.principal import Principal, granted
from lictor.surfaces.requests import Requests

BIG = '{"account": "a-18", "amount": 600}'


def test_the_same_again_goes_on_until_it_is_withdrawn(shell) -> None:
    with shell.node():
        shell("limit", "set", "cash", "9000", "--scope", "default", "--by", "ana")
        shell.submit("a-18", 600, "--key", "one")
        code, said, _ = shell("approve", "one", "--by", "ana", "--reason", "rent", "--again-for", "2h")
        assert code == 0
        assert "by ana; the same again is approved until 2" in said
        assert shell.submit("a-18", 600, "--key", "two", "--wait")["outcome"]["result"] == "succeeded"
        (row,) = shell.json("standing", "list")
        assert (row["gate"], row["kind"], row["source"], row["tenant"], row["by"], row["reason"]) == (
            "large", "Payout", "local", "default", "ana", "rent",
        )  # fmt: skip
        assert row["until_us"] - row["at_us"] == 7_200_000_000
        assert f"{row['decision']}  Payout  local" in shell("standing", "list")[1]
        assert shell.json("standing", "withdraw", "none-such", code=3)["error"]["code"] == "NOT_FOUND"
        assert shell.json("standing", "withdraw", "two", "--gate", "other", code=3)["error"]["code"] == "NOT_FOUND"
        assert shell.json("standing", "withdraw", "two", "--by", "ben") == {"by": "ben", "withdrawn": [row]}
        assert shell.json("standing", "list") == []
        assert shell.submit("a-18", 600, "--key", "three")["verdict"]["result"] == "held"


def test_on_a_file_it_is_the_same(shell) -> None:
    with shell.node() as node:
        shell("limit", "set", "cash", "9000", "--scope", "default", "--by", "ana")
        shell.submit("a-18", 600, "--key", "one")
        shell.submit("a-18", 700, "--key", "other")
        node.end()
    told = shell.json("approve", "one", "--by", "ana", "--again-for", "2h")
    (row,) = shell.json("standing", "list")
    assert (told["more"], told["until_us"], row["decision"]) == (0, row["until_us"], told["id"])
    shell.json("approve", "other", "--by", "ana", "--again-for", "1d")
    assert len(shell.json("standing", "list")) == 2
    assert shell.json("standing", "withdraw", "other", "--by", "ben")["withdrawn"][0]["gate"] == "large"
    assert shell.json("standing", "withdraw", "other", "--by", "ben", code=3)["error"]["code"] == "NOT_FOUND"
    with shell.node():
        assert shell.submit("a-18", 600, "--key", "two", "--wait")["outcome"]["result"] == "succeeded"
        assert shell.submit("a-18", 700, "--key", "three")["verdict"]["result"] == "held"
    assert shell.json("verify")["clean"] is True


@pytest.mark.parametrize("live", [True, False])
def test_of_two_persons_the_first_is_told_so_and_may_not_speak_for_the_next_ones(shell, live) -> None:
    app = shell.folder / "payouts.py"
    app.write_text(app.read_text().replace('hold("LARGE", ', 'hold("LARGE", approvers=2, '))
    with shell.node() as node:
        shell.submit("a-18", 600, "--key", "one")
        if not live:
            node.end()
        refused = shell.json("approve", "one", "--by", "ana", "--again-for", "2h", code=1)
        assert "TWO_PERSONS" in refused["error"]["message"]
        code, said, _ = shell("approve", "one", "--by", "ana")  # what was refused has approved nothing
        assert code == 0
        assert "; 1 of 2 approved: ana" in said
        told = shell.json("approve", "one", "--by", "ben")
        assert (told["more"], told["gates"]) == (
            0, [{"gate": "large", "approvers": 2, "approved_by": ["ana", "ben"]}],
        )  # fmt: skip


@pytest.mark.parametrize("again", ["2", "0h", "90d", "soon"])
def test_no_other_times(shell, again) -> None:
    with shell.node() as node:
        shell.submit("a-18", 600, "--key", "one")
        assert shell("approve", "one", "--by", "ana", "--again-for", again)[0] != 0
        node.end()
    assert shell("approve", "one", "--by", "ana", "--again-for", again)[0] != 0
    assert shell.json("standing", "list") == []
    assert shell.rows("list")[0]["state"] == "held"


def test_who_is_scoped_sees_and_withdraws_what_stands_for_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # the App writes what it has done into a file here

    async def main():
        app = payouts()
        app.sources.clear()
        async with Node(app, "memory:", settings=Settings(tune_collector=False)) as node:
            ids = {}
            for source, tenant in (("agent", "acme"), ("agent", "globex"), ("other", "acme")):
                sent = Signal(kind="Payout", payload=BIG.encode(), source=source, tenant=tenant, key="k")
                handle = await node.submit(sent)
                await node.approve(handle.id, by="ann", again_for_s=60)
                ids[source, tenant] = id_text(handle.id)

            def of(**scope):
                given = {"sources": None, "tenants": None} | scope
                return Requests(node).seen_by(Principal(name="x", permissions=granted(("approve",)), **given))

            async def seen(requests):
                return {(row["source"], row["tenant"]) for row in await requests.ask("standing")}

            assert await seen(of()) == {*ids}
            assert await seen(of(tenants=("acme",))) == {("agent", "acme"), ("other", "acme")}
            assert await seen(of(sources=("agent",))) == {("agent", "acme"), ("agent", "globex")}
            mine = of(tenants=("acme",), sources=("agent",))
            assert await seen(mine) == {("agent", "acme")}
            for hidden in (("agent", "globex"), ("other", "acme")):
                with pytest.raises(NotFoundError):
                    await mine.ask("withdraw", what=ids[hidden])
            assert len(await of().ask("standing", limit=2)) == 2
            gone = await mine.ask("withdraw", what="k", by="somebody else")
            assert (gone["by"], gone["withdrawn"][0]["decision"]) == ("x", ids["agent", "acme"])
            assert await seen(of()) == {*ids} - {("agent", "acme")}

    asyncio.run(main())
