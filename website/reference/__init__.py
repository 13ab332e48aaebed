"""The reference, a page each, made from the code that is installed: nothing in it is written by hand."""

from __future__ import annotations

from collections.abc import Callable

from website.reference import cli, codes, http, metrics, python, settings

PAGES: dict[str, Callable[[], str]] = {
    "codes.md": codes.page,
    "settings.md": settings.page,
    "cli.md": cli.page,
    "http.md": http.page,
    "metrics.md": metrics.page,
    "python.md": python.page,
}


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    return {name: make() for name, make in PAGES.items()}
