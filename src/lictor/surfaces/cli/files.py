"""Commands on journal files: `verify`, `backup`, `restore`, `export`."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .output import Exit, document, say
from .progress import progress
from .reach import Where, login


def verify(
    file: Annotated[
        Path | None, Parameter(help="The journal, an export or a proof; that of --journal unless given.")
    ] = None,
    /,
    *,
    public_key: Annotated[
        tuple[str, ...],
        Parameter(help="A key that may have signed, or a file of them.", negative="", show_default=False),
    ] = (),
    checkpoint: Annotated[
        tuple[Path, ...],
        Parameter(help="A file of checkpoints that were kept elsewhere.", negative="", show_default=False),
    ] = (),
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Check a journal from its bytes alone: integrity, the chain and the tree over history, and the invariants.

    With public keys also who signed its checkpoints. An export or a proof is checked by public keys alone. 1: problems.
    """
    import msgspec

    from lictor.journal.sqlite.verify import verify as check_file

    from . import auditing, closed

    path, keys = file or where.journal, auditing.public_keys(public_key)
    closed.check(path)
    if auditing.is_export(path):
        return auditing.verify_export(path, keys, checkpoint, as_json=where.json)
    with progress(f"verifying {path}"):
        found = check_file(path, keys=keys)
    if where.json:
        document({**msgspec.to_builtins(found), "clean": found.clean})
        return Exit.DONE if found.clean else Exit.NO
    say(f"{path}: {found.commits:,} commits, {found.facts:,} facts")
    say(f"  {found.decisions:,} closed decisions, {found.open:,} open")
    if found.archived:
        say(f"  {found.archived:,} facts are archived; their hashes hold the chain")
    for finding in found.findings:
        say(f"  {finding.check}: {finding.detail}")
    if found.more:
        say(f"  and {found.more:,} more")
    count = len(found.findings) + found.more
    say("clean" if found.clean else f"{count:,} problem{'' if count == 1 else 's'}")
    return Exit.DONE if found.clean else Exit.NO


def backup(
    to: Annotated[Path, Parameter(help="Where the copy goes; nothing is overwritten.")],
    /,
    *,
    verified: Annotated[bool, Parameter(name="--verify", help="Verify the copy, too.")] = True,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Copy the journal as of now, also while a node writes to it, and verify the copy."""
    from lictor.journal.sqlite.verify import verify as check_file

    from . import copies

    with progress("copying", "steps") as tell:
        steps = count(1)
        size = copies.back_up(where.journal, to, lambda: tell(next(steps), None))
    clean = None
    if verified:
        with progress("verifying"):
            clean = check_file(to).clean
    if where.json:
        document({"journal": str(where.journal), "backup": str(to), "bytes": size, "clean": clean})
    else:
        told = {None: "not verified", True: "verified", False: "NOT CLEAN: lictor verify says what is wrong"}[clean]
        say(f"{to}: {size:,} bytes, {told}")
    return Exit.NO if clean is False else Exit.DONE


def restore(
    backup_file: Annotated[Path, Parameter(help="A backup.", name="BACKUP")],
    /,
    *,
    by: Annotated[str, Parameter(help="Who restores; your login name unless given.", show_default=False)] = "",
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Make the journal of --journal from a backup, under a new epoch, in doubt and halted until a person resumes it."""
    from . import copies

    with progress("restoring"):
        still_open = copies.restore(backup_file, where.journal, by or login())
    if where.json:
        document({"backup": str(backup_file), "journal": str(where.journal), "open": still_open, "halted": "all"})
        return
    say(f"{where.journal}: restored; {still_open:,} decisions are open and may have been done since the backup")
    say(f"everything is halted: look (lictor list --open -j {where.journal}), then lictor resume -j {where.journal}")


def export(
    to: Annotated[Path, Parameter(help="A file that ends in .parquet or .jsonl.")],
    /,
    *,
    form: Annotated[Literal["parquet", "jsonl"] | None, Parameter(help="Where the name does not say.")] = None,
    kind: Annotated[str | None, Parameter(help="Only this kind; needed to get one column for each field.")] = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Write decisions joined with verdicts and outcomes, secrets redacted, ready for training."""
    from lictor.feedback.export import export as write
    from lictor.monitoring.redaction import Redactor

    from . import closed

    async def main() -> dict[str, object]:
        async with closed.reading(where.journal) as journal:
            done = await write(journal, to, form=form, kind=kind, redact=Redactor())
            return {
                "path": str(done.path),
                "rows": done.rows,
                "without_outcome": done.without_outcome,
                "columns": list(done.columns),
                "bytes": done.bytes,
            }

    with progress("exporting"):
        done = asyncio.run(main())
    if where.json:
        document(done)
    else:
        say(f"{done['path']}: {done['rows']:,} decisions, {done['without_outcome']:,} of them without an outcome")
