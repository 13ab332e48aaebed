"""The generated reference has everything that there is."""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields

import pytest
from website import reference
from website.reference import tables

import lictor
from lictor import App, Code, Node, Settings
from lictor.surfaces.cli.commands import build


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each row of a page's tables, by the first."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {re.match(r"`([^`]+)`", cells[0])[1]: cells for cells in lines}


def test_every_code_says_what_it_means(pages) -> None:
    found = rows(pages["codes.md"])
    for code in Code:
        assert found[code.value][1].strip(), code


def test_every_setting_says_what_it_does(pages) -> None:
    found = rows(pages["settings.md"])
    assert {one.name for one in fields(Settings)} == set(found)
    assert all(len(cells) == 4 and cells[3].strip() for cells in found.values())
    assert found["durability"][2] == "`'sync'`"


def test_every_command_is_there_with_its_options(pages) -> None:
    page = pages["cli.md"]
    for name in build():
        if not name.startswith("-"):
            assert re.search(rf"^## {name}\b", page, re.MULTILINE), name
    assert "`--durability CHOICE`" in page


def test_every_metric_of_a_node_is_there(pages) -> None:
    async def shown() -> str:
        async with Node(App("empty")) as node:
            return node.metrics()

    told = re.findall(r"^# TYPE (\w+) (\w+)$", asyncio.run(shown()), re.MULTILINE)
    found = rows(pages["metrics.md"])
    assert len(told) > 20
    # In the text format the creation time of a counter is a family of its own.
    for name, kind in told:
        if not name.endswith("_created"):
            assert found[name][1] == kind, name
    assert found["lictor_verdicts_total"][2] == "`kind`, `source`, `verdict`, `code`"


def test_every_public_name_is_there(pages) -> None:
    for name in lictor.__all__:
        assert f"{{ #lictor-{name} }}" in pages["python.md"], name
    assert "(self" not in pages["python.md"]
    assert "**Node.submit**" in pages["python.md"]
    assert "`NodeStoppedError`: the node takes no work." in pages["python.md"]


def test_every_route_is_there_with_its_permission(pages) -> None:
    from lictor.surfaces.http.table import ROUTES

    for route in ROUTES:
        row = f"| `{route.method}` | `{route.path}` | {route.permission} | {tables.cell(route.summary)} |"
        assert row in pages["http.md"], route


def test_a_cell_cannot_end_its_row() -> None:
    assert tables.table(("a",), [("one | two\nthree",)]).splitlines()[-1] == "| one \\| two three |"
