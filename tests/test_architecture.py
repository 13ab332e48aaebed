"""The imports of DESIGN section 2 hold, and each contract is shown to catch what it is for.

The contracts are in pyproject.toml. Each case adds one import to a copy of the tree and runs the linter on the copy.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
STAGES = {"inputs", "decisions", "validation", "execution", "monitoring", "feedback"}

TREE = "The tree is the architecture"
APP = "An App only declares"
STORES = "Only the node opens a store"
PURE = "Deciding, validating and counting do no I/O and draw nothing"
EFFECTS = "Only execution touches an effector"
DESKS = "Desks use public names only"
CYCLES = "No cycles"


def faults(tree: Path) -> dict[str, set[str]]:
    """What the linter finds in that tree: contract -> the lines that say what breaks it."""
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / "src"), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts: " in run.stdout, f"the linter did not finish\n{run.stdout}\n{run.stderr}"
    names = re.findall(r"^(.+) BROKEN(?: \(.*\))?$", run.stdout, flags=re.MULTILINE)
    assert bool(names) == (run.returncode != 0), run.stdout
    details = run.stdout.partition("Broken contracts\n")[2]
    _, *sections = re.split(r"^(.+)\n-{3,}\n", details, flags=re.MULTILINE)  # name, text, name, text, ...
    found = {name: set(text.splitlines()) - {""} for name, text in zip(sections[::2], sections[1::2], strict=True)}
    assert set(found) == set(names), run.stdout
    return found


def copy(folder: Path) -> Path:
    """Put the package and its contracts into that folder."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> tuple[Path, dict[str, set[str]]]:
    """A copy of the package and its contracts, and what is wrong with it already, so that no proof rests on that."""
    tree = copy(tmp_path_factory.mktemp("clean"))
    return tree, faults(tree)


@pytest.fixture
def spoil(clean, tmp_path):
    """Adds files to a copy of the copy; gives what the linter finds beyond what it found before."""

    def found(files: dict[str, str]) -> dict[str, set[str]]:
        tree = shutil.copytree(clean[0], tmp_path / "tree")
        add(tree, files)
        new = {name: lines - clean[1].get(name, set()) for name, lines in faults(tree).items()}
        return {name: lines for name, lines in new.items() if lines}

    return found


def add(tree: Path, files: dict[str, str]) -> None:
    """Append code to modules of the copy; a module or package that is not there yet is made."""
    for name, code in files.items():
        path = tree / "src" / "lictor" / name
        for folder in [path.parent, *path.parent.parents]:
            if folder == tree / "src":
                break
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").touch()
        with path.open("a") as file:
            file.write(f"\n{code}\n")


def test_every_contract_holds_in_the_tree_as_it_is(clean):
    assert not clean[1], "\n".join(line for name, lines in clean[1].items() for line in (name, *sorted(lines)))


