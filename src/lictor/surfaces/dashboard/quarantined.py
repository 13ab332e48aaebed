"""Quarantine: signals that failed their source's quality gate; look, replay as they were or edited, or discard."""

from __future__ import annotations

import msgspec

from lictor.errors import MalformedError, NotFoundError
from lictor.monitoring.redaction import HIDDEN
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.problem import HttpError
from lictor.surfaces.http.route import Asked

from . import words
from .page import form, page, see, sources_of

SHOWN = 100


class Chosen(msgspec.Struct, frozen=True):
    """One source, or all."""

    source: str = ""


async def quarantine_page(asked: Asked) -> Response:
    """What is kept aside, newest first."""
    chosen: Chosen = asked.query
    rows = await asked.requests.ask("quarantine_list", source=chosen.source or None, limit=SHOWN)
    kept = [row for row in rows if row["state"] == "kept"]
    return page(asked, "quarantine.html", rows=kept, chosen=chosen, sources=sources_of(asked.node, asked.principal))


async def entry_page(asked: Asked) -> Response:
    """One entry: its signal, and a form to replay it."""
    entry = await asked.requests.answer("quarantine_show", {"what": asked.path["what"]})
    signal = entry["signal"] if isinstance(entry["signal"], dict) else {}
    payload = signal.get("payload")
    hidden = HIDDEN in words.line(payload)
    return page(
        asked,
        "entry.html",
        entry=entry,
        signal=signal,
        payload=payload,
        hidden=hidden,
        kinds=list(asked.node.app.kinds),
    )


async def judge(asked: Asked) -> Response:
    """Replay or discard."""
    given = await form(asked)
    what, by = asked.path["what"], asked.principal.name
    match given.get("action"):
        case "replay":
            ask = {"what": what, "by": by}
            if given.get("edited") == "yes":
                try:
                    ask["payload"] = msgspec.json.decode(given.get("payload", ""))
                except msgspec.DecodeError as error:
                    raise MalformedError(f"the content is not JSON: {error}", hint="go back and correct it") from None
            told = await asked.requests.answer("quarantine_replay", ask)
            if told["id"] is not None:
                return see(f"/decisions/{told['id']}")
            seen = next((r["seen"] for r in told["verdict"]["rulings"] if r["seen"]), None) or {}
            why, code = seen.get("detail") or words.line(seen), str(told["verdict"]["code"])
            raise HttpError(409, code, f"it was turned away again: {why}", hint="edit its content, or discard it")
        case "discard":
            await asked.requests.answer("quarantine_discard", {"what": what, "by": by})
            return see("/quarantine")
        case other:
            raise NotFoundError(f"no action {other!r:.40}")
