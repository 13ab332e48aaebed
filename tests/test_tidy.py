"""The tree stays tidy: each rule is a function from one module to its faults, and is shown to catch a fault.

Reads every Python file of src/, tests/ and benchmarks/. An exception is declared in the table beside its rule, with a
reason, and one that is no longer needed fails.
"""

import ast
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from tests.module import ENGINE, Module

ROOT = Path(__file__).parents[1]

LINES_MAX = 400
COLUMNS_MAX = 120
FUNCTION_LINES_MAX = 50
PIPELINE_LINES_MAX = 149  # it has to be readable aloud

#: Functions that may be longer, at most five: "path:name" -> why it reads better whole.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FUNCTIONS_MAX = 5

#: Dotted name -> where it comes from instead. Banned in src/ outside runtime/, itself and everything below it.
SEAMS = {
    "time": "runtime.clock",
    "datetime.datetime.now": "runtime.clock",
    "datetime.datetime.utcnow": "runtime.clock",
    "datetime.datetime.today": "runtime.clock",
    "datetime.date.today": "runtime.clock",
    "asyncio.sleep": "runtime.clock (a bare `sleep(0)`, which only yields, is fine)",
    "random": "runtime's randomness",
    "secrets": "runtime's randomness",
    "os.urandom": "runtime's randomness",
    "os.getrandom": "runtime's randomness",
    "uuid": "runtime's ids",
    "threading": "runtime.offload",
    "_thread": "runtime.offload",
    "concurrent.futures": "runtime.offload",
    "multiprocessing": "runtime.offload",
    "subprocess": "runtime.offload",
    "asyncio.to_thread": "runtime.offload",
    "asyncio.create_subprocess_exec": "runtime.offload",
    "asyncio.create_subprocess_shell": "runtime.offload",
    "os.fork": "runtime.offload",
    "os.system": "runtime.offload",
    "os.popen": "runtime.offload",
}

#: (path prefix, dotted name) -> why the seam does not serve there.
SEAM_EXCEPTIONS = {
    (
        "desks/trading/fix/link.py",
        "datetime.datetime.now",
    ): "FIX stamps each message as it leaves; no decision reads it",
    ("desks/trading/fix/store.py", "datetime.datetime.now"): "the FIX engine asks when the session was made",
    (
        "desks/trading/demo/",
        "asyncio.create_subprocess_exec",
    ): "the demo starts the venue, and `lictor verify`, as processes of their own",
    ("desks/agents/demo/", "asyncio.create_subprocess_exec"): "likewise: the bank, the node, and what a person types",
    ("desks/trading/venue/", "time"): "the venue is a process of its own, outside the engine",
    ("desks/trading/venue/", "asyncio.sleep"): "likewise",
    ("testing/fence.py", "threading"): "it is what stops threads",
    ("testing/fence.py", "time"): "it is what stops real sleeps",
    ("testing/", "asyncio.sleep"): "the simulated world waits in the loop's own virtual time",
    ("testing/streams.py", "random"): "a seed is where a simulation starts",
}

UNSAFE = ("pickle", "marshal", "shelve", "yaml.load", "yaml.unsafe_load", "eval", "exec")

VAGUE_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

PURE = ("decisions", "validation", "capacity")
IMPURE = re.compile(r"open|input|asyncio\.(open_\w+|start_\w+|get_running_loop|get_event_loop)")

SQL = re.compile(
    r"\s*(select\b.+\bfrom\b|select\s+\w+\(|insert\s+(or\s+\w+\s+)?into\b|replace\s+into\b|update\s+\w+\s+set\b"
    r"|delete\s+from\b|create\s+(unique\s+|temp\s+|virtual\s+)?(table|index|view|trigger)\b|alter\s+table\b"
    r"|drop\s+(table|index|view|trigger)\b|with\s+\w+.*\bas\s*\()",
    re.IGNORECASE | re.DOTALL,
)


def under(name: str, banned: str) -> bool:
    return name == banned or name.startswith(f"{banned}.")


def too_many_lines(module: Module) -> Iterator[str]:
    most = PIPELINE_LINES_MAX if module.path == f"{ENGINE}pipeline.py" else LINES_MAX
    if (count := len(module.text.splitlines())) > most:
        yield f"{count} lines; at most {most}: split it by noun"


def too_wide(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.text.splitlines(), 1):
        if len(line) > COLUMNS_MAX:
            yield f"{number}: {len(line)} columns; at most {COLUMNS_MAX}"


