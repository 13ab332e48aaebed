"""An App of guesses whose effect always succeeds, with a lesson of one's own; and a run of it."""

from dataclasses import dataclass

from tests.feedback.trades import node_on

from lictor import App


@dataclass(frozen=True)
class Guess:
    truth: bool


def guesses(lesson):
    app = App("guesses")
    app.decision()(Guess)
    app.odd = app.adjustable("odd", default=0.5, tightest=0.0, loosest=1.0)

    @app.effector(idempotent=True, timeout_s=5)
    async def look(call) -> bool:
        return True

    @app.plan(Guess)
    def plan(_guess):
        return look.action()

    app.lesson(Guess, name="taught")(lesson)
    return app


async def guessed(app, clock, count=20):
    node = node_on(app, clock)
    async with node:
        for place in range(count):
            handle = await node.submit(Guess(place % 4 == 0), source="oracle", confidence=0.5)
            assert (await handle.outcome()).result == "succeeded"
    return node.pipeline.feedback
