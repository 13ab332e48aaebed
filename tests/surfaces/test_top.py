"""`lictor top`: what holds things up, at a glance in the terminal."""

from __future__ import annotations

from rich.console import Console
from tests.rig import Payout, payouts, simulate

from lictor.surfaces.cli.top import screen
from lictor.surfaces.flow import Flow


def shown(flow: dict) -> str:
    out = Console(width=120, no_color=True)
    with out.capture() as captured:
        out.print(screen(flow))
    return captured.get()


def test_a_live_node_is_shown(shell) -> None:
    with shell.node():
        shell.submit("a-17", 5, "--wait")
        shell.submit("a-99", 5, code=1)
        code, out, _ = shell("top", "--once", "--every-s", "0.2")
        assert code == 0
        assert "holds things up  Nothing." in out
        assert "ACCOUNT_UNKNOWN" in out
        found = shell.json("top")
        assert [stage["name"] for stage in found["stages"]][:2] == ["inputs", "decisions"]


def test_what_others_wrote_is_not_obeyed() -> None:
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=1))
        for n in range(3):
            rig.world.says(f"a-{n}", 5.0)
            await rig.submit(Payout(f"a-{n}"))
        await rig.on(node.halt("tenant:\x1b[2Jx", by="ana \x1b[31m"))
        return Flow(node).read()

    text = shown(simulate(main))
    assert "\x1b" not in text
    assert "1/1" in text


def test_it_needs_a_node(shell) -> None:
    assert shell("top", "--once")[0] == 3  # there is no journal, and so no node
