"""Finds the route of a path: whole paths by look-up, those with named parts segment by segment."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from .route import Route


class Paths:
    """The routes of a table, by path and method."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._whole: dict[str, dict[str, Route]] = {}
        self._parts: dict[int, list[tuple[tuple[str, ...], dict[str, Route]]]] = {}
        self._tails: list[tuple[str, str, dict[str, Route]]] = []
        for route in routes:
            methods = self._place(route.path)
            if route.method in methods:
                raise ValueError(f"{route.method} {route.path} is there twice")
            methods[route.method] = route

    def _place(self, path: str) -> dict[str, Route]:
        if path.endswith(":path}"):
            head, _, name = path.removesuffix(":path}").rpartition("{")
            for known, _name, methods in self._tails:
                if known == head:
                    return methods
            made: dict[str, Route] = {}
            self._tails.append((head, name, made))
            return made
        if "{" not in path:
            return self._whole.setdefault(path, {})
        parts = tuple(path.split("/"))
        for known_parts, methods in self._parts.setdefault(len(parts), []):
            if known_parts == parts:
                return methods
        self._parts[len(parts)].append((parts, made := {}))
        return made

    def find(self, path: str, raw_path: bytes) -> tuple[dict[str, Route], dict[str, str]]:
        """The routes at a path, by method, and its named parts; none where nothing is there."""
        methods = self._whole.get(path)
        if methods is not None:
            return methods, {}
        given = raw_path.decode("ascii", "replace").split("/")  # an escaped slash belongs to its part
        for parts, found in self._parts.get(len(given), ()):
            named = {}
            for part, value in zip(parts, given, strict=True):
                if part[:1] == "{":
                    if not value:
                        break
                    named[part[1:-1]] = unquote(value)
                elif part != value:
                    break
            else:
                return found, named
        for head, name, found in self._tails:
            if path.startswith(head):
                return found, {name: path[len(head) :]}
        return {}, {}
