"""The journal in one SQLite file: `SqliteJournal`; verify, backup, restore and retention work on its file."""

from .journal import SqliteJournal

__all__ = ["SqliteJournal"]
