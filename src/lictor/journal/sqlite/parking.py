"""The parked decisions of a SQLite journal: rows with their admission in them, an index by queue and deadline.

The writer adds rows in the transaction that admits, and removes them with the first that follows their recall. Until
then what was recalled is remembered here, because its row can still be read.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from lictor.journal import codec
from lictor.journal.open import Open
from lictor.journal.parking import Parked, Queue, queue_of

from .queries import QUERIES


class StoredParking:
    """Reads parked decisions; `db` is a connection that reads."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self.count: int = db.execute(QUERIES["count_parked"]).get
        #: Recalled, but for their rows.
        self.leaving: dict[int, Open] = {}

    def get(self, id_: int) -> Open | None:
        row = self._db.execute(QUERIES["parked"], (id_,)).fetchone()
        return None if row is None or id_ in self.leaving else _open(*row)

    def take(self, id_: int) -> Open | None:
        found = self.get(id_)
        if found is not None:
            self._take(found)
        return found

    def take_first(self, queue: Queue, count: int) -> list[Open]:
        taken: list[Open] = []
        if count < 1:
            return taken
        for id_, *row in self._db.execute(QUERIES["parked_first"], queue):
            if id_ in self.leaving:
                continue
            found = _open(*row)
            self._take(found)
            taken.append(found)
            if len(taken) == count:
                break
        return taken

    def _take(self, found: Open) -> None:
        self.leaving[found.decision.id] = found
        self.count -= 1

    def queues(self) -> dict[Queue, Parked]:
        rows = self._db.execute(QUERIES["parked_queues"])
        found = {Queue(effector, priority, tenant): Parked(*rest) for effector, priority, tenant, *rest in rows}
        for each in self.leaving.values():
            queue = queue_of(each)
            found[queue] = found[queue]._replace(waiting=found[queue].waiting - 1)
        return {queue: parked for queue, parked in found.items() if parked.waiting}

    def all(self) -> Iterator[Open]:
        for id_, *row in self._db.execute(QUERIES["all_parked"]):
            if id_ not in self.leaving:
                yield _open(*row)

    def oldest(self) -> int | None:
        """Where the oldest was admitted."""
        seq: int | None = self._db.execute(QUERIES["oldest_parked"]).get
        return seq

    def committed(self, parked: int, left: list[int]) -> None:
        """The rows of so many new ones are durable, and those of the others are gone."""
        self.count += parked
        for id_ in left:
            del self.leaving[id_]


def _open(admit_seq: int, body: bytes, payload: bytes) -> Open:
    return Open.admitted(codec.decode("admit", body, payload), admit_seq)  # type: ignore[arg-type]
