"""The facts of a run, as `report.json` has them. Reads what was recorded, the journal's state and the venue's word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lictor.desks.trading.deciders import FittedModel
from lictor.desks.trading.demo.checks import Finding
from lictor.desks.trading.demo.options import Options
from lictor.desks.trading.demo.record import Decided, Recorder
from lictor.desks.trading.market import MONEY_PER_USD, QTY_PER_BTC, Snapshot
from lictor.desks.trading.model import Model
from lictor.desks.trading.score import MidPath, score
from lictor.desks.trading.session import Session

PARTS = ("delay", "impact", "spread", "opportunity", "fees")
_REFUSED = {"refused", "shed"}


def gather(
    options: Options,
    session: Session,
    recorder: Recorder,
    model: Model,
    ended: dict[str, Any],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """Everything that the report says."""
    violated = [f for f in findings if not f.holds]
    p50, p99 = recorder.latency_ms(0.5), recorder.latency_ms(0.99)
    return {
        "decisions": _decisions(recorder),
        "orders": _orders(session),
        "tca": _tca(recorder),
        "feedback": _feedback(session, recorder),
        "invariants": {
            "checked": len(findings),
            "violated": len(violated),
            "findings": [{"name": f.name, "holds": f.holds, "detail": f.detail} for f in findings],
        },
        "governed_latency_ms": {"p50": p50, "p99": p99},
        "speed_factor": options.speed,
        "stages": _stages(session, recorder, p50, p99),
        "market": _market(recorder, ended),
        "model": {**_model(model), "live": _live(session, recorder, model)},
        "result": _result(session),
        "events": [{"at_us": e.at_us, "what": e.what, "text": e.text, "staged": e.staged} for e in recorder.events],
        "stories": recorder.stories,
        "series": _series(recorder),
    }


def _decisions(recorder: Recorder) -> dict[str, Any]:
    by = recorder.results_by()
    held = sum(
        any(r.result == "hold" for r in one.handle.verdict.rulings) or _was_held(one) for one in recorder.decided
    )
    outcomes = Counter(o.result if o.code is None else f"{o.result}({o.code})" for o in recorder.outcomes.values())
    return {
        "received": len(recorder.decided),
        "admitted": by["admitted"],
        "amended": by["amended"],
        "held": held,
        "refused_by_code": dict(recorder.codes(staged=False).most_common()),
        "staged": dict(recorder.codes(staged=True).most_common()),
        "received_staged": sum(one.staged for one in recorder.decided),
        "by_source": dict(Counter(one.source for one in recorder.decided)),
        "by_kind": dict(Counter(one.kind for one in recorder.decided)),
        "outcomes": dict(outcomes.most_common()),
    }


def _was_held(one: Decided) -> bool:
    """A hold that a person has answered shows as who answered."""
    return any("approved_by" in (r.seen or {}) or r.code == "APPROVAL_DENIED" for r in one.handle.verdict.rulings)


def _orders(session: Session) -> dict[str, int]:
    counts = session.conversation.counts
    return {
        "sent": counts.sent,
        "filled": counts.filled,
        "cancelled": counts.cancelled,
        "rejected": counts.rejected,
        "in_doubt": counts.in_doubt,
        "reconciled": counts.reconciled,
        "partly_filled": counts.partly_filled,
        "unfilled": counts.unfilled,
        "fills": counts.fills,
    }


def _tca(recorder: Recorder) -> dict[str, Any]:
    """Of all trades together, weighted by what was wanted; bps of the paper portfolio."""
    rows = []
    for one in recorder.decided:
        mark = recorder.mark(one.handle.id)
        if mark is not None:
            reference = mark["shortfall"]["qty"] * one.mid
            rows.append((one, mark, reference))
    whole = sum(reference for _, _, reference in rows)
    if not whole:
        return {"shortfall_bps": 0.0, "parts_bps": dict.fromkeys(PARTS, 0.0), "identity_error_max": 0, "parents": 0}

    def mean(part: str) -> float:
        return float(sum(mark["shortfall"]["parts_bps"][part] * r for _, mark, r in rows) / whole)

    total = float(sum(mark["shortfall"]["bps"] * r for _, mark, r in rows) / whole)
    parts = {part: mean(part) for part in PARTS}
    errors = [abs(m["shortfall"]["bps"] - sum(m["shortfall"]["parts_bps"].values())) for _, m, _ in rows]
    exact = max(abs(m["shortfall"]["identity_error"]) for _, m, _ in rows)
    filled = sum(m["shortfall"]["filled"] for _, m, _ in rows) / sum(m["shortfall"]["qty"] for _, m, _ in rows)
    return {
        "shortfall_bps": total,
        "parts_bps": parts,
        "identity_error_max": max([float(exact), *errors]),
        "parents": len(rows),
        "fill_ratio": filled,
        "markout_bps": _markouts(rows),
        "by_source": {name: _of_source(rows, name) for name in sorted({one.source for one, _, _ in rows})},
    }


def _markouts(rows: Sequence[tuple[Decided, dict[str, Any], float]]) -> dict[str, float]:
    found = {}
    for seconds in sorted({s for _, mark, _ in rows for s in mark["markout_bps"]}, key=int):
        known = [
            (m["markout_bps"][seconds], m["shortfall"]["filled"]) for _, m, _ in rows if seconds in m["markout_bps"]
        ]
        found[seconds] = sum(move * qty for move, qty in known) / sum(qty for _, qty in known)
    return found


def _of_source(rows: Sequence[tuple[Decided, dict[str, Any], float]], name: str) -> dict[str, float]:
    mine = [(one, mark) for one, mark, _ in rows if one.source == name]
    count = len(mine)
    return {
        "trades": count,
        "stated_bps": sum(one.edge_bps for one, _ in mine) / count,
        "realised_bps": sum(mark["move_bps"] for _, mark in mine) / count,
        "shortfall_bps": sum(mark["shortfall"]["bps"] for _, mark in mine) / count,
    }


def _feedback(session: Session, recorder: Recorder) -> dict[str, Any]:
    """Lessons and adjustments, and the first verdicts that an adjustment changed: the proof that the loop is closed."""
    adjustments = [
        {"at_us": a.at_us, "name": a.name, "subject": a.subject, "was": a.was, "value": a.value, "lesson": a.lesson,
         "reason": a.reason, "decision": a.decision}
        for a in recorder.adjustments
    ]  # fmt: skip
    changed = []
    for one in recorder.real():
        for ruling in one.handle.verdict.rulings:
            seen = ruling.seen or {}
            read = next((r for r in ruling.reads if r.name == "size"), None)
            if read is None or ruling.gate != "sized":
                continue
            smaller = seen.get("without_learning")
            if ruling.code == "NOT_EARNED" or (smaller is not None and read.value < 1.0):
                changed.append(
                    {"decision": one.handle.id, "key": _key(one), "source": one.source, "at_us": one.at_us,
                     "size_read": read.value, "qty_without": smaller, "result": ruling.result, "code": ruling.code,
                     "qty": _qty(one)}
                )  # fmt: skip
    changed = [c for c in changed if c["qty_without"] is None or c["qty"] != c["qty_without"]]
    return {
        "lessons": recorder.lessons,
        "adjustments": len(adjustments),
        "verdicts_changed": len(changed),
        "first_changed": changed[:5],
        "moves": adjustments,
        "calibration": {name: session.node.score(name, "calibration") for name in _names(session)},
        "edge": {s: lesson.values for (n, s), lesson in session.node.journal.state.lessons.items() if n == "edge"},
    }


def _names(session: Session) -> list[str]:
    return [decider.name for decider in session.deciders]


def _key(one: Decided) -> str | None:
    return one.handle.decision.key if one.handle.decision is not None else None


def _qty(one: Decided) -> int | None:
    if one.handle.decision is None or not one.handle.admitted:
        return None
    import msgspec

    return int(msgspec.json.decode(one.handle.decision.payload)["qty"])


def _stages(session: Session, recorder: Recorder, p50: float | None, p99: float | None) -> dict[str, Any]:
    """One line for each of the six stages."""
    by, state = recorder.results_by(), session.node.journal.state
    return {
        "inputs": {"signals": len(recorder.decided), "quarantined": len(state.quarantine)},
        "decisions": {"made": sum(one.handle.id is not None for one in recorder.decided)},
        "validation": {name: by[name] for name in ("admitted", "amended", "refused", "held", "shed")},
        "execution": {"orders": session.conversation.counts.sent, "fills": session.conversation.counts.fills},
        "monitoring": {
            "observations": len(recorder.queue),
            "metrics": recorder.metrics.count("\n# TYPE") + recorder.metrics.startswith("# TYPE"),
            "open_max": max((q.decisions for q in recorder.queue), default=0),
            "verdict_ms": {"p50": p50, "p99": p99},
        },
        "feedback": {"lessons": recorder.lessons, "adjustments": len(recorder.adjustments)},
    }


def _market(recorder: Recorder, ended: dict[str, Any]) -> dict[str, Any]:
    first, last = recorder.prices[0], recorder.prices[-1]
    return {
        "from_us": first[0],
        "until_us": last[0],
        "snapshots": len(recorder.prices),
        "first_bid": first[1] / 100,
        "last_bid": last[1] / 100,
        "venue": ended,
    }


def _model(model: Model) -> dict[str, Any]:
    training = model.training
    return {
        "version": model.version,
        "horizon_s": model.horizon_s,
        "fitted_on_samples": training.samples,
        "fitted_until_us": training.until_us,
        "held_out_r2": training.held_out_r2,
        "held_out_hit_rate": training.held_out_hit_rate,
        "held_out_brier": training.held_out_brier,
        "base_rate_brier": training.base_rate_brier,
    }


def _live(session: Session, recorder: Recorder, model: Model) -> dict[str, float] | None:
    """How good all that the model said was, whether or not it was acted on; None if nothing can be judged."""
    said = [signal for one in session.deciders if isinstance(one, FittedModel) for signal in one.said]
    path = MidPath(Snapshot(at_us, ((bid, 1),), ((ask, 1),)) for at_us, bid, ask in recorder.prices)
    try:
        found = score(said, path, model.horizon_s)
    except ValueError:
        return None
    return {
        "signals": found.count,
        "hit_rate": found.hit_rate,
        "brier": found.brier,
        "brier_skill": found.brier_skill,
        "edge_stated_bps": found.edge_stated_bps,
        "edge_realised_bps": found.edge_realised_bps,
        "edge_error_bps": found.edge_error_bps,
    }


def _result(session: Session) -> dict[str, Any]:
    mid = session.tape.mid or 0
    return {
        "usd": session.blotter.result(mid) / MONEY_PER_USD,
        "position_btc": session.blotter.position / QTY_PER_BTC,
        "messages": session.blotter.messages,
        "trades": session.blotter.trades,
    }


def _series(recorder: Recorder) -> dict[str, Any]:
    """What the plots are made of."""
    shortfalls = []
    for one in recorder.decided:
        mark = recorder.mark(one.handle.id)
        if mark is not None:
            shortfalls.append([one.at_us, one.source, mark["shortfall"]["parts_bps"], mark["shortfall"]["filled"]])
    refusals = [
        [one.at_us, one.mid / 100, str(one.handle.verdict.code), one.staged]
        for one in recorder.decided
        if one.handle.verdict.result in _REFUSED
    ]
    return {
        "prices": [[at_us, bid / 100, ask / 100] for at_us, bid, ask in recorder.prices],
        "fills": [[f.at_us, f.side, f.qty / QTY_PER_BTC, f.price / 100] for f in recorder.fills],
        "refusals": refusals,
        "queue": [[q.at_us, q.decisions, q.orders, q.in_doubt] for q in recorder.queue],
        "latency_ms": [[one.at_us, one.took_s * 1e3] for one in recorder.decided],
        "results": [
            [at_us, position / QTY_PER_BTC, money / MONEY_PER_USD] for at_us, position, money in recorder.results
        ],
        "shortfalls": shortfalls,
        "sizes": [[a.at_us, a.subject, a.value] for a in recorder.adjustments if a.name == "size"],
        "edges": _edges(recorder),
    }


def _edges(recorder: Recorder) -> list[list[Any]]:
    """Stated and realised edge of each trade, in order of its end."""
    rows = []
    for one in recorder.decided:
        mark = recorder.mark(one.handle.id)
        if mark is not None:
            rows.append([recorder.outcomes[one.handle.id or 0].at_us, one.source, one.edge_bps, mark["move_bps"]])
    return sorted(rows)
