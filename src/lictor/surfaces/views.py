"""What surfaces show of a journal, as plain data: decisions, verdicts, outcomes, limits, quarantine.

The shapes are stable: programs read them through `--json` and the control socket. Times are microseconds of the wall
clock (`_us`), ids are the 13 letters that people see. Reads a journal, live or read-only; writes nothing.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import msgspec

from lictor.errors import Code, LictorError, NotFoundError
from lictor.journal.port import DecisionRow, Filter, Journal, OutcomeRow
from lictor.monitoring.redaction import Redactor
from lictor.records import Outcome, Quarantined, Verdict
from lictor.runtime.ids import id_number, id_text

#: How many of the newest decisions a misspelt id or key is compared with.
GUESSES_FROM = 500


def decision_data(row: DecisionRow) -> dict[str, Any]:
    """One decision as lists show it."""
    data: dict[str, Any] = msgspec.structs.asdict(row)
    data["number"] = row.id
    data["id"] = id_text(row.id)
    data["parent"] = None if row.parent is None else id_text(row.parent)
    return data


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict, with what each gate said."""
    return {
        "result": str(verdict.result),
        "code": verdict.code,
        "at_us": verdict.at_us,
        "policy": verdict.policy,
        "until_us": verdict.until_us,
        "retry_after_s": verdict.retry_after_s,
        "durability": verdict.durability,
        "rulings": [
            {"gate": r.gate, "result": str(r.result), "code": r.code, "seen": plain(r.seen), "shadow": r.shadow}
            for r in verdict.rulings
        ],
        "reserved": [{"budget": r.budget, "scope": r.scope, "amount": plain(r.amount)} for r in verdict.reservations],
    }


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """An outcome."""
    return {
        "result": outcome.result,
        "code": outcome.code,
        "at_us": outcome.at_us,
        "started_us": outcome.started_us,
        "attempts": outcome.attempts,
        "value": plain(outcome.value),
        "detail": outcome.detail,
        "settled": [{"budget": r.budget, "scope": r.scope, "amount": plain(r.amount)} for r in outcome.settled],
    }


def feed_data(row: OutcomeRow) -> dict[str, Any]:
    """One entry of the outcome feed."""
    return {
        "cursor": row.cursor,
        "id": id_text(row.decision),
        "source": row.source,
        "kind": row.kind,
        "key": row.key,
        "outcome": outcome_data(row.outcome),
    }


def limits_data(journal: Journal, at_us: int) -> list[dict[str, Any]]:
    """All scopes of all balances, in their window now."""
    rows = []
    for (budget, scope), balance in sorted(journal.state.balances.items()):
        window = balance.window(at_us)
        rows.append(
            {
                "budget": budget,
                "scope": scope,
                "limit": plain(balance.limit),
                "settled": plain(balance.settled(window)),
                "reserved": plain(balance.reserved(window)),
                "left": plain(balance.room(window)),
                "window_s": None if balance.window_us is None else balance.window_us / 1e6,
                "latched": balance.latched,
            }
        )
    return rows


def halts_data(journal: Journal) -> list[dict[str, Any]]:
    """What is halted, or only reduces."""
    return [
        {"scope": h.scope, "mode": h.mode, "by": h.by, "reason": h.reason, "at_us": h.at_us}
        for h in journal.state.halts.values()
    ]


def quarantined_data(entry: Quarantined, redact: Redactor | None = None) -> dict[str, Any]:
    """One entry of quarantine; with its signal where a redactor is given."""
    data = {
        "id": id_text(entry.id),
        "source": entry.source,
        "at_us": entry.at_us,
        "reason": entry.reason,
        "detail": entry.detail,
        "state": entry.state,
    }
    return data if redact is None else {**data, "signal": _signal(entry, redact)}


def _signal(entry: Quarantined, redact: Redactor) -> Any:
    """The signal, its payload as data where it is JSON."""
    signal = redact.json(entry.signal)
    if isinstance(signal, dict) and isinstance(signal.get("payload"), str):
        stored = msgspec.json.decode(entry.signal)["payload"].encode()
        try:
            signal["payload"] = redact(msgspec.json.decode(stored))
        except msgspec.DecodeError:
            signal["payload"] = redact.text(signal["payload"])
    return signal


def plain(value: Any) -> Any:
    """A value as data that JSON has; what JSON has not, as its text."""
    return msgspec.json.decode(_encode(value))


_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


async def decision_of(journal: Journal, text: str, tenant: str | None = None) -> int:
    """The decision that an id (13 letters, or the number) or a key names.

    Raises:
        NotFoundError: none has it; the message names what is near.
        LictorError: `AMBIGUOUS`, several have this key.
    """
    number = id_number(text) or (int(text) if text.isascii() and text.isdigit() else None)
    if number is not None and number < 1 << 63 and await journal.history(number):
        return number
    rows = await journal.decisions(Filter(key=text, tenant=tenant, limit=10))
    bound = [row for row in rows if row.code != Code.KEY_REUSED]  # the key is another's, where it was refused for that
    ids = [row.id for row in bound or rows]
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise _coded(
            LictorError(
                f"{len(ids)} decisions have the key {text!r}",
                hint="name one by its id: " + ", ".join(map(id_text, ids)),
            ),
            "AMBIGUOUS",
        )
    near = await _near(journal, text)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `lictor list`"
    raise NotFoundError(f"no decision has the id or key {text!r}", hint=hint)


async def _near(journal: Journal, text: str) -> list[str]:
    rows = await journal.decisions(Filter(limit=GUESSES_FROM))
    names = [id_text(row.id) for row in rows] + [row.key for row in rows if row.key is not None]
    return get_close_matches(text, names, n=3, cutoff=0.75)


async def quarantine_entry(journal: Journal, text: str) -> Quarantined:
    """The quarantine entry of an id.

    Raises:
        NotFoundError: it keeps none of this id.
    """
    number = id_number(text) or (int(text) if text.isascii() and text.isdigit() else None)
    found = journal.state.quarantine.get(number or 0)
    if found is None:
        near = get_close_matches(text, [id_text(id_) for id_ in journal.state.quarantine], n=3, cutoff=0.75)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `lictor quarantine list`"
        raise NotFoundError(f"quarantine keeps no entry {text!r}", hint=hint)
    return found


def _coded(error: LictorError, code: str) -> LictorError:
    error.code = code
    return error
