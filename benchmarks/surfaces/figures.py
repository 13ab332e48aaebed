"""From samples to the figures that were asked for; what was not measured is null and not met."""

from __future__ import annotations

from statistics import median
from typing import Any

from lictor.surfaces.evidence import Evidence

#: Submits of one decision a request, of many, and of one beside a route that does nothing, at the least.
SINGLE, NDJSON, OF_BARE = 6_000, 20_000, 0.35
LISTS_P99_MS = 200
VIEWERS_LOSS = 0.05
CASES = 20_000

#: Sample of a suite -> what it shows when all of it passes.
SHOWN = {
    "mcp": "S1 the official MCP client calls, is refused, approved, deduplicated",
    "inspector": "S1 the MCP inspector's command line does",
    "way": "S1 the README's way, and one from webhook to HTTP call, over real sockets",
    "authorization": "S2 authorization matrix as declared",
    "canaries": "S2 canaries of secrets and of stored scripts are found nowhere",
    "browser": "S3 each page, approval, bulk action, rehearsal and the kill switch in a browser",
}

Samples = dict[str, list[dict[str, Any]]]


def show(evidence: Evidence, samples: Samples, viewers: int) -> None:
    """All entries, in the order of the issue."""
    tested(evidence, samples)
    _tamper(evidence, samples)
    lists = samples.get("lists", [])
    for name in ("p50_ms", "p99_ms"):
        target = LISTS_P99_MS if name == "p99_ms" else None
        value = _most(lists, name)
        evidence.show(id=f"S4 lists, any filter, {name[:3]}", value=value, unit="ms", target=target, at_most=True)
        value = _most(lists, f"page {name}")
        evidence.show(
            id=f"S4 decisions page, any filter, {name[:3]}", value=value, unit="ms", target=target, at_most=True
        )
    _viewers(evidence, samples, viewers)
    _speed(evidence, samples)


def tested(evidence: Evidence, samples: Samples) -> None:
    """What suites have shown, each a sample of its own name: see `measure` in `__main__`."""
    for name, said in SHOWN.items():
        taken = samples.get(name, [{}])[-1]
        value = taken["passed"] / taken["run"] if taken.get("run") else None
        evidence.show(id=said, value=value, unit="of checks", target=1.0)
    fuzz = samples.get("schemathesis", [{}])[-1]
    evidence.show(id="S2 schemathesis cases", value=fuzz.get("cases"), unit="cases", target=CASES)
    evidence.show(id="S2 schemathesis findings", value=fuzz.get("findings"), unit="findings", target=0, at_most=True)


def _tamper(evidence: Evidence, samples: Samples) -> None:
    for what in ("flipped", "removed", "repeated", "moved"):
        taken = samples.get("tamper", [{}])[-1]
        value = taken[f"{what} found"] / taken[what] if what in taken else None
        evidence.show(id=f"S2 tampering found, {what}", value=value, unit="ratio", target=1.0)
    evidence.show(id="S2 tampering tried", value=_sum(samples.get("tamper", [])), unit="exports")


def _viewers(evidence: Evidence, samples: Samples, viewers: int) -> None:
    without, watched = samples.get("single", []), samples.get("watched", [])
    pairs = [1 - b["per_second"] / a["per_second"] for a, b in zip(without, watched, strict=False) if a["per_second"]]
    loss = max(0.0, median(pairs)) if pairs else None
    held = bool(watched) and all(one["viewers"] == viewers and not one["viewers_wrong"] for one in watched)
    evidence.show(
        id=f"S4 throughput lost to {viewers} viewers", value=loss, unit="ratio", target=VIEWERS_LOSS, at_most=True
    )
    evidence.show(id=f"S4 all {viewers} viewers held", value=held if watched else None, unit="", target=True)
    seen = median(one["events_per_second"] for one in watched) if watched else None
    evidence.show(id="S4 events that the viewers saw", value=seen, unit="events/s")


def _speed(evidence: Evidence, samples: Samples) -> None:
    single, bare, ndjson = (_rates(samples, name) for name in ("single", "bare", "ndjson"))
    evidence.show(id="S5 HTTP submits, one a request", value=_median(single), unit="decisions/s", target=SINGLE)
    evidence.show(id="S5 HTTP submits, NDJSON", value=_median(ndjson), unit="decisions/s", target=NDJSON)
    evidence.show(id="S5 a bare route that does nothing", value=_median(bare), unit="requests/s")
    for name in ("single", "bare", "ndjson"):
        took = [one["server_cpu_us"] for one in samples.get(name, []) if "server_cpu_us" in one]
        evidence.show(id=f"S5 processor time of the server, {name}", value=_median(took), unit="us/answer")
    pairs = [a / b for a, b in zip(single, bare, strict=False) if b]
    evidence.show(id="S5 single of a bare route", value=_median(pairs), unit="ratio", target=OF_BARE)
    wrong = [one["wrong"] for name in ("single", "bare", "ndjson", "watched") for one in samples.get(name, [])]
    count = sum(sum(one.values()) for one in wrong) if wrong else None
    evidence.show(id="S5 answers that were not good", value=count, unit="answers", target=0, at_most=True)


def _rates(samples: Samples, name: str) -> list[float]:
    return [one["per_second"] for one in samples.get(name, [])]


def _median(values: list[float]) -> float | None:
    return median(values) if values else None


def _most(taken: list[dict[str, Any]], name: str) -> float | None:
    return max((one[name] for one in taken if name in one), default=None)


def _sum(taken: list[dict[str, Any]]) -> float | None:
    if not taken:
        return None
    return sum(count for what, count in taken[-1].items() if not what.endswith("found"))
