"""What holds things up now, in one sentence, with the reason and where to look. Pure: reads what `flow` has gathered.

Engine first (it has failed, drains, is halted, or its journal is slow), then what fails outside, then the capacity
that most work waits for, then people, then what is refused; if nothing of that is so, it says what is nearest to its
limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

#: A turn that takes longer has the journal to thank for it.
SLOW_TURN_S = 1.0
#: Above this share of the time in commits, signals wait for the journal.
BUSY_SHARE = 0.7
#: Refusals a second of one code that are worth a sentence.
REFUSED_MIN = 0.2


class Bottleneck(NamedTuple):
    """One answer."""

    code: str
    text: str
    why: str
    #: The page that says more.
    page: str

    def data(self) -> dict[str, str]:
        """As plain data."""
        return self._asdict()


def bottleneck(flow: dict[str, Any]) -> Bottleneck:
    """The first that applies."""
    for look in _LOOKS:
        found = next(look(flow), None)
        if found is not None:
            return found
    return _nothing(flow)


def _engine(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    for reason in flow["health"]["reasons"]:
        code, text = reason["code"], reason["text"]
        if reason["takes"] == "alive":
            yield Bottleneck(code, "The node itself: it does not turn any more.", text, "/audit")
        if code in {"NOT_STARTED", "DRAINING"}:
            yield Bottleneck(code, "The node takes no new work.", text, "/")
    for halt in flow["halts"]:
        if halt["scope"] == "all" and halt["mode"] == "halted":
            why = f"{halt['by']} halted all" + (f": {halt['reason']}" if halt["reason"] else "")
            yield Bottleneck("HALTED", "A halt: nothing starts, and everything new is refused.", why, "/")


def _journal(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    journal, waiting = flow["journal"], flow["signals_waiting"]
    if journal["turn_s"] > SLOW_TURN_S:
        why = f"The turn that runs now has waited {journal['turn_s']:.1f} s for its commit."
        yield Bottleneck("JOURNAL", "The journal: its disk is slow.", why, "/")
    if waiting > flow["signals_waiting_max"] // 2:
        share = journal["busy_share"]
        if share is not None and share > BUSY_SHARE:
            why = f"{waiting:,} signals wait for a turn, and commits take {share:.0%} of the time."
            yield Bottleneck("JOURNAL", "The journal: its commits.", why, "/")
        why = f"{waiting:,} of at most {flow['signals_waiting_max']:,} signals wait for a turn."
        yield Bottleneck("ENGINE", "This process: more arrives than it can rule on.", why, "/")


def _references(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    for reason in flow["health"]["reasons"]:
        if reason["code"] == "REFERENCE_STALE":
            text = "A reference that cannot be loaded: gates that read it refuse."
            yield Bottleneck("REFERENCE_STALE", text, reason["text"], "/decisions?code=REFERENCE_STALE")


def _world(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    """What fails or hangs outside; nothing need wait for it, and yet nothing is done."""
    for effector in flow["effectors"]:
        name = effector["name"]
        if effector["breaker_open"]:
            why = "Most of its last calls failed, so its breaker is open: what fails is tried again when some succeed."
            yield Bottleneck("WORLD_FAILS", f"The world behind {name}.", why, "/decisions?state=failed")
        elif effector["pace"] == "hanging" and effector["in_flight"] and not effector["queued"]:
            why = f"{effector['in_flight']:,} {_plural('call', effector['in_flight'])} and no answer."
            yield Bottleneck("WORLD_SLOW", f"The world behind {name}.", why, f"/effectors#{name}")


def _capacity(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    """Slots, tokens, order keys: whatever most work waits for."""
    found = [(effector["queued"], _slots(effector)) for effector in flow["effectors"] if effector["queued"]]
    waiting = flow["waiting"]
    for name, count in waiting["tokens"].items():
        why = f"{count:,} {_wait(count)} until its tokens come in."
        found.append((count, Bottleneck("RATE", f"The rate {name}.", why, "/budgets")))
    if waiting["behind"]:
        found.append((waiting["behind"], _order(flow)))
    for scope, count in waiting["halted"].items():
        why = f"{count:,} admitted {_wait(count)} until somebody lifts it."
        found.append((count, Bottleneck("HALTED", f"The halt of {scope}.", why, "/")))
    if waiting["undeclared"]:
        why = f"{waiting['undeclared']:,} wait for a deploy that declares their kind or effector again."
        found.append((waiting["undeclared"], Bottleneck("UNDECLARED", "A declaration that is gone.", why, "/")))
    if found:
        yield max(found, key=lambda each: each[0])[1]


def _slots(effector: dict[str, Any]) -> Bottleneck:
    name, count, slots = effector["name"], effector["queued"], effector["slots"]
    page = f"/effectors#{name}"
    if effector["held_until_us"]:
        why = f"It said that it is busy; {count:,} {_wait(count)} until it may be called again."
        return Bottleneck("WORLD_BUSY", f"The world behind {name}.", why, page)
    if effector["pace"] in {"hanging", "slow"}:
        why = f"Its calls are {effector['pace']}; {count:,} {_wait(count)} for {_slot(slots)}."
        return Bottleneck("WORLD_SLOW", f"The world behind {name}.", why, page)
    why = f"{count:,} {_wait(count)} for {_slot(slots)}, {effector['in_flight']} taken"
    if effector["call_s"]:
        per_s = slots / effector["call_s"]
        why += f"; a call takes {_span(effector['call_s'])}, so about {per_s:,.3g} a second can be done"
        why += f" and the last of them waits {_span(count / per_s)}"
    if effector["turned_away"]:
        why += f". {effector['turned_away']:.0%} of what asks for it is turned away, because it would be too late"
    return Bottleneck("SLOTS", f"The {'slot' if slots == 1 else 'slots'} of {name}.", why + ".", page)


def _order(flow: dict[str, Any]) -> Bottleneck:
    count, first = flow["waiting"]["behind"], flow["waiting"]["keys"][0]
    why = f"{count:,} {_wait(count)} for an earlier one of the same order key"
    why += f"; most, {first['waiting']:,}, behind {first['behind']}, which is {first['doing']}."
    text = f"The order key {first['order_key']} of {first['tenant']}."
    return Bottleneck("ORDER", text, why, f"/decisions/{first['behind']}")


def _people(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    waiting = flow["waiting"]
    if waiting["in_doubt"]:
        count = waiting["in_doubt"]
        why = f"Nobody knows what became of {count:,} {_plural('action', count)}; what follows on them waits."
        yield Bottleneck("IN_DOUBT", "The world: it has not said what it did.", why, "/effectors")
    if waiting["held"]:
        count = waiting["held"]
        why = f"{count:,} {_plural('decision', count)} {_wait(count)} for somebody's approval. Nothing else waits."
        yield Bottleneck("APPROVAL", "A person.", why, "/approvals")


def _refused(flow: dict[str, Any]) -> Iterator[Bottleneck]:
    for entry in flow["refusals"][:1]:
        if entry["per_s"] is not None and entry["per_s"] >= REFUSED_MIN:
            why = f"{entry['code']} refuses {entry['per_s']:,.3g} a second, {entry['count']:,} since the node started."
            text = "No queue. Most of what is not done is refused."
            yield Bottleneck("REFUSALS", text, why, f"/decisions?code={entry['code']}")


def _nothing(flow: dict[str, Any]) -> Bottleneck:
    busiest = max(flow["effectors"], key=lambda e: e["in_flight"] / max(1, e["slots"]), default=None)
    if busiest is None:
        return Bottleneck("NONE", "Nothing.", "No effector is declared, so nothing can wait for one.", "/")
    share = busiest["in_flight"] / max(1, busiest["slots"])
    why = "Nothing waits, and nothing runs." if not share else "Nothing waits."
    if share:
        why += f" The busiest effector, {busiest['name']}, has {share:.0%} of its slots taken."
    if not flow["over_s"]:
        why += " Rates are known in a second."
    return Bottleneck("NONE", "Nothing.", why, "/")


_LOOKS: tuple[Callable[[dict[str, Any]], Iterator[Bottleneck]], ...] = (
    _engine, _journal, _references, _world, _capacity, _people, _refused,
)  # fmt: skip


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _slot(slots: int) -> str:
    return "its one slot" if slots == 1 else f"its {slots:,} slots"


def _span(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} min"  # noqa: PLR2004 - two minutes
