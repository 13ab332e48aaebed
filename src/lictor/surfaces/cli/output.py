"""What commands print: JSON for programs, tables and sentences for people, errors with what to do about them.

Results go to standard output, progress and errors to standard error; with `--json` errors are JSON on standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import msgspec

from lictor.errors import LictorError


class Exit(IntEnum):
    """What the exit code says."""

    DONE = 0
    #: It was answered, but not as asked: refused, shed, denied, failed, problems found.
    NO = 1
    USAGE = 2
    NOT_FOUND = 3
    #: No node, or another one has the journal.
    UNAVAILABLE = 4
    #: The journal is damaged, or its disk failed.
    JOURNAL = 5
    DEFECT = 70
    INTERRUPTED = 130


_EXIT_BY_CODE = {
    "NOT_FOUND": Exit.NOT_FOUND,
    "AMBIGUOUS": Exit.USAGE,
    "MALFORMED": Exit.USAGE,
    "DECLARATION": Exit.USAGE,
    "NODE_STOPPED": Exit.UNAVAILABLE,
    "JOURNAL_LOCKED": Exit.UNAVAILABLE,
    "UNREACHABLE": Exit.UNAVAILABLE,
    "BUSY": Exit.UNAVAILABLE,
    "TIMEOUT": Exit.UNAVAILABLE,
    "PROTOCOL": Exit.UNAVAILABLE,
    "JOURNAL": Exit.JOURNAL,
    "JOURNAL_FENCED": Exit.JOURNAL,
    "JOURNAL_DAMAGED": Exit.JOURNAL,
    "JOURNAL_IO": Exit.JOURNAL,
    "INVARIANT": Exit.DEFECT,
    "USAGE": Exit.USAGE,
    "EXISTS": Exit.USAGE,
    "DEFECT": Exit.DEFECT,
}
#: Colours of words that verdicts and states use.
_STYLES = {
    "admitted": "green",
    "succeeded": "green",
    "allow": "green",
    "refused": "red",
    "failed": "red",
    "deny": "red",
    "expired": "red",
    "held": "yellow",
    "hold": "yellow",
    "deferred": "yellow",
    "shed": "yellow",
    "in_doubt": "yellow",
}

_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


def coded(code: str, message: str, hint: str | None = None) -> LictorError:
    """An error of the command line's own, with a code."""
    error = LictorError(message, hint=hint)
    error.code = code
    return error


def exit_of(error: LictorError) -> Exit:
    """The exit code of an error."""
    return _EXIT_BY_CODE.get(error.code, Exit.NO)


def document(data: Any) -> None:
    """One JSON document."""
    sys.stdout.write(msgspec.json.format(_encode(data), indent=2).decode() + "\n")


def lines(rows: Iterable[Any]) -> None:
    """One JSON document a line."""
    for row in rows:
        sys.stdout.write(_encode(row).decode() + "\n")
    sys.stdout.flush()


#: What a terminal would obey, or show in another order than it is: control characters but for new lines and tabs, and
#: marks of direction. Keys, reasons and payloads come from anywhere.
_OBEYED = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - two digits or four
    for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def safe(text: str) -> str:
    """Text that a terminal only shows."""
    return text.translate(_OBEYED)


def console(*, error: bool = False) -> Any:
    """Where people read: colours on a terminal, plain and never cut off anywhere else."""
    from rich.console import Console

    class Reader(Console):
        """Shows what it is given, and obeys none of it."""

        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(safe(part) if isinstance(part, str) else part for part in objects), **options)

    file = sys.stderr if error else sys.stdout
    return Reader(file=file, highlight=False, soft_wrap=True, width=None if file.isatty() else 240)


def say(*parts: str, error: bool = False) -> None:
    """A sentence, as it is."""
    console(error=error).print(*parts, markup=False)


def styled(text: str) -> Any:
    """A word of a verdict or state in its colour; as it is when it is none."""
    from rich.text import Text

    word = text.partition("(")[0].partition(" ")[0]
    return Text(safe(text), style=_STYLES.get(word, ""))


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table; numbers to the right, words of verdicts in colour."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(styled("-" if cell is None else str(cell)) for cell in row))
    console().print(made, soft_wrap=False)


def moment(at_us: int | None) -> str | None:
    """A time as people read it, in UTC."""
    if at_us is None:
        return None
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}.{at_us // 1000 % 1000:03d}"


def fail(error: LictorError, *, as_json: bool) -> Exit:
    """Say what went wrong and what to do about it."""
    if as_json:
        document({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
    else:
        from rich.text import Text

        told = console(error=True)
        told.print(Text.assemble((error.code, "bold red"), ": ", safe(error.message)))
        if error.hint:
            told.print(Text(safe(f"  {error.hint}"), style="dim"))
    return exit_of(error)


def defect(error: BaseException, *, as_json: bool) -> Exit:
    """Something that should not happen: named, without a wall of text."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "?"
    hint = f"a defect, at {place}; LICTOR_TRACEBACK=1 shows how it came to it"
    told = coded("DEFECT", f"{type(error).__name__}: {error}", hint)
    return fail(told, as_json=as_json)
