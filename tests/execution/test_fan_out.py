"""What a plan of many actions costs does not grow with its square."""

import sys

import pytest
from tests.rig import Payout, payouts, simulate

import lictor.execution


def steps(count, *, fails):
    """Instructions of execution for one plan of so many actions, each of which returns in a turn of its own."""
    counted = 0
    ours = lictor.execution.__path__[0]

    def tracer(frame, event, argument):
        nonlocal counted
        if event == "call" and not frame.f_code.co_filename.startswith(ours):
            return None
        counted += event == "opcode"
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return tracer

    async def main(rig):
        def many(transfer, payout):
            return [transfer.action(f"a{n}", 1) for n in range(count)]

        await rig.start(payouts(rig.world, plan=many, slots=count // 2, timeout_s=300, kind={"expires_in_s": 600}))
        for n in range(count // 2):
            rig.world.says(f"a{n}", *(["fail"] if fails and not n else [1 + n / 100]))
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            return await rig.outcome(Payout("a"))
        finally:
            sys.settrace(before)

    return simulate(main).result, counted / count


@pytest.mark.parametrize(("fails", "result"), [(False, "succeeded"), (True, "failed")])
def test_what_each_action_costs_does_not_grow_with_their_number(fails, result):
    assert steps(50, fails=fails)[0] == result
    few, many = (steps(count, fails=fails)[1] for count in (100, 400))
    assert few > 100
    assert many <= 1.3 * few
