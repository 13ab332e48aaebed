"""The SQL of the store, by name: read once from sql/queries.sql and sql/migrations/."""

from __future__ import annotations

from importlib.resources import files

_SQL = files(__package__) / "sql"


def _named(text: str) -> dict[str, str]:
    """`-- name: x` starts the query x; it ends at the next one."""
    found = {}
    for part in text.split("-- name: ")[1:]:
        name, _, query = part.partition("\n")
        found[name.strip()] = query.strip().removesuffix(";")
    return found


QUERIES = _named((_SQL / "queries.sql").read_text())


def migrations() -> list[str]:
    """Scripts in order; the n-th (from 1) brings a journal from user_version n - 1 to n."""
    folder = _SQL / "migrations"
    return [(folder / name).read_text() for name in sorted(entry.name for entry in folder.iterdir())]


def schema() -> str:
    """What the migrations amount to, for people to read; a test holds it to them."""
    return (_SQL / "schema.sql").read_text()
