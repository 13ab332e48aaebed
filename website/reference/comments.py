"""Comments that document a name: the `#:` lines above it, as they stand in the source."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType


def documented(owner: type | ModuleType) -> dict[str, str]:
    """What is assigned in a class or module, in its order, by name, with the `#:` lines above it joined."""
    lines = inspect.getsource(owner).splitlines()
    shift = len(lines[0]) - len(lines[0].lstrip())
    tree = ast.parse("\n".join(line[shift:] for line in lines))
    body = tree.body[0].body if isinstance(owner, type) else tree.body
    found: dict[str, str] = {}
    for node in body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if _assigns(node) else None
        if isinstance(target, ast.Name):
            found[target.id] = _above(lines, node.lineno - 1)
    return found


def _assigns(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and len(node.targets) == 1


def _above(lines: list[str], place: int) -> str:
    said: list[str] = []
    while place > 0 and (line := lines[place - 1].strip()).startswith("#:"):
        said.insert(0, line.removeprefix("#:").strip())
        place -= 1
    return " ".join(said)
