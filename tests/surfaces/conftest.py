from __future__ import annotations

import sys

import pytest
from tests.surfaces.shell import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LICTOR_JOURNAL", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield Shell(tmp_path, capsys)
    for name in ("payouts", "changed"):
        sys.modules.pop(name, None)