# What each contract is for: its name, and the smallest change that breaks it.
VIOLATIONS = {
    "a stage imports another stage": (TREE, {"validation/x.py": "import lictor.decisions"}),
    "a stage imports another stage in a function": (TREE, {"inputs/x.py": "def f():\n    import lictor.feedback"}),
    "feedback calls validation": (TREE, {"feedback/x.py": "from lictor import validation"}),
    "a stage imports another stage for its types": (
        TREE,
        {"monitoring/x.py": "import typing\nif typing.TYPE_CHECKING:\n    import lictor.inputs"},
    ),
    "a stage reaches the node through the public names": (
        TREE,
        {"node.py": "", "__init__.py": "import lictor.node", "inputs/x.py": "import lictor"},
    ),
    "a stage imports the pipeline": (TREE, {"pipeline.py": "", "execution/x.py": "import lictor.pipeline"}),
    "a stage imports the app": (TREE, {"app.py": "", "decisions/x.py": "import lictor.app"}),
    "capacity imports a stage": (TREE, {"capacity/x.py": "import lictor.validation"}),
    "the journal imports capacity": (TREE, {"journal/x.py": "import lictor.capacity"}),
    "a leaf imports the journal": (TREE, {"declarations/x.py": "import lictor.journal"}),
    "records import another leaf": (TREE, {"records.py": "import lictor.lifecycle"}),
    "runtime imports records": (TREE, {"runtime/x.py": "import lictor.records"}),
    "errors import anything": (TREE, {"errors.py": "import lictor.records"}),
    "the pipeline imports the node": (TREE, {"node.py": "", "pipeline.py": "import lictor.node"}),
    "the pipeline imports what assembles it": (TREE, {"pipeline.py": "import lictor.assembly"}),
    "what assembles imports what steers": (TREE, {"assembly.py": "import lictor.steering"}),
    "an entry imports a stage": (TREE, {"entry.py": "import lictor.validation"}),
    "an entry imports a declaration": (TREE, {"entry.py": "import lictor.declarations"}),
    "the app imports an entry": (APP, {"app.py": "import lictor.entry"}),
    "the pipeline imports the app": (TREE, {"app.py": "", "pipeline.py": "import lictor.app"}),
    "the node imports a surface": (TREE, {"node.py": "import lictor.surfaces"}),
    "a surface imports a desk": (TREE, {"surfaces/x.py": "import lictor.desks"}),
    "the engine imports what is for tests": (TREE, {"node.py": "import lictor.testing"}),
    "a file that no layer lists": (TREE, {"scheduler.py": ""}),
    "a folder that no layer lists": (TREE, {"plugins/x.py": ""}),
    "the app imports the pipeline": (APP, {"pipeline.py": "", "app.py": "import lictor.pipeline"}),
    "the app imports a stage": (APP, {"app.py": "from lictor.validation import *"}),
    "the app reads a clock": (APP, {"app.py": "from lictor.runtime import clock"}),
    "a declaration reads a clock": (APP, {"declarations/x.py": "from lictor.runtime import clock"}),
    "a declaration imports the app": (TREE, {"app.py": "", "declarations/x.py": "import lictor.app"}),
    "the app decides a state": (APP, {"app.py": "from lictor.lifecycle import DecisionState"}),
    "the pipeline opens the memory store": (
        STORES,
        {"journal/memory.py": "", "pipeline.py": "import lictor.journal.memory"},
    ),
    "what assembles opens the memory store": (
        STORES,
        {"journal/memory.py": "", "assembly.py": "import lictor.journal.memory"},
    ),
    "a stage opens the SQLite store": (
        STORES,
        {"journal/sqlite/x.py": "", "execution/x.py": "import lictor.journal.sqlite.x"},
    ),
    "a stage opens the PostgreSQL store": (
        STORES,
        {"journal/postgres/x.py": "", "inputs/x.py": "import lictor.journal.postgres"},
    ),
    "the journal's front exports a store": (
        STORES,
        {"journal/memory.py": "", "journal/__init__.py": "from . import memory"},
    ),
    "a server opens a store": (
        STORES,
        {"journal/sqlite/x.py": "", "surfaces/http.py": "import lictor.journal.sqlite.x"},
    ),
    "decisions read the clock": (PURE, {"decisions/x.py": "import time"}),
    "decisions draw an identity": (PURE, {"decisions/x.py": "from uuid import uuid4"}),
    "validation draws a number": (PURE, {"validation/x.py": "def f():\n    import random"}),
    "validation reads the seam's clock": (PURE, {"validation/x.py": "from lictor.runtime.clock import SystemClock"}),
    "validation opens a file": (PURE, {"validation/x.py": "from pathlib import Path"}),
    "validation asks a server": (PURE, {"validation/x.py": "import urllib.request"}),
    "capacity takes a lock": (PURE, {"capacity/x.py": "from threading import Lock"}),
    "capacity reads a database": (PURE, {"capacity/x.py": "import sqlite3"}),
    "a surface performs an effect": (EFFECTS, {"execution/x.py": "", "surfaces/x.py": "import lictor.execution.x"}),
    "what steers performs an effect": (EFFECTS, {"execution/x.py": "", "steering.py": "import lictor.execution.x"}),
    "the app performs an effect": (EFFECTS, {"app.py": "import lictor.execution"}),
    "a desk imports a record from where it is defined": (DESKS, {"desks/x.py": "from lictor.records import Decision"}),
    "a desk imports a store": (DESKS, {"journal/memory.py": "", "desks/trading/x.py": "import lictor.journal.memory"}),
    "a desk imports a surface": (DESKS, {"desks/trading/x.py": "def f():\n    import lictor.surfaces"}),
    "two files of a folder import each other": (
        CYCLES,
        {"capacity/x.py": "from . import y", "capacity/y.py": "from . import x"},
    ),
}


@pytest.mark.parametrize(("contract", "files"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_is_found(spoil, contract, files):
    assert contract in spoil(files)


def test_what_the_design_allows_is_allowed(spoil):
    found = spoil(
        {
            "runtime/probe.py": "",
            "declarations/x.py": "import lictor.records, lictor.errors",
            "app.py": "import lictor.declarations, lictor.records, lictor.errors",
            "pipeline.py": "\n".join(f"import lictor.{stage}" for stage in sorted(STAGES)),
            "node.py": "import lictor.assembly, lictor.steering, lictor.journal.memory, lictor.journal.sqlite.x",
            "journal/port.py": "import lictor.records, lictor.errors",
            "journal/memory.py": "import lictor.journal.port",
            "journal/sqlite/x.py": "import lictor.journal.port, sqlite3",
            "validation/x.py": "import lictor.capacity, lictor.journal.port\nfrom lictor.runtime.probe import *",
            "execution/x.py": "import lictor.runtime, lictor.lifecycle, lictor.journal.open, lictor.journal.rules",
            "feedback/x.py": "import lictor.entry, lictor.journal.state",
            "assembly.py": "\n".join(f"import lictor.{stage}" for stage in sorted(STAGES)),
            "steering.py": "import lictor.app, lictor.pipeline, lictor.journal.port",
            "surfaces/x.py": "import lictor.node",
            "desks/x.py": "import lictor\nfrom lictor import testing\nfrom lictor.desks import trading",
            "testing/x.py": "import lictor.node, lictor.journal.memory, lictor.execution.x",
            "__main__.py": "import lictor.surfaces",
        },
    )
    assert found == {}


def test_only_the_pipeline_and_what_assembles_it_import_all_six_stages():
    graph = grimp.build_graph("lictor", cache_dir=None)
    for module in graph.modules - {"lictor.pipeline", "lictor.assembly"}:
        imported = {name.split(".")[1] for name in graph.find_modules_directly_imported_by(module) if "." in name}
        assert not imported >= STAGES, module
