"""The code of docs/guides/testing.md does what the guide says, as one module from top to bottom."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path

import pytest

from lictor.errors import InvariantViolation
from lictor.execution.resolution import Resolution
from lictor.journal.codec import EVENTS
from lictor.testing import simulate
from lictor.testing.faulty_journal import JOURNAL_FAULTS
from lictor.testing.simulation import MACHINE_FAULTS
from lictor.testing.world import WORLD_FAULTS

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "testing.md").read_text()


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """The names that the guide's code defines."""
    path = tmp_path_factory.mktemp("guide") / "guide.py"
    path.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)))
    spec = importlib.util.spec_from_file_location("guide", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "guide", module)
        spec.loader.exec_module(module)
        yield vars(module)


def test_its_tests_pass(guide):
    tests = [value for name, value in guide.items() if name.startswith("test_") and inspect.isfunction(value)]
    assert len(tests) == 3
    for test in tests:
        test()


def test_its_scenario_finds_a_blind_retry(guide, monkeypatch):
    monkeypatch.setattr(Resolution, "_unknown", Resolution._again)
    with pytest.raises(InvariantViolation, match="I8"):
        all(simulate(seed, guide["Payday"]) for seed in range(100))


def test_it_names_every_kind_of_fault():
    for kind in (*WORLD_FAULTS, *JOURNAL_FAULTS, *MACHINE_FAULTS):
        assert f"`{kind}`" in GUIDE, kind
    assert {"admit", "start", "close"} <= set(EVENTS)