def long_functions(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES_MAX:
                yield f"{module.path}:{node.name}", count


def too_long_a_function(module: Module) -> Iterator[str]:
    for name, count in long_functions(module):
        if name not in LONG_FUNCTIONS:
            yield f"{name} has {count} lines; at most {FUNCTION_LINES_MAX}"


def undescribed(module: Module) -> Iterator[str]:
    named_for_what_it_tests = re.match(r"tests/(.+/)?(test_\w+|conftest)\.py", module.path)
    if not named_for_what_it_tests and not ast.get_docstring(module.tree):
        yield "no module docstring: say what it does, reads and writes"


def excepted(module: Module, name: str) -> bool:
    return any(module.path.startswith(ENGINE + path) and name == allowed for path, allowed in SEAM_EXCEPTIONS)


def past_a_seam(module: Module) -> Iterator[str]:
    if not module.in_engine or module.part == "runtime":
        return
    banned = [name for name in SEAMS if not excepted(module, name)]
    yields = {
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and [ast.unparse(arg) for arg in node.args] == ["0"]
    }
    for name, line in sorted(module.mentions, key=lambda mention: mention[1]):
        for seam in (seam for seam in banned if under(name, seam)):
            if not (seam == "asyncio.sleep" and line in yields):
                yield f"{line}: {name} comes from {SEAMS[seam]}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr == "run_in_executor":
            yield f"{node.lineno}: run_in_executor is runtime.offload's"


def impure(module: Module) -> Iterator[str]:
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and module.part in PURE)
    for node in calls:
        if IMPURE.fullmatch(name := module.dotted(node.func)):
            yield f"{node.lineno}: {name}() is I/O or a clock; {module.part}/ is passed what it reads"


def unsafe(module: Module) -> Iterator[str]:
    for name, line in module.mentions:
        if any(under(name, banned) for banned in UNSAFE):
            yield f"{line}: {name} runs what it reads"


def unfinished(module: Module) -> Iterator[str]:
    for token in tokenize.generate_tokens(StringIO(module.text).readline):
        if token.type == tokenize.COMMENT and re.search(r"\b(TODO|FIXME|XXX|HACK)\b", token.string):
            yield f"{token.start[0]}: {token.string}"


def prints(module: Module) -> Iterator[str]:
    own_process = module.path.endswith("__main__.py")  # its standard output is how it answers
    if module.in_engine and module.part != "surfaces" and not own_process:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and module.dotted(node.func) == "print":
                yield f"{node.lineno}: print() is for surfaces/"


def vaguely_named(module: Module) -> Iterator[str]:
    for word in module.path.removesuffix(".py").split("/"):
        if word in VAGUE_NAMES:
            yield f"`{word}` names nothing: one noun a file"


def embedded_sql(module: Module) -> Iterator[str]:
    if module.part == "journal":
        for node in module.strings:
            if SQL.match(node.value):
                yield f"{node.lineno}: SQL lives in .sql files"


