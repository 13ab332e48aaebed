"""Decisions by filter, in keyset pages; what a filter finds can be cancelled, approved or submitted again as a whole.

The filter is the address: a bookmark is a saved filter. A bulk action first shows what it would do, and to how many.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

import msgspec

from lictor.errors import LictorError, MalformedError
from lictor.journal.port import DecisionRow, Filter
from lictor.runtime.ids import id_number, id_text
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.problem import HttpError
from lictor.surfaces.http.route import Asked
from lictor.surfaces.views import decision_data

from . import words
from .again import again
from .page import form, page, see, sources_of

ROWS = 50
#: Decisions that one bulk action reaches; it says when there are more.
BULK_MAX = 1_000
STATES = (
    "held", "deferred", "admitted", "running", "succeeded", "failed", "expired", "cancelled", "refused", "compensating",
    "compensated",
)  # fmt: skip
#: Filters that people ask for most: name, query.
PRESETS = (
    ("All", ""),
    ("Open", "open=yes"),
    ("Held", "state=held"),
    ("Refused", "state=refused"),
    ("Failed", "state=failed"),
    ("Expired", "state=expired"),
)
#: What can be done with all that a filter finds: which states it is for, and who may.
ACTIONS = {
    "cancel": (frozenset({"held", "deferred", "admitted", "running"}), Permission.OPERATE),
    "approve": (frozenset({"held"}), Permission.APPROVE),
    "again": (frozenset({"failed", "expired", "cancelled", "refused", "compensated"}), Permission.OPERATE),
}


class Wanted(msgspec.Struct, frozen=True):
    """A filter, as it stands in the address; what is empty does not restrict."""

    q: str = ""
    state: str = ""
    kind: str = ""
    source: str = ""
    tenant: str = ""
    code: str = ""
    key: str = ""
    open: str = ""
    since: str = ""
    until: str = ""
    before: str = ""

    def query(self, **other: str) -> str:
        """As it stands in the address, with some of it otherwise."""
        fields = {**msgspec.structs.asdict(self), **other}
        return urlencode({name: value for name, value in fields.items() if value})

    def filter(self, limit: int, before: int | None) -> Filter:
        """For the journal."""
        return Filter(
            state=self.state or None,
            kind=self.kind or None,
            source=self.source or None,
            tenant=self.tenant or None,
            code=self.code or None,
            key=self.key or None,
            open_only=self.open == "yes",
            since_us=words.time_us(self.since),
            until_us=words.time_us(self.until),
            before=before,
            limit=limit,
        )


async def decisions_page(asked: Asked) -> Response:
    """One page of what a filter finds; a search that finds one decision goes straight there."""
    wanted: Wanted = asked.query
    sought = None
    if wanted.q:
        try:
            found = await visible(asked, wanted.q.strip(), wanted.tenant or None)
            return see(f"/decisions/{id_text(found)}")
        except LictorError as error:
            sought = error
    rows = await matching(asked, wanted, ROWS + 1) if sought is None else []
    more = rows[ROWS - 1].id if len(rows) > ROWS else None
    app = asked.node.app
    return page(
        asked,
        "decisions.html",
        wanted=wanted,
        sought=sought,
        rows=[decision_data(row) for row in rows[:ROWS]],
        older=None if more is None else wanted.query(before=id_text(more)),
        newest=wanted.query(before="") if wanted.before else None,
        presets=PRESETS,
        active=wanted.query(before="", q=""),
        states=STATES,
        kinds=list(app.kinds),
        sources=sources_of(asked.node, asked.principal),
        actions=actions(asked, wanted),
    )


async def matching(asked: Asked, wanted: Wanted, most: int) -> list[DecisionRow]:
    """What a filter finds of what the one who asks may see, newest first."""
    before = id_number(wanted.before) if wanted.before else None
    if wanted.before and before is None:
        raise MalformedError(f"before={wanted.before!r:.40} is no id")
    return await asked.requests.sight.rows(asked.node.journal, wanted.filter(most, before))


def actions(asked: Asked, wanted: Wanted) -> list[str]:
    """Bulk actions that this filter can have."""
    state = wanted.state
    return [
        name
        for name, (states, permission) in ACTIONS.items()
        if asked.principal.may(permission) and (state in states or (name == "cancel" and wanted.open == "yes"))
    ]


async def bulk(asked: Asked) -> Response:
    """First what would be done and to how many; with `sure`, it is done and each answer counted."""
    given = await form(asked)
    action = given.pop("action", "")
    sure, reason = given.pop("sure", "") == "yes", given.pop("reason", "")
    upto = id_number(given.pop("upto", ""))
    given.pop("csrf", None)
    wanted = msgspec.convert({k: v for k, v in given.items() if k in Wanted.__struct_fields__}, Wanted)
    if action not in ACTIONS:
        raise MalformedError(f"no bulk action {action!r:.40}", hint=", ".join(ACTIONS))
    states, permission = ACTIONS[action]
    if not asked.principal.may(permission):
        raise HttpError(403, "FORBIDDEN", f"{asked.principal.name} may not {permission.value}")
    rows = [row for row in await matching(asked, wanted, BULK_MAX + 1) if upto is None or row.id <= upto]
    meant = [row for row in rows[:BULK_MAX] if row.state in states]
    context: dict[str, Any] = {
        "action": action,
        "wanted": wanted,
        "count": len(meant),
        "more": len(rows) > BULK_MAX,
        "reason": reason,
    }
    if not sure:
        sample = [decision_data(row) for row in meant[:10]]
        newest = id_text(meant[0].id) if meant else ""
        return page(asked, "bulk.html", done=None, sample=sample, upto=newest, kinds=_kinds(meant), **context)
    done: Counter[str] = Counter()
    problems: list[tuple[str, str]] = []
    for row in meant:
        try:
            done[await _act(asked, action, row, reason)] += 1
        except LictorError as error:
            done[error.code] += 1
            if len(problems) < 10:  # noqa: PLR2004 - as many as one reads
                problems.append((id_text(row.id), error.message))
    return page(asked, "bulk.html", done=dict(done.most_common()), problems=problems, **context)


async def _act(asked: Asked, action: str, row: DecisionRow, reason: str) -> str:
    """One of them; what was answered, in a word."""
    what, by = id_text(row.id), asked.principal.name
    if action == "cancel":
        told = await asked.requests.answer("cancel", {"what": what, "by": by, "reason": reason})
        return "cancelled" if told["cancelled"] else "asked to stop"
    if action == "approve":
        await asked.requests.answer("approve", {"what": what, "by": by, "reason": reason})
        return "approved"
    told = await again(asked, row.id)
    return str(told["verdict"]["code"] or told["verdict"]["result"])


def _kinds(rows: list[DecisionRow]) -> list[tuple[str, int]]:
    return Counter(row.kind for row in rows).most_common(8)


async def visible(asked: Asked, what: str, tenant: str | None = None) -> int:
    """The decision that is named, if the one who asks may see it.

    Raises:
        NotFoundError: there is none, or not for them.
    """
    return await asked.requests.sight.decision(asked.node.journal, what, tenant)
