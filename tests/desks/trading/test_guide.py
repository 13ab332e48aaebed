"""The guide's code runs, and its table names the gates and codes that there are."""

import re
import subprocess
import sys
from pathlib import Path

from lictor import Code
from lictor.desks.trading.rehearsal import app

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/guides/trading.md").read_text()


def test_its_code_runs():
    for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert "signal_valid" in ran.stdout


def test_its_table_names_every_gate_and_no_code_that_is_not_there():
    table = "\n".join(line for line in GUIDE.splitlines() if line.startswith("|"))
    for gate in app().gates["Trade"]:
        if gate.name not in {"large_approved", "affordable"}:
            assert f"`{gate.name}`" in table, gate.name
    sources = (ROOT / "src/lictor/desks/trading").rglob("*.py")
    known = " ".join(path.read_text() for path in sources) + " ".join(Code)
    for code in re.findall(r"`([A-Z_]{4,})`", table):
        assert code in known, code
