"""The MCP inspector's command line, where it is installed: `python -m benchmarks.agents.inspector FOLDER` does that."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from benchmarks.agents.inspector import talk


def test_the_inspector_calls_is_refused_approved_and_deduplicated(tmp_path):
    folder = os.environ.get("LICTOR_INSPECTOR")
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if folder is None:
        pytest.skip("LICTOR_INSPECTOR names no folder where benchmarks.agents.inspector has installed it")
    checks = talk(Path(folder) / "node_modules" / ".bin" / "mcp-inspector", tmp_path)
    assert [name for name, holds in checks.items() if not holds] == []
    assert len(checks) == 14
