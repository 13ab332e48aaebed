"""The code of docs/guides/effectors.md runs, as one module from top to bottom, and does what the guide says."""

import asyncio
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from lictor import EffectFailed, Node, Settings
from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "effectors.md").read_text()


@pytest.fixture
def guide(tmp_path, monkeypatch):
    """The module that the guide's code makes, importable by worker processes."""
    path = tmp_path / "guide_of_effectors.py"
    path.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)))
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def test_its_effectors_do_what_it_says(guide):
    async def main():
        async with Node(guide.app, settings=Settings(durability="memory")) as node:

            async def outcome(address, how="mail"):
                handle = await node.submit(guide.Notify(address, how))
                return await asyncio.wait_for(handle.outcome(), 60)

            assert (await outcome("ann@x.example")).value.startswith("mailed ann@x.example as ")
            assert (await outcome("ann@busy.example")).attempts == 2
            assert (await outcome("ann@full.example")).code == "MAILBOX_FULL"
            assert (await outcome("1", "text")).value == "texted 1"
            assert (await outcome("1", "push")).value == "pushed to 1"
            assert (await outcome("cab", "render")).value == "abc"

    asyncio.run(main())


def test_its_figures_are_those_of_the_engine(guide):
    assert guide.mail.extra_work == 0.05
    assert EXTRA_PER_ROOT_MAX == 3
    assert EffectFailed("x", retry_after_s=3).retry
