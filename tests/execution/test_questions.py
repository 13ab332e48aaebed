"""A question to the world that raises is told, once for each attempt that it is about, however often it is asked."""

import json
import logging

import pytest
from tests.rig import Payout, payouts, simulate


@pytest.fixture
def told():
    """What the logger `lictor` says of questions."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(json.loads(record.getMessage()))
    logger = logging.getLogger("lictor")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_reconcile_that_raises_is_told_once_for_each_attempt(told):
    async def main(rig):
        app = payouts(rig.world, poll_after_s=1)
        await rig.start(app)
        rig.world.says("a", "done_and_raise")
        rig.world.answers["a"].extend([ConnectionError("the desk is closed")] * 3)
        outcome = await rig.outcome(Payout("a"))
        assert len(rig.world.asked) == 4
        return outcome

    assert simulate(main).result == "succeeded"
    failed = [line for line in told if line["event"] == "question_failed"]
    assert [(line["question"], line["effector"]) for line in failed] == [("reconcile", "transfer")]
    assert "the desk is closed" in failed[0]["error"]
