"""CPython's own tests of what asyncio orders pass on this loop, where it runs steps in the order of asyncio."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MODULES = ("test_queues", "test_locks", "test_taskgroups", "test_timeouts", "test_waitfor", "test_context")

#: These two keep a real loop busy with time.sleep, which is fenced here.
FENCED = {"test_nested_timeouts_concurrent", "test_nested_timeouts_loop_busy"}

PROGRAM = """
import asyncio, functools, sys, unittest
from lictor.testing import SimLoop

class Policy(asyncio.DefaultEventLoopPolicy):
    new_event_loop = functools.partial(SimLoop, 1, policy="fifo")

names = ["test.test_asyncio." + name for name in sys.argv[1:]]
suite = unittest.defaultTestLoader.loadTestsFromNames(names)
asyncio.set_event_loop_policy(Policy())
asyncio.set_event_loop_policy = lambda policy: None  # each module puts the standard one back when it ends
unittest.TextTestRunner(verbosity=0).run(suite)
"""


def test_cpythons_tests_of_queues_locks_groups_and_time_outs_pass():
    pytest.importorskip("test.test_asyncio", reason="this Python came without its own tests")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *MODULES],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    ran = re.search(r"^Ran (\d+) tests", done.stderr, flags=re.MULTILINE)
    assert ran is not None, done.stderr
    assert int(ran[1]) > 150
    assert set(re.findall(r"^(?:ERROR|FAIL): (\w+)", done.stderr, flags=re.MULTILINE)) == FENCED, done.stderr
