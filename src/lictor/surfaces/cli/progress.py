"""Progress of long work, on standard error, where someone watches; nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .output import console

#: Told how much is done, and of how much; None where that is not known.
Tell = Callable[[int, int | None], None]


@contextmanager
def progress(what: str, unit: str = "") -> Iterator[Tell]:
    """Show a bar, or a count, while the block runs."""
    out = console(error=True)
    if not out.is_terminal:
        yield lambda _done, _all: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, TimeElapsedColumn(), console=out, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def tell(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of)

        yield tell