RULES: dict[Callable[[Module], Iterator[str]], list[tuple[str, str, str]]] = {
    # rule: (path, what it must catch, what it must leave alone)
    too_many_lines: [
        ("tests/x.py", "#\n" * 401, "#\n" * 400),
        (f"{ENGINE}pipeline.py", "#\n" * 150, "#\n" * 149),
    ],
    too_wide: [(f"{ENGINE}x.py", "#" * 121, "#" * 120)],
    too_long_a_function: [
        (f"{ENGINE}x.py", "def f():\n" + " 1\n" * 50, "def f():\n" + " 1\n" * 49),
        (f"{ENGINE}x.py", "class A:\n async def f():\n" + "  1\n" * 50, "class A:\n" + " a = 1\n" * 60),
    ],
    undescribed: [
        ("tests/x.py", "import ast", '"""What it does."""'),
        (f"{ENGINE}test_x.py", "import ast", '"""What it does."""'),
    ],
    past_a_seam: [
        (f"{ENGINE}node.py", "import time\ntime.time()", "from lictor.runtime.clock import SystemClock"),
        (f"{ENGINE}node.py", "from time import monotonic", "from datetime import time"),
        (
            f"{ENGINE}node.py",
            "import datetime as d\nd.datetime.now()",
            "import datetime as d\nd.datetime.fromtimestamp(0)",
        ),
        (f"{ENGINE}node.py", "from datetime import datetime\ndatetime.now()", "from datetime import datetime\nnow()"),
        (f"{ENGINE}inputs/x.py", "def f():\n import random", "draw = object()\ndraw.random()"),
        (f"{ENGINE}inputs/x.py", "from uuid import uuid4", "uuid4 = 1"),
        (f"{ENGINE}inputs/x.py", "import os\nos.urandom(8)", "import os\nos.fsync(8)"),
        (f"{ENGINE}inputs/x.py", "import secrets", "secret = 1"),
        (f"{ENGINE}execution/x.py", "import threading", "import asyncio"),
        (f"{ENGINE}execution/x.py", "from concurrent import futures", "from asyncio import Future"),
        (f"{ENGINE}execution/x.py", "import concurrent.futures", "def f(time, random):\n time.time(random.a)"),
        (f"{ENGINE}execution/x.py", "import subprocess as s", "import signal"),
        (f"{ENGINE}execution/x.py", "import asyncio\nasyncio.to_thread(f)", "import asyncio\nasyncio.gather(f)"),
        (f"{ENGINE}execution/x.py", "loop.run_in_executor(None, f)", "loop.create_task(f)"),
        (f"{ENGINE}execution/x.py", "import asyncio\nasyncio.sleep(1)", "import asyncio\nasyncio.sleep(0)"),
        (f"{ENGINE}execution/x.py", "from asyncio import sleep\nsleep(0.1)", "clock.sleep(1)"),
    ],
    impure: [
        (f"{ENGINE}validation/x.py", "open('a')", "state.open('a')"),
        (f"{ENGINE}decisions/x.py", "import asyncio\nasyncio.open_connection('a', 1)", "opening('a')"),
        (f"{ENGINE}capacity/x.py", "from asyncio import get_running_loop\nget_running_loop().time()", "now.time()"),
    ],
    unsafe: [
        ("tests/x.py", "import pickle", "from lictor import pickles"),
        (f"{ENGINE}x.py", "eval('1')", "gate.eval('1')"),
        (f"{ENGINE}x.py", "import yaml\nyaml.load(a)", "import yaml\nyaml.safe_load(a)"),
        (f"{ENGINE}x.py", "from marshal import loads", "from json import loads"),
    ],
    unfinished: [("tests/x.py", "a = 1  # TODO later", "a = 'TODO'"), ("tests/x.py", "# FIXME", "# fixed")],
    prints: [(f"{ENGINE}node.py", "print(1)", "console.print(1)")],
    vaguely_named: [(f"{ENGINE}utils.py", "", ""), (f"{ENGINE}common/x.py", "", "")],
    embedded_sql: [
        (f"{ENGINE}journal/x.py", "a = 'select a from b'", '"""Select what comes from the store."""'),
        (f"{ENGINE}journal/x.py", "a = f'INSERT OR IGNORE INTO {b}'", "a = 'inserted into the journal'"),
        (f"{ENGINE}journal/x.py", "db.execute('create table a (b)')", "db.execute(sql.create_table)"),
        (f"{ENGINE}journal/x.py", "a = 'WITH a AS (select 1)'", "a = 'with all of it'"),
    ],
}


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    paths = [path for folder in ("src", "tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    return [Module(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_nothing_is(modules, rule):
    faults = [f"{module.path}: {fault}" for module in modules for fault in rule(module)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("rule", "path", "bad", "good"),
    [(rule, *case) for rule, cases in RULES.items() for case in cases],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_rule_catches(rule, path, bad, good):
    assert list(rule(Module(path, bad)))
    innocent = "src/lictor/queue.py" if rule is vaguely_named else path
    assert list(rule(Module(innocent, good))) == []


def test_exceptions_are_few_and_needed(modules):
    assert len(LONG_FUNCTIONS) <= LONG_FUNCTIONS_MAX
    assert set(LONG_FUNCTIONS) <= {name for module in modules for name, _ in long_functions(module)}
    for (path, name), reason in SEAM_EXCEPTIONS.items():
        users = [module for module in modules if module.path.startswith(ENGINE + path)]
        assert reason
        assert any(under(read, name) for module in users for read, _ in module.mentions), f"{path} does not use {name}"


#: Imported by users, not by the engine.
FOR_USERS = ("lictor.testing.", "lictor.desks.agents.")


def dead_files(modules: list[Module], entry_points: set[str]) -> set[str]:
    """Modules of src/ that nothing reaches: no import in src/, no entry point, no `-m` naming them as a string.

    What is in testing/, and the adapters of desks/agents/, are for users, so an import by a test counts as one.
    """
    alive = set(entry_points)
    for module in modules:
        named = {name for _, _, name, _ in module.imported} | {node.value for node in module.strings}
        named |= {name.rpartition(".")[0] for name in named if "." in name}
        named.discard(module.name)
        alive |= named if module.in_engine else {name for name in named if name.startswith(FOR_USERS)}
    endings = ("/__init__.py", "/__main__.py")
    return {m.path for m in modules if m.in_engine and not m.path.endswith(endings) and m.name not in alive}


def test_no_file_is_dead(modules):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    dead = dead_files(modules, {target.split(":")[0] for group in groups for target in group.values()})
    assert not dead, f"imported by no one: {sorted(dead)}"


def test_a_dead_file_is_found():
    modules = [
        Module(f"{ENGINE}__init__.py", "from .app import App"),
        Module(f"{ENGINE}app.py", "import lictor.records\nrun('lictor.venue')"),
        Module(f"{ENGINE}records.py", ""),
        Module(f"{ENGINE}venue.py", ""),
        Module(f"{ENGINE}desk.py", ""),
        Module(f"{ENGINE}dead.py", "from lictor import dead"),
        Module(f"{ENGINE}tested.py", ""),
        Module(f"{ENGINE}testing/clock.py", ""),
        Module("tests/test_x.py", "from lictor.testing.clock import Clock\nfrom lictor import tested"),
    ]
    assert dead_files(modules, {"lictor.desk"}) == {f"{ENGINE}dead.py", f"{ENGINE}tested.py"}
