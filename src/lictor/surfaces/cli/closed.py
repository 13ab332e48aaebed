"""A journal file that no node runs on: read without touching it, or written to as a node would, under its lock.

Reading opens the file read-only, also beside a live node. Writing takes the lock, recovers and writes one verb under a
new epoch; what needs the App (submitting, replaying, news from the world) needs a node.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from lictor.errors import (
    DeniedError,
    JournalDamagedError,
    JournalError,
    JournalLockedError,
    NotFoundError,
)
from lictor.journal.port import Approve, Cancel, Quarantine, SetGrant, SetHalt, SetLimit, SetStanding, Verb
from lictor.journal.sqlite.file import APPLICATION_ID
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.sqlite.keys import StoredKeys
from lictor.journal.sqlite.parking import StoredParking
from lictor.journal.sqlite.queries import QUERIES, migrations
from lictor.journal.sqlite.reader import Reader
from lictor.journal.sqlite.recovery import recover
from lictor.journal.sqlite.tree import StoredTree
from lictor.journal.state import State
from lictor.monitoring.past_quality import past_quality
from lictor.monitoring.redaction import Redactor
from lictor.monitoring.timeline import timeline
from lictor.records import Approval, Halt
from lictor.runtime.clock import SystemClock
from lictor.runtime.ids import id_text
from lictor.runtime.randomness import Randomness
from lictor.steering import check_scope, check_standing, standing_of, withdrawn
from lictor.surfaces import asks, requests, views
from lictor.surfaces.access import asking
from lictor.surfaces.answering import answered, holding, standing, standing_data, standing_for
from lictor.surfaces.sight import OWNER


def check(path: Path) -> None:
    """Refuse what is no journal, before anything is made of it.

    Raises:
        NotFoundError: there is no file.
        JournalError: it is not a journal, or not of this version.
    """
    if not path.is_file():
        near = sorted(found.name for found in path.parent.glob("*.db")) if path.parent.is_dir() else []
        hint = f"here are: {', '.join(near[:5])}" if near else "start a node: lictor run MODULE:APP"
        raise NotFoundError(f"there is no journal at {path}", hint=f"{hint}; choose one by --journal or LICTOR_JOURNAL")


class ReadOnlyJournal(SqliteJournal):
    """A journal as it is on disk, open for reading alone."""

    async def open(self, at_us: int) -> State:
        del at_us
        path = Path(self._file.path)
        check(path)
        try:
            self._db = db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            db.set_busy_timeout(5_000)
            if db.pragma("application_id") != APPLICATION_ID:
                raise JournalError(f"{path} is not a Lictor journal")
            version = db.pragma("user_version")
            if version != len(migrations()):
                hint = "run a node of this version on it once" if version < len(migrations()) else "use a newer lictor"
                raise JournalError(f"{path} has version {version}, this is version {len(migrations())}", hint=hint)
            db.execute("BEGIN")  # one moment for all that is read
            self.state = recover(db)
            self.state.keys = StoredKeys(db)
            self._reader, self.tree = Reader(db), StoredTree(db)
            self._parking = StoredParking(db)  # nothing is parked: all that is open is in memory
        except apsw.NotADBError as error:
            raise JournalError(f"{path} is not a Lictor journal") from error
        except apsw.Error as error:
            raise JournalDamagedError(f"{path} cannot be read: {error}", hint="lictor verify says more") from error
        return self.state

    async def close(self) -> None:
        self._db.close()

    @property
    def last_seq(self) -> int:
        """How many facts there are."""
        found = self._db.execute(QUERIES["last_commit"]).fetchone()
        return 0 if found is None else int(found[0] + found[3])


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[ReadOnlyJournal]:
    """The journal, open for reading."""
    journal = ReadOnlyJournal(path)
    await journal.open(0)
    try:
        yield journal
    finally:
        await journal.close()


async def read(path: Path, do: str, asked: dict[str, Any]) -> Any:
    """The answer of a file to a request that only reads; the same data as a node gives."""
    given = {name: value for name, value in asked.items() if value is not None}
    async with reading(path) as journal:
        if do == "list":
            return await requests.listed(journal, asks.List(**given))
        if do == "show":
            decision = await OWNER.decision(journal, given["what"], given.get("tenant"))
            story = await timeline(journal, decision, Redactor(), SystemClock().wall_us())
            return {**views.plain(story.data()), "lines": story.lines()}
        if do == "limits":
            now_us = SystemClock().wall_us()
            return {"limits": views.limits_data(journal, now_us), "halts": views.halts_data(journal)}
        if do == "quality":
            return (await past_quality(journal)).data()
        if do == "quarantine_list":
            return await requests.quarantine_listed(journal, asks.QuarantineList(**given))
        if do == "quarantine_show":
            return await requests.quarantine_shown(journal, asks.QuarantineShow(**given))
        if do == "standing":
            rows = await standing(journal, OWNER, SystemClock().wall_us())
            return [standing_data(*row) for row in rows[: max(1, given.get("limit", 100))]]
        if do == "keys_list":
            return asking.listed(journal.state.grants, SystemClock().wall_us())
        fed = await journal.outcomes(given.get("source"), given.get("after", 0), given.get("limit", 100))
        return [views.feed_data(row) for row in fed]


#: What a file can answer by itself.
READS = frozenset(
    {
        "list",
        "show",
        "limits",
        "quality",
        "quarantine_list",
        "quarantine_show",
        "outcomes",
        "keys_list",
        "standing",
    }
)
#: What can be written to it without an App.
WRITES = frozenset(
    {
        "approve",
        "withdraw",
        "cancel",
        "halt",
        "resume",
        "set_limit",
        "quarantine_discard",
        "keys_make",
        "keys_rotate",
        "keys_revoke",
    }
)
_KEYS = {"keys_make": asks.KeysMake, "keys_rotate": asks.KeysRotate, "keys_revoke": asks.KeysRevoke}


async def write(path: Path, do: str, asked: dict[str, Any]) -> Any:
    """Write one request to a file that no node runs on; it takes effect at the next start.

    Raises:
        JournalLockedError: another process has it open.
        LictorError: it cannot be done.
    """
    check(path)
    journal = SqliteJournal(path)
    now_us = SystemClock().wall_us()
    try:
        await journal.open(now_us)
    except JournalLockedError as error:
        raise JournalLockedError(
            f"a node has {path} open and serves no control socket",
            hint="steer it from the program that it is part of, or try again when it has started",
        ) from error
    try:
        verbs, result = await _verbs(journal, do, asked, now_us)
        for answer in await journal.write(verbs, now_us):
            if answer.code == "NOT_OPEN":
                raise NotFoundError(f"decision {result['id']} is not open")
            if not answer.ok:
                raise DeniedError(f"{answer.code}: {do} of {asked.get('what', '')}")
            if do == "approve" and answer.open is not None:
                asking = [r for r in holding(answer.open) if asked.get("gate") in (None, r.gate)]
                told = answered(answer.open.decision.id, answer.open, asking, asked["by"], approved=result["approved"])
                short = (g["approvers"] - len(g["approved_by"]) for g in told["gates"] if result["approved"])
                result |= {"gates": told["gates"], "more": max(short, default=0)}
            if do == "cancel" and answer.open is not None:
                result |= {"cancelled": answer.outcome is not None, "asked": answer.outcome is None}
        return result
    finally:
        await journal.close()


async def _verbs(
    journal: SqliteJournal, do: str, asked: dict[str, Any], now_us: int
) -> tuple[list[Verb], dict[str, Any]]:
    by, reason = asked["by"], asked.get("reason", "")
    verbs: list[Verb]
    if do in _KEYS:
        ask = msgspec.convert({name: value for name, value in asked.items() if value is not None}, _KEYS[do])
        grants, told = asking.changed(journal.state.grants, ask, now_us, Randomness().bytes)
        return [SetGrant(grant) for grant in grants], told
    if do in {"halt", "resume"}:
        check_scope(asked["scope"])
        mode = "none" if do == "resume" else "reduce_only" if asked.get("reduce_only") else "halted"
        was = asked["scope"] in journal.state.halts
        halt = Halt(scope=asked["scope"], mode=mode, at_us=now_us, by=by, reason=reason)
        return [SetHalt(halt)], {"scope": halt.scope, "mode": mode, "by": by, "was_halted": was}
    if do == "set_limit":
        return _limit(journal, asked, now_us)
    if do == "quarantine_discard":
        entry = OWNER.entry(journal, asked["what"])
        discarded = type(entry)(**{**_fields(entry), "state": "discarded", "by": by})
        return [Quarantine(discarded)], {"entry": id_text(entry.id), "state": "discarded", "by": by}
    if do == "withdraw":
        wanted = asks.Withdraw(what=asked["what"], gate=asked.get("gate"), by=by, tenant=asked.get("tenant"))
        gone = await standing_for(journal, OWNER, wanted, now_us)
        verbs = [SetStanding(withdrawn(one, by)) for one, _ in gone]
        return verbs, {"by": by, "withdrawn": [standing_data(*one) for one in gone]}
    decision = await OWNER.decision(journal, asked["what"], asked.get("tenant"))
    if do == "cancel":
        return [Cancel(decision, now_us, by, reason)], {"id": id_text(decision)}
    return _approve(journal, decision, asked, now_us)


def _approve(
    journal: SqliteJournal, decision: int, asked: dict[str, Any], now_us: int
) -> tuple[list[Verb], dict[str, Any]]:
    found, by, gate, for_s = journal.state.find(decision), asked["by"], asked.get("gate"), asked.get("again_for_s")
    wanted = [r for r in holding(found) if gate in (None, r.gate)]
    if found is None or not wanted:
        raise NotFoundError(f"decision {id_text(decision)} is not held" + (f" by {gate}" if gate else ""))
    approved = bool(asked.get("approved", True))
    if for_s is not None:
        check_standing(wanted, for_s, approved=approved)
    verbs: list[Verb] = []
    until_us = None
    for ruling in wanted:
        approval = Approval(
            decision=decision,
            gate=ruling.gate,
            gate_version=ruling.version,
            digest=found.decision.digest,
            approver=by,
            approved=approved,
            at_us=now_us,
            reason=asked.get("reason", ""),
        )
        verbs.append(Approve(approval))
        if for_s is not None:
            stands = standing_of(found.decision, approval, for_s)
            verbs.append(SetStanding(stands))
            until_us = stands.until_us
    told = answered(decision, found, wanted, by, approved=approved)
    return verbs, {**told, "until_us": until_us}


def _limit(journal: SqliteJournal, asked: dict[str, Any], now_us: int) -> tuple[list[Verb], dict[str, Any]]:
    budget, scope, by = asked["budget"], asked.get("scope", "all"), asked["by"]
    balance = journal.state.balances.get((budget, scope))
    if balance is None:
        known = ", ".join(f"{b}/{s}" for b, s in sorted(journal.state.balances)) or "none yet"
        raise NotFoundError(f"nothing was ever reserved from {budget}/{scope}", hint=f"there are: {known}")
    limit = requests.amount_of(asked["limit"])
    window_s = None if balance.window_us is None else balance.window_us / 1e6
    verb = SetLimit(budget, scope, limit, now_us, by, window_s, bool(asked.get("reset_latch")))
    return [verb], {"budget": budget, "scope": scope, "limit": views.plain(limit), "by": by}


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}
