from __future__ import annotations

import pytest
from tests.surfaces.mcp.office import OFFICE, Office


@pytest.fixture
def office(tmp_path, monkeypatch) -> Office:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "office.py").write_text(OFFICE)
    return Office(tmp_path)
