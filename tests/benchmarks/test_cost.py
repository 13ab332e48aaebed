"""What a governed durable decision costs, counted in Python instructions: a gate that no noise of the machine moves.

The bounds are about a tenth above what was measured; whoever passes one has made every decision dearer.
"""

import asyncio
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from benchmarks.speed import arms
from benchmarks.speed.run import Run

import lictor

OURS = str(Path(lictor.__file__).parent)
DECISIONS = 256
CONCURRENT = 64
#: Instructions and calls of the engine's own code for one decision, by version of CPython; 3.12 tells a tracer of no
#: instructions, so that there calls alone are held to.
BOUNDS = {(3, 11): (6_100, 154), (3, 12): (None, 152), (3, 13): (5_450, 152)}


class Counted:
    """Instructions and calls of the engine's own code."""

    def __init__(self) -> None:
        self.instructions = 0
        self.calls = 0
        self._ours: dict[CodeType, bool] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        """As `sys.settrace` calls it for each new frame, and for each instruction of ours."""
        if event == "opcode":
            self.instructions += 1
        elif event == "call":
            code = frame.f_code
            ours = self._ours.get(code)
            if ours is None:
                ours = self._ours[code] = code.co_filename.startswith(OURS)
            if not ours:
                return None
            self.calls += 1
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self


def spent(path: Path) -> tuple[float, float]:
    """Instructions and calls for one of many concurrent decisions: 5 gates, one balance, a commit to disk."""
    counted = Counted()

    async def main() -> None:
        arm = arms.make(Run(name="cost", arm="lictor", measure="closed_loop", concurrent=CONCURRENT))
        await arm.open(path)

        async def submit(first: int, count: int) -> None:
            numbers = iter(range(first, first + count))

            async def one_by_one() -> None:
                for number in numbers:
                    await arm.submit(number)

            await asyncio.gather(*(one_by_one() for _ in range(CONCURRENT)))

        await submit(0, DECISIONS)
        before = sys.gettrace()
        sys.settrace(counted)
        try:
            await asyncio.create_task(submit(DECISIONS, DECISIONS))
        finally:
            sys.settrace(before)
        await arm.close()

    asyncio.run(main())
    return counted.instructions / DECISIONS, counted.calls / DECISIONS


@pytest.mark.skipif(sys.version_info[:2] not in BOUNDS, reason="instructions differ from version to version")
def test_a_decision_costs_no_more_than_it_did(tmp_path: Path) -> None:
    instructions, calls = spent(tmp_path)
    instructions_max, calls_max = BOUNDS[sys.version_info[:2]]
    assert 0 < calls <= calls_max, f"{calls:.0f} calls for one decision; at most {calls_max}"
    if instructions_max is not None:
        assert 0 < instructions <= instructions_max, f"{instructions:.0f} instructions; at most {instructions_max}"
