"""Scores as gates read them."""

from tests.feedback.guesses import Guess, guesses
from tests.feedback.trades import node_on, simulate

from lictor import App, Quality, Range, allow, deny


def test_gates_read_scores_and_an_unknown_one_fails_closed():
    app = guesses(lambda one: ({}, []))
    read = []

    @app.gate(Guess)
    def trusted(_guess, state):
        read.append([state.score(name) for name in ("quality", "success", "on_time", "calibration", "cost")])
        return allow()

    @app.gate(Guess, family="risk")
    def typo(guess, state):
        return allow() if guess.truth or state.score("succes") > 0 else deny("POOR")

    async def main(clock):
        async with node_on(app, clock) as node:
            first = await node.submit(Guess(truth=True), source="oracle", confidence=0.1)
            await first.outcome()
            return await node.submit(Guess(truth=False), source="oracle")

    refused = simulate(main)
    assert refused.verdict.code == "GATE_FAILED"
    assert read[0] == [1.0] * 5, "unknown is 1"
    assert read[1][:3] == [1.0] * 3
    assert read[1][3] < 1.0, "it said 0.1 and it came true"


def test_quality_counts_what_the_gate_of_a_source_finds():
    app = App("signals")
    app.decision()(Guess)
    app.source("desk", quality=Quality(ranges={"truth": Range(0, 0)}))
    assert app.sources["desk"].demote_below is None

    @app.effector(idempotent=True, timeout_s=5)
    async def look(call) -> bool:
        return True

    app.plan(Guess)(lambda _guess: look.action())

    async def main(clock):
        async with node_on(app, clock) as node:
            for _ in range(10):
                await node.submit(Guess(truth=False), source="desk")
            return node.score("desk"), node.score("nobody")

    assert simulate(main) == (1.0, 1.0)
