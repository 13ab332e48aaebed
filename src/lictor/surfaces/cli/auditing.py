"""Commands that prove a history: `audit key`, `rotate`, `checkpoints`, `export`, `prove`; the check of what they write.

They read the journal's file, also beside a node that writes to it. Only `export` and `rotate` use the key that signs.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lictor.errors import LictorError, MalformedError, NotFoundError

from .output import Exit, document, lines, say
from .progress import progress
from .reach import Where

if TYPE_CHECKING:
    from lictor.audit.checkpoint import SignedCheckpoint
    from lictor.audit.keyring import Keyring, Keys
    from lictor.audit.note import PublicKey
    from lictor.audit.tree import Kept, Tree

KeyFile = Annotated[Path | None, Parameter(name="--key", help="The key file, where it is not beside the journal.")]


def key(
    *,
    key_file: KeyFile = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Print the public keys of the journal's checkpoints, the one in use last; makes the first where there is none."""
    from . import closed

    closed.check(where.journal)
    keys = _keyring(where, key_file).made()
    if where.json:
        document({"origin": keys.origin, "keys": [one.text() for one in keys.all()], "in_use": keys.public.text()})
        return
    for one in keys.all():
        say(one.text())


def rotate(
    *,
    key_file: KeyFile = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Hand over to a new key: the node's next checkpoint is signed by both keys, and then the old one is destroyed."""
    from . import closed

    closed.check(where.journal)
    keys = _keyring(where, key_file).rotate()
    if where.json:
        document({"origin": keys.origin, "from": keys.signing[0].public.text(), "to": keys.public.text()})
        return
    say(f"from  {keys.signing[0].public.text()}")
    say(f"to    {keys.public.text()}")
    say("with the next checkpoint of a node on this journal")


def checkpoints(
    *,
    limit: Annotated[int, Parameter(help="How many, the newest first.")] = 20,
    notes: Annotated[
        bool, Parameter(negative="", help="Print the signed notes themselves, to keep them elsewhere.")
    ] = (False),
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """List the signed checkpoints of history."""
    from lictor.surfaces.proofs import checkpoint_data, tree_of

    from . import closed
    from .output import moment

    async def main() -> list[Kept]:
        async with closed.reading(where.journal) as journal:
            return tree_of(journal).checkpoints((1 << 63) - 1, limit)

    found = asyncio.run(main())
    if where.json:
        lines(checkpoint_data(kept) for kept in found)
        return
    for kept in found:
        if notes:
            say(kept.signed.write().rstrip("\n"))
        else:
            checkpoint = kept.signed.checkpoint
            say(f"{kept.number:>6}  {moment(kept.at_us)}  {checkpoint.size:>12,} facts  {checkpoint.root.hex()}")


def export(
    to: Annotated[Path, Parameter(help="Where it goes; nothing is overwritten.")],
    /,
    *,
    content: Annotated[
        Literal["leaves", "facts", "payloads"],
        Parameter(help="What of each fact: only its hash, without its payload, or all of it."),
    ] = "facts",
    key_file: KeyFile = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Write the whole history with its checkpoints, so that anyone can verify it with the public key alone."""
    from lictor.surfaces.proofs import tree_of

    from . import closed

    if to.exists():
        raise LictorError(f"{to} is already there", hint="nothing is overwritten")

    async def main() -> dict[str, object]:
        async with closed.reading(where.journal) as journal:
            return _write(tree_of(journal), to, content, _keyring(where, key_file))

    with progress("exporting"):
        done = asyncio.run(main())
    if where.json:
        document(done)
        return
    say(f"{to}: {done['facts']:,} facts, {done['checkpoints']:,} checkpoints, {done['bytes']:,} bytes")
    say(f"lictor verify {to} --public-key {done['key']}")


def _write(tree: Tree, to: Path, content: Literal["leaves", "facts", "payloads"], ring: Keyring) -> dict[str, object]:
    """The export, whole or not at all."""
    from lictor.audit import history

    keys, size = ring.made(), tree.size
    signed = [kept.signed for kept in tree.all_checkpoints() if kept.signed.checkpoint.origin == keys.origin]
    if not signed or signed[-1].checkpoint.size < size:
        signed.append(_sealed(tree, keys))
    header = history.Header(history.VERSION, keys.origin, size, len(signed), content)
    part = to.with_name(f"{to.name}.part")
    with part.open("wb") as file:
        facts, written = history.write(file, header, tree.facts(1, size, content), signed)
        taken = file.tell()
    part.rename(to)
    return {
        "path": str(to),
        "origin": keys.origin,
        "facts": facts,
        "checkpoints": written,
        "bytes": taken,
        "key": keys.public.text(),
    }


def _sealed(tree: Tree, keys: Keys) -> SignedCheckpoint:
    """A checkpoint of all that there is now, by the key that is in use."""
    from lictor.audit.checkpoint import Checkpoint, SignedCheckpoint

    size = tree.size
    return SignedCheckpoint.signed(Checkpoint(keys.origin, size, tree.spans(0, size)), keys.signing[:1])


def prove(
    what: Annotated[str, Parameter(help="A decision: id or key.")],
    to: Annotated[Path | None, Parameter(help="Where the proof goes; standard output unless given.")] = None,
    /,
    *,
    content: Annotated[bool, Parameter(negative="", help="Also what the facts say, but for payloads.")] = False,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Prove that a decision is in the history that was signed: one document, checked with the public key alone."""
    from lictor.surfaces.proofs import proof_of
    from lictor.surfaces.sight import OWNER

    from . import closed

    async def main() -> bytes:
        async with closed.reading(where.journal) as journal:
            return (await proof_of(journal, await OWNER.decision(journal, what), content=content)).write()

    proof = asyncio.run(main())
    if to is None:
        say(proof.decode().rstrip("\n"))
    else:
        to.write_bytes(proof)
        say(f"{to}: {len(proof):,} bytes")


def _keyring(where: Where, key_file: Path | None) -> Keyring:
    from lictor.audit.keyring import Keyring
    from lictor.runtime.randomness import Randomness

    return Keyring(key_file or f"{where.journal}.key", Randomness().bytes)


# -- the check of what was written -------------------------------------------------------------------------------------


def public_keys(given: tuple[str, ...]) -> list[PublicKey]:
    """Keys as people give them: each itself, or a file that has some, one a line."""
    from lictor.audit.note import PublicKey

    found = []
    for text in given:
        told = Path(text).read_text(encoding="utf-8") if Path(text).is_file() else text
        found += [PublicKey.read(line.strip()) for line in told.splitlines() if line.strip()]
    return found


def is_export(path: Path) -> bool:
    """Whether a file is an export or a proof, and no journal."""
    with path.open("rb") as file:
        return file.read(11) == b'{"lictor":"'


def verify_export(path: Path, keys: list[PublicKey], kept: tuple[Path, ...], *, as_json: bool) -> int:
    """Check an export or a proof against public keys; the exit code."""
    from lictor.audit import history, proof
    from lictor.audit.anchor import Anchor

    if not keys:
        raise MalformedError(
            f"{path} is checked against a public key", hint="--public-key, from `lictor audit key` or from who sent it"
        )
    missing = [str(one) for one in kept if not one.is_file()]
    if missing:
        raise NotFoundError(f"there is no file {missing[0]}", hint="--checkpoint is a file of signed notes")
    known = [signed for one in kept for signed in Anchor(one).read()]
    with path.open("rb") as file:
        first = file.readline()
        if first.startswith(b'{"lictor":"proof"'):
            found = proof.check(first + file.read(), keys)
        else:
            file.seek(0)
            with progress(f"verifying {path}"):
                found = history.check(file, keys, known)
    if as_json:
        document(history.plain(found))
        return Exit.DONE if found.clean else Exit.NO
    say(f"{path}: {found.facts:,} facts of {found.origin or 'no history'}, {found.checkpoints:,} checkpoints")
    for finding in islice(found.findings, None):
        say(f"  {finding}")
    if found.more:
        say(f"  and {found.more:,} more")
    count = len(found.findings) + found.more
    say("clean" if found.clean else f"{count:,} problem{'' if count == 1 else 's'}")
    return Exit.DONE if found.clean else Exit.NO
