from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch) -> None:
    """The effector of the guide's App writes a file beside it."""
    monkeypatch.chdir(tmp_path)
