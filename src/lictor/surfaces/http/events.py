"""Everything that changes, as server-sent events: one hub for all viewers, told after the commit, while they watch.

What changes within a moment is one event, with each decision in it once, as it is by then. It is encoded once for all
who see the same. The moment grows with the number of viewers, so that watching costs a submitter next to nothing. An
event names at most `NAMED_MAX` decisions and counts the rest: nobody reads thousands a second.

    hello      where the viewer stands: the id from which it can go on, and whether it has missed something
    decisions  {"changed": [{id, kind, source, tenant, key, state, code}], "more": n}
    notes      [{"event": "halted", ...}]: halts, limits, answers of people, quarantine, lessons, sheds
    dropped    why the connection ends: TOO_SLOW, CLOSED, UNAUTHENTICATED

Whoever comes back with `Last-Event-ID` gets what it missed, as long as the ring still has it; else `hello` says that it
has missed something, and it should read anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lictor.journal.open import Open
from lictor.journal.port import Admit, Answer, Shed, Start, Verb
from lictor.monitoring.monitor import lines_of
from lictor.node import Node
from lictor.records import Decision
from lictor.runtime.ids import id_text
from lictor.surfaces.access.principal import Principal

from .answers import encode

#: The shortest moment, and how it grows with each viewer.
MOMENT_S = 0.1
PER_VIEWER_S = 0.0025
#: Decisions that one event names.
NAMED_MAX = 50
#: Sources and tenants of which an event counts apart what it does not name.
WHOSE_MAX = 500
#: Events that are kept for who comes back, and how long the hub goes on listening for them.
RING_MAX = 200
LINGER_S = 30.0
#: A viewer that has so many events before it is dropped.
BEHIND_MAX = 64
VIEWERS_MAX = 1_000

#: What somebody sees: its sources and tenants.
Scope = tuple[tuple[str, ...] | None, tuple[str, ...] | None]
_EVERYTHING: Scope = (None, None)


class Change:
    """What changed within one moment, and its text for each scope that asked for it."""

    __slots__ = ("_redact", "_texts", "id", "more", "notes", "rows")

    def __init__(
        self, id_: str, rows: list[dict[str, Any]], more: Counter[tuple[str, str]], notes: list[dict[str, Any]]
    ) -> None:
        self.id = id_
        self.rows = rows
        self.more = more
        self.notes = notes
        self._texts: dict[Scope, bytes] = {}

    def text(self, scope: Scope) -> bytes:
        """As it is sent to those who see this."""
        found = self._texts.get(scope)
        if found is None:
            found = self._texts[scope] = self._written(scope)
        return found

    def _written(self, scope: Scope) -> bytes:
        rows, more, notes = self.rows, self.more.total(), self.notes
        if scope != _EVERYTHING:
            sources, tenants = scope
            rows = [
                row
                for row in rows
                if (sources is None or row["source"] in sources) and (tenants is None or row["tenant"] in tenants)
            ]
            notes = [note for note in notes if _for_everyone(note)]
            more = sum(
                count
                for (source, tenant), count in self.more.items()
                if (sources is None or source in sources) and (tenants is None or tenant in tenants)
            )
        told = b""
        if notes:
            told += b"event: notes\ndata: " + encode(notes) + b"\n\n"
        if rows or more:
            told += b"event: decisions\ndata: " + encode({"changed": rows, "more": more}) + b"\n\n"
        return b"id: " + self.id.encode() + b"\n" + told if told else b""


def _for_everyone(note: dict[str, Any]) -> bool:
    """What one who is scoped is told beside its own decisions: what holds for everyone."""
    what = str(note.get("scope", "source:")).partition(":")[0]
    return note["event"] in {"halted", "reduce_only", "resumed"} and what in {"all", "kind", "effector"}


class Viewer:
    """One who watches."""

    __slots__ = ("behind", "ended", "news", "principal", "scope")

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.scope: Scope = (principal.sources, principal.tenants)
        self.behind: list[bytes] = []
        self.news = asyncio.Event()
        #: Why it is told nothing more.
        self.ended: str | None = None

    def tell(self, text: bytes) -> None:
        """Something changed."""
        if not text or self.ended is not None:
            return
        if len(self.behind) >= BEHIND_MAX:
            self.end("TOO_SLOW")
            return
        self.behind.append(text)
        self.news.set()

    def end(self, code: str) -> None:
        """No more."""
        self.ended = code
        self.news.set()


class Hub:
    """The changes of one node, and who watches them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.viewers: set[Viewer] = set()
        self._ring: deque[Change] = deque(maxlen=RING_MAX)
        self._number = 0
        #: Decision -> its end and code; None while it is open.
        self._changed: dict[int, tuple[Decision, str | None, str | None]] = {}
        #: How many more changed, by source and tenant.
        self._more: Counter[tuple[str, str]] = Counter()
        self._notes: list[dict[str, Any]] = []
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def listening(self) -> bool:
        """Whether it is told of commits at all."""
        return self._running is not None

    def join(self, principal: Principal, last: str | None) -> Viewer:
        """Watch from now on, or from after an event that the ring still has."""
        viewer = Viewer(principal)
        missed: list[Change] | None = []
        if last is not None:
            kept = [*self._ring]
            places = [place for place, change in enumerate(kept) if change.id == last]
            missed = kept[places[0] + 1 :] if places else ([] if last == self.id else None)
        if self._running is None and not self._closed:
            self.node.pipeline.monitoring.heard.append(self._heard)
            self._running = asyncio.get_running_loop().create_task(self._run())
        hello = {"id": self.id, "missed": missed is None, "at_us": self.node.clock.wall_us()}
        viewer.tell(b"retry: 2000\nid: %b\nevent: hello\ndata: %b\n\n" % (self.id.encode(), encode(hello)))
        viewer.behind += [text for change in missed or () if (text := change.text(viewer.scope))][-BEHIND_MAX + 1 :]
        if self._closed:
            viewer.end("CLOSED")
        self.viewers.add(viewer)
        return viewer

    @property
    def id(self) -> str:
        """The id of the last event; it is of this node's epoch."""
        return f"{self.node.journal.state.epoch}-{self._number}"

    def leave(self, viewer: Viewer) -> None:
        """Watch no more."""
        self.viewers.discard(viewer)

    def close(self) -> None:
        """The node goes."""
        self._closed = True
        for viewer in self.viewers:
            viewer.end("CLOSED")
        if self._running is not None:
            self._running.cancel()
            self._stop()

    def _stop(self) -> None:
        with suppress(ValueError):
            self.node.pipeline.monitoring.heard.remove(self._heard)
        self._running = None
        self._ring.clear()
        self._number += 1  # who comes back to a ring that was emptied has missed something
        self._changed, self._more, self._notes = {}, Counter(), []

    async def _run(self) -> None:
        """Tell what changed, moment by moment, until nobody has watched for a while."""
        clock, unwatched_s = self.node.clock, 0.0
        while unwatched_s < LINGER_S:
            moment_s = max(MOMENT_S, PER_VIEWER_S * len(self.viewers))
            await clock.sleep(moment_s)
            unwatched_s = 0.0 if self.viewers else unwatched_s + moment_s
            self._tell()
        self._stop()

    def _tell(self) -> None:
        if not self._changed and not self._notes:
            return
        opened = self.node.journal.state.open
        changed, self._changed = self._changed, {}
        more, self._more = self._more, Counter()
        notes, self._notes = self._notes, []
        rows = []
        for id_, (decision, state, code) in changed.items():
            found = opened.get(id_) if state is None else None
            rows.append(
                {
                    "id": id_text(id_),
                    "kind": decision.kind,
                    "source": decision.source,
                    "tenant": decision.tenant,
                    "key": decision.key,
                    "state": str(found.state) if found is not None else state or "admitted",
                    "code": code,
                }
            )
        self._number += 1
        change = Change(self.id, rows, more, notes)
        self._ring.append(change)
        for viewer in self.viewers:
            viewer.tell(change.text(viewer.scope))

    def _heard(self, verbs: Sequence[Verb], answers: Sequence[Answer], finished: Sequence[Open]) -> None:
        """A turn was committed."""
        changed = self._changed
        for verb, answer in zip(verbs, answers, strict=True):
            kind = type(verb)
            if kind is Admit:
                verdict = answer.verdict
                if verdict is None or answer.code == "DUPLICATE":
                    continue
                refused = verdict.result == "refused"
                self._note(verb.decision, "refused" if refused else None, verdict.code)  # type: ignore[attr-defined]
            elif kind is Start:
                opened = self.node.journal.state.open
                for id_ in answer.accepted:
                    if id_ not in changed and (found := opened.get(id_)) is not None:
                        self._note(found.decision, None, None)
            else:
                if answer.open is not None:
                    self._note(answer.open.decision, None, None)
                if answer.ok and kind is not Shed and len(self._notes) < NAMED_MAX:
                    self._notes += [self._line(event, fields) for event, fields in lines_of(verb)]
        for found in finished:
            outcome = found.outcome
            if outcome is not None:
                self._note(found.decision, outcome.result, outcome.code)

    def _line(self, event: str, fields: Any) -> dict[str, Any]:
        redacted = self.node.pipeline.monitoring.redact(dict(fields))
        return {"event": event, **redacted}

    def _note(self, decision: Decision, state: str | None, code: str | None) -> None:
        if decision.id in self._changed or len(self._changed) < NAMED_MAX:
            self._changed[decision.id] = decision, state, code
        else:
            whose = decision.source, decision.tenant
            self._more[whose if whose in self._more or len(self._more) < WHOSE_MAX else ("", "")] += 1
