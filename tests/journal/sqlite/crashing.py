"""A disk that fails: a SQLite VFS that counts what changes the disk and stops, errs or loses power at the k-th change.

After a power loss only what was synced is certain: each change that was not is applied, dropped, or torn by sector of
512 bytes, as a seed says (the rules of SQLite's own test6.c). Files made or deleted and not synced may come and go.
"""

import random
from pathlib import Path

import apsw

SECTOR = 512


class Stopped(apsw.IOError):
    """The disk does not answer any more."""


class Disk(apsw.VFS):
    """The files of one folder, with what is certain of each."""

    def __init__(self, name):
        super().__init__(name, base="")
        self.name = name
        self.count = 0
        self.fail_at = 0
        self.persistent = True
        self.failed = 0
        self.syncs_after_failure = 0
        #: path -> what is certain to be there; None where the file may be missing.
        self.certain = {}
        #: path -> changes since the last sync, oldest first.
        self.pending = {}

    def change(self, what):
        """Called before each change; fails the one that was chosen, and, if the fault stays, all later ones."""
        self.count += 1
        if self.fail_at and (self.count == self.fail_at or (self.persistent and self.count > self.fail_at)):
            self.failed += 1
            error = Stopped(f"{what} failed at change {self.count}")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC if what == "sync" else apsw.SQLITE_IOERR_WRITE
            raise error

    def know(self, path):
        """A file that is opened: what it holds now is certain, unless it is being made."""
        if path not in self.certain:
            exists = Path(path).exists()
            self.certain[path] = Path(path).read_bytes() if exists else None
            self.pending[path] = []

    def xOpen(self, name, flags):  # noqa: N802 - SQLite's names
        path = name if isinstance(name, str) or name is None else name.filename()
        if path is not None:
            self.know(path)
        return File(self, name, flags, path)

    def xDelete(self, path, sync_folder):  # noqa: N802
        self.change("delete")
        super().xDelete(path, sync_folder)
        if sync_folder:
            self.certain[path], self.pending[path] = None, []
        else:
            self.pending.setdefault(path, []).append(("delete",))

    def synced(self, path):
        """All of a file is certain; the first sync of a new file syncs its folder too, and so what was deleted."""
        if self.certain.get(path) is None:
            for other, changes in self.pending.items():
                if other != path and changes[-1:] == [("delete",)]:
                    self.certain[other], self.pending[other] = None, []
        self.certain[path] = self._survivor(self.certain.get(path), self.pending.get(path, []), "keep", None) or b""
        self.pending[path] = []

    def after_power_loss(self, folder, seed):
        """What a restart may find, written to another folder; the seed `drop` loses all that was not synced."""
        draw = random.Random(f"power:{seed}")
        for path, certain in self.certain.items():
            content = self._survivor(certain, self.pending[path], seed, draw)
            if content is not None:
                (folder / Path(path).name).write_bytes(content)

    @staticmethod
    def _survivor(certain, pending, seed, draw):
        content = None if certain is None else bytearray(certain)
        for what, *rest in pending:
            fate = {"drop": "drop", "keep": "apply"}.get(seed) or draw.choice(("apply", "drop", "tear"))
            if fate == "drop":
                continue
            if what == "delete":
                content = None
            elif what == "truncate":
                content = (content or bytearray())[: rest[0]]
                content.extend(bytes(rest[0] - len(content)))
            else:
                content = bytearray() if content is None else content
                data, offset = rest
                for start in range(0, len(data), SECTOR):
                    piece = data[start : start + SECTOR]
                    if fate == "tear" and draw.random() < 0.5:
                        piece = draw.randbytes(len(piece)) if draw.random() < 0.3 else None
                    if piece is not None:
                        at = offset + start
                        content.extend(bytes(max(0, at - len(content))))
                        content[at : at + len(piece)] = piece
        return content


class File(apsw.VFSFile):
    """One open file."""

    def __init__(self, disk, name, flags, path):
        super().__init__("", name, flags)
        self.disk, self.path = disk, path

    def xWrite(self, data, offset):  # noqa: N802
        self.disk.change("write")
        super().xWrite(data, offset)
        self.disk.pending.setdefault(self.path, []).append(("write", bytes(data), offset))

    def xTruncate(self, size):  # noqa: N802
        self.disk.change("truncate")
        super().xTruncate(size)
        self.disk.pending.setdefault(self.path, []).append(("truncate", size))

    def xSync(self, flags):  # noqa: N802
        if self.disk.failed:
            self.disk.syncs_after_failure += 1
        self.disk.change("sync")  # and no more: what a sync is worth is kept in `certain`
        self.disk.synced(self.path)
