"""What suites show of the surfaces: cases that schemathesis made, the authorization matrix, the official MCP peers.

Each runs as a process of its own, as `make test` and anyone would run it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from benchmarks.agents.inspector import install, talk

#: Examples of each operation in the long run: some 20,000 cases in all.
EXAMPLES, EXAMPLES_QUICK = 650, 2
#: Of what it tells of failures, so much is kept.
SAID_MAX = 8_000


def schemathesis(*, quick: bool) -> dict[str, Any]:
    """Cases and findings of one run, all checks, stateful links too."""
    examples = EXAMPLES_QUICK if quick else EXAMPLES
    command = [sys.executable, "-m", "tests.surfaces.http.fuzz", str(examples)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = re.search(r"(\d+) cases, (\d+) failures, exit code \d+\s*$", ran.stdout)
    if found is None:
        raise RuntimeError(f"schemathesis did not end as it should: {ran.stdout[-2_000:]}")
    said = ran.stdout[ran.stdout.find("= FAILURES =") :][:SAID_MAX] if int(found[2]) else ""
    return {"cases": int(found[1]), "findings": int(found[2]), "said": said}


def passed(folder: Path, *paths: str) -> dict[str, Any]:
    """How many tests of these files passed, failed and were skipped."""
    report = folder / "suite.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *paths]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    suite = next(ET.parse(report).iter("testsuite"))
    count = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    good = count["tests"] - count["failures"] - count["errors"] - count["skipped"]
    return {"passed": good, "run": count["tests"] - count["skipped"], "skipped": count["skipped"]}


def inspector(folder: Path) -> dict[str, Any]:
    """What the MCP inspector's command line finds, by check."""
    work = folder / "inspector" / "work"
    bin_ = install(folder / "inspector")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    checks = talk(bin_, work)
    return {"passed": sum(map(bool, checks.values())), "run": len(checks), "checks": checks}
