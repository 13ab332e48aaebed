"""The public Python names, with their signatures and what they say of themselves."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

SECTIONS = {"Args:": "Arguments", "Returns:": "Returns", "Raises:": "Raises", "Yields:": "Yields"}
#: A longer signature has a line for each parameter.
SIGN_COLUMNS_MAX = 72
MODULES = {
    "lictor": "Everything that an application needs. Other modules are not public.",
    "lictor.client": "A client of the HTTP API; needs the extra `http`.",
    "lictor.testing": "For your tests: a simulated world in virtual time, and the suite that a journal must pass.",
}


def page() -> str:
    """Every public name of every public module."""
    return "# Python\n\n" + "\n".join(
        _module(importlib.import_module(name), about)
        for name, about in MODULES.items()
        if importlib.util.find_spec(name)
    )


def _module(module: ModuleType, about: str) -> str:
    names = sorted(module.__all__, key=str.lower)
    parts = [_name(module.__name__, name, getattr(module, name)) for name in names]
    return "\n".join([f"## {module.__name__}\n\n{about}\n", *parts])


def _name(where: str, name: str, value: Any) -> str:
    anchor = f"{where}.{name}".replace(".", "-")
    head = f"### {name} {{ #{anchor} }}\n"
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return f"{head}\n`{name}` is `{value!r:.80}`.\n"
    parts = [head, _signature(name, value), _described(value)]
    for member, found in _members(value) if inspect.isclass(value) else ():
        parts += [f"**{name}.{member}**\n", _signature(member, found), _described(found)]
    return "\n".join(parts)


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, those of bases that are parts of it included, in the order of the source."""
    seen: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith("lictor"):
            seen |= {name: getattr(owner, name) for name in vars(base) if not name.startswith("_")}
    for name, found in seen.items():
        if isinstance(found, property) or inspect.isroutine(found):
            yield name, found


def _signature(name: str, value: Any) -> str:
    if isinstance(value, property):
        return ""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    text = re.sub(r"lictor\.[\w.]+\.(\w+)", r"\1", re.sub(r"typing\.|collections\.abc\.", "", text))
    text = re.sub(r"\b[a-z_]+\.([A-Z]\w*)", r"\1", text)
    text = re.sub(r"<(?:function )?([\w.]+)(?:: | at )[^>]*>", r"\1", text)
    text = text.removesuffix(" -> None") if inspect.isclass(value) else text
    text = re.sub(r"\(self(?:, )?", "(", text)
    sign = "async " if inspect.iscoroutinefunction(value) else ""
    if len(text) > SIGN_COLUMNS_MAX:
        text = "(\n" + "".join(f"    {part},\n" for part in _apart(text)) + ")" + _after(text)
    return f"```text\n{sign}{name}{text}\n```\n"


def _closed(text: str) -> int:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return place
    return len(text)


def _after(text: str) -> str:
    return text[_closed(text) + 1 :]


def _apart(text: str) -> Iterable[str]:
    depth, part = 0, ""
    for letter in text[1 : _closed(text)]:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += letter
    if part.strip():
        yield part.strip()


def _described(value: Any) -> str:
    """A docstring in Google's form as Markdown."""
    text = inspect.getdoc(value) or ""
    for section, title in SECTIONS.items():
        text = re.sub(
            rf"^{section}\n((?:[ \t]+.*\n?|\n)+)",
            lambda found, title=title: f"\n{title}:\n\n{_items(found[1])}\n",
            text,
            flags=re.MULTILINE,
        )
    return text.strip() + "\n"


def _items(text: str) -> str:
    items: list[str] = []
    for line in textwrap.dedent(text).splitlines():
        if line.startswith(" ") and items:
            items[-1] += f" {line.strip()}"
        elif line.strip():
            items.append(line.strip())
    return "\n".join(f"- {_term(item)}" for item in items)


def _term(item: str) -> str:
    name, colon, rest = item.partition(": ")
    return f"`{name}`: {rest}" if colon and re.fullmatch(r"[\w.*, ]+", name) else item
