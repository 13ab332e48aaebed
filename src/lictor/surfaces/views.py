"""What surfaces show of a journal, as plain data: decisions, verdicts, outcomes, limits, quarantine.

The shapes are stable: programs read them through `--json` and the control socket. Times are microseconds of the wall
clock (`_us`), ids are the 13 letters that people see. Reads a journal, live or read-only; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from lictor.errors import LictorError
from lictor.journal.port import DecisionRow, Journal, OutcomeRow
from lictor.monitoring.redaction import Redactor
from lictor.records import Outcome, Quarantined, Verdict
from lictor.runtime.ids import id_text

from . import shapes

#: How many of the newest decisions a misspelt id or key is compared with.
GUESSES_FROM = 500

#: For free text of users; what is data is told to its source as it is.
_REDACT = Redactor()


def decision_data(row: DecisionRow) -> shapes.Decision:
    """One decision as lists show it."""
    return {
        "id": id_text(row.id),
        "number": row.id,
        "kind": row.kind,
        "tenant": row.tenant,
        "source": row.source,
        "key": row.key,
        "order_key": row.order_key,
        "priority": row.priority,
        "state": str(row.state),
        "code": row.code,
        "received_us": row.received_us,
        "deadline_us": row.deadline_us,
        "closed_us": row.closed_us,
        "parent": None if row.parent is None else id_text(row.parent),
    }


def verdict_data(verdict: Verdict) -> shapes.Verdict:
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


def outcome_data(outcome: Outcome) -> shapes.Outcome:
    """An outcome."""
    return {
        "result": outcome.result,
        "code": outcome.code,
        "at_us": outcome.at_us,
        "started_us": outcome.started_us,
        "attempts": outcome.attempts,
        "value": plain(outcome.value),
        "detail": outcome.detail and _REDACT.text(outcome.detail),
        "settled": [{"budget": r.budget, "scope": r.scope, "amount": plain(r.amount)} for r in outcome.settled],
    }


def feed_data(row: OutcomeRow) -> shapes.FeedRow:
    """One entry of the outcome feed."""
    return {
        "cursor": row.cursor,
        "id": id_text(row.decision),
        "source": row.source,
        "kind": row.kind,
        "key": row.key,
        "outcome": outcome_data(row.outcome),
    }


def limits_data(journal: Journal, at_us: int) -> list[shapes.Limit]:
    """All scopes of all balances, in their window now."""
    rows: list[shapes.Limit] = []
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


def halts_data(journal: Journal) -> list[shapes.Halted]:
    """What is halted, or only reduces."""
    return [
        {"scope": h.scope, "mode": h.mode, "by": h.by, "reason": h.reason, "at_us": h.at_us}
        for h in journal.state.halts.values()
    ]


def quarantined_data(entry: Quarantined, redact: Redactor | None = None) -> shapes.Quarantined:
    """One entry of quarantine; with its signal where a redactor is given."""
    data: shapes.Quarantined = {
        "id": id_text(entry.id),
        "source": entry.source,
        "at_us": entry.at_us,
        "reason": entry.reason,
        "detail": entry.detail,
        "state": entry.state,
    }
    if redact is not None:
        data["signal"] = _signal(entry, redact)
    return data


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


def signal_of(entry: Quarantined) -> dict[str, Any]:
    """The signal of an entry as it is kept, secrets included."""
    kept = msgspec.json.decode(entry.signal)
    return kept if isinstance(kept, dict) else {}


def plain(value: Any) -> Any:
    """A value as data that JSON has; what JSON has not, as its text."""
    if value is None or type(value) in {str, int, bool}:
        return value
    return msgspec.json.decode(_encode(value))


_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


def ambiguous(key: str, ids: Sequence[int]) -> LictorError:
    """Several decisions have this key."""
    hint = "name one by its id: " + ", ".join(map(id_text, ids))
    return _coded(LictorError(f"{len(ids)} decisions have the key {key!r}", hint=hint), "AMBIGUOUS")


def near(text: str, names: Iterable[str]) -> str | None:
    """What may have been meant, as a question; None where nothing is near."""
    found = get_close_matches(text, list(names), n=3, cutoff=0.75)
    return f"did you mean {' or '.join(found)}?" if found else None


def _coded(error: LictorError, code: str) -> LictorError:
    error.code = code
    return error
