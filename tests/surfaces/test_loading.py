"""An App is found by name, and what is none is said with a code and the user's own place."""

import sys
from pathlib import Path

import pytest

from lictor import App, DeclarationError
from lictor.surfaces.loading import load

MODULE = """
from lictor import App

app = App("a")


def make():
    return App("made")


async def main():
    raise AssertionError("never started")


def breaks():
    return 1 / 0
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    name = "loaded_by_name"
    Path(tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_an_app_or_what_makes_one(module):
    assert isinstance(load(module), App)
    assert load(f"{module}:make").name == "made"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("App", "is a type, not an App"),
        ("main", "is a function, not an App"),
        ("breaks", "ZeroDivisionError"),
        ("apq", "has no 'apq'"),
    ],
)
def test_what_is_no_app_is_neither_called_nor_a_defect(module, name, said):
    with pytest.raises(DeclarationError, match=said):
        load(f"{module}:{name}")
