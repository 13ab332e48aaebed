"""One Python file as the tidy rules see it: its imports resolved, what it mentions, its strings."""

import ast
import builtins
from dataclasses import dataclass
from functools import cached_property

ENGINE = "src/lictor/"


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def in_engine(self) -> bool:
        return self.path.startswith(ENGINE)

    @property
    def part(self) -> str:
        """The folder or file of src/lictor it belongs to."""
        return self.path.removeprefix(ENGINE).split("/")[0] if self.in_engine else ""

    @property
    def name(self) -> str:
        """The dotted name: `lictor.journal.port`."""
        return self.path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def absolute(self, node: ast.ImportFrom) -> str:
        """The dotted name of the module that a `from ... import` reads."""
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.path.endswith("__init__.py") else self.name.split(".")[:-1]
        return ".".join(package[: len(package) - node.level + 1] + ([node.module] if node.module else []))

    @cached_property
    def imported(self) -> list[tuple[str, str, str, int]]:
        """Each import: the local name that it binds, what that stands for, the dotted name that it reads, the line."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for name, local in ((alias.name, alias.asname) for alias in node.names):
                    first = name.split(".")[0]  # `import a.b` binds `a`
                    found.append((local or first, name if local else first, name, node.lineno))
            elif isinstance(node, ast.ImportFrom):
                base = self.absolute(node)
                names = [(alias.asname or alias.name, f"{base}.{alias.name}") for alias in node.names]
                found += [(local, name, name, node.lineno) for local, name in names]
        return found

    @cached_property
    def bindings(self) -> dict[str, str]:
        """Local name -> the dotted name that it stands for."""
        return {local: name for local, name, _, _ in self.imported}

    def dotted(self, node: ast.AST) -> str:
        """What an expression like `dt.now` names once imports are resolved; empty when it is no such thing."""
        if isinstance(node, ast.Name):
            return self.bindings.get(node.id, node.id if hasattr(builtins, node.id) else "")
        if isinstance(node, ast.Attribute) and (base := self.dotted(node.value)):
            return f"{base}.{node.attr}"
        return ""

    @cached_property
    def mentions(self) -> set[tuple[str, int]]:
        """Each dotted name that is imported or read, with its line."""
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Attribute | ast.Name))
        return {(self.dotted(node), node.lineno) for node in nodes} | {
            (name, line) for _, _, name, line in self.imported
        }

    @cached_property
    def strings(self) -> list[ast.Constant]:
        """String literals that are not docstrings."""
        described = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        docs = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, described) and node.body and isinstance(node.body[0], ast.Expr)
        }
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Constant) and id(node) not in docs)
        return [node for node in nodes if isinstance(node.value, str)]
