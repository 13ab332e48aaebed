"""A small history, signed on the way, as an export writes it."""

from io import BytesIO

from lictor.audit import entry, history
from lictor.audit.checkpoint import Checkpoint, SignedCheckpoint
from lictor.audit.merkle import Frontier
from lictor.audit.note import SecretKey

KEY = SecretKey.made("lictor/1", b"1" * 32)
NEXT = SecretKey.made("lictor/1", b"2" * 32)
SALT = b"s" * 16


def fact(seq, *, shown=True, payload=b"", erased=False):
    """One fact; two make a commit."""
    body, digest = b"\x91body %d" % seq, entry.payload_digest(SALT, payload)
    found = entry.leaf("admit", body, digest)
    commit = (seq + 1) // 2
    if not shown:
        return entry.Fact(seq, commit, 1_000 * commit, found)
    kept = {"salt": SALT, "payload": payload} if payload and not erased else {"digest": digest} if payload else {}
    return entry.Fact(seq, commit, 1_000 * commit, found, "admit", body, **kept)


FACTS = [fact(1), fact(2, payload=b"{}"), fact(3, shown=False), fact(4, payload=b"x", erased=True), fact(5)]


def root(size, facts=FACTS):
    """Of the first facts."""
    tree = Frontier()
    for one in facts[:size]:
        tree.add(one.entry())
    return tree.root()


def signed(size, *keys, facts=FACTS, **lines):
    """A checkpoint of the first facts."""
    return SignedCheckpoint.signed(Checkpoint(KEY.name, size, root(size, facts), **lines), keys or (KEY,))


def story():
    """Checkpoints with a hand-over among them."""
    return [signed(2), signed(4, KEY, NEXT, was=KEY.public, next=NEXT.public), signed(5, NEXT)]


def exported(facts=FACTS, checkpoints=None):
    """The lines of an export."""
    file = BytesIO()
    told = story() if checkpoints is None else checkpoints
    header = history.Header(history.VERSION, KEY.name, len(facts), len(told), "payloads")
    history.write(file, header, facts, told)
    return file.getvalue().splitlines(keepends=True)
