"""Settings of a node, each with its unit and its bound. A node is given one; nothing is global."""

from __future__ import annotations

from dataclasses import dataclass

from lictor.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node runs. The three trade-offs of DESIGN section 4 are settings here.

    `assurance` and `durability` are speed against correctness, `headroom` and the `extra_work` of effectors are
    reliability against cost. `lictor explain` says what follows from them.
    """

    #: What an acknowledgement survives: `memory` nothing, `journal` a crash of the process, `sync` a loss of power.
    durability: str = "sync"
    #: How often it is asked whether an effect is right. `fast`: the gates, at admission. `checked`: and what was
    #: admitted under another policy than a deploy brought, or by a reference that has changed since, is ruled again
    #: before it starts. `verified`: and the world is asked (`reconcile`) before a success counts.
    assurance: str = "checked"
    #: Share of each effector's measured capacity that admission leaves free, so that what an outage leaves drains fast.
    headroom: float = 0.0
    #: Signals that may wait for the next turn; more are shed (`OVERLOADED`).
    waiting_max: int = 20_000
    #: Decisions that may be open, held and deferred ones too; more are shed (`OVERLOADED`).
    backlog_max: int = 1_000_000
    #: Open decisions that are kept in memory, about. What is queued beyond a quarter of it is parked in the journal;
    #: what cannot be parked (held, started, with an order key, a child) is shed beyond all of it (`OVERLOADED`).
    window_max: int = 50_000
    #: Entries that quarantine keeps; more bad signals are refused and only counted.
    quarantine_max: int = 10_000
    #: Signals decided in one turn, at most, so that one commit never grows without bound.
    turn_max: int = 1_000
    #: Below this much free disk the node stops admitting, so that settlements still fit.
    free_bytes_min: int = 64 << 20
    #: Let the cyclic garbage collector run less often while the node does (lictor.runtime.collector says why).
    tune_collector: bool = True
    #: How long `stop` waits for running calls before it cancels them.
    drain_s: float = 10.0
    #: Field names that are secret, beside the usual ones: their values are not in logs, timelines and exports.
    redact: tuple[str, ...] = ()
    #: Share of the decisions of which an OpenTelemetry trace is built once they have ended; 0 for none.
    trace: float = 0.0
    #: Lessons are written at most this often, unless one changes something.
    learn_every_s: float = 1.0
    #: Sheds are counted and written at most this often.
    shed_every_s: float = 1.0
    #: A checkpoint of history is signed at least this often while there is something new, and each so many facts;
    #: 0 signs none. In memory no history is kept, and none is signed.
    checkpoint_every_s: float = 60.0
    #: One is signed after so many facts, however soon.
    checkpoint_facts: int = 65_536
    #: The file of the key that signs them; `.key` beside the journal where it is None.
    audit_key: str | None = None
    #: A file that each checkpoint is appended to as well, best where this node's user cannot rewrite it.
    anchor: str | None = None

    def __post_init__(self) -> None:
        if self.durability not in {"memory", "journal", "sync"}:
            raise DeclarationError(f"durability={self.durability!r}", hint="memory, journal or sync")
        if self.assurance not in {"fast", "checked", "verified"}:
            raise DeclarationError(f"assurance={self.assurance!r}", hint="fast, checked or verified")
        if not 0 <= self.trace <= 1:
            raise DeclarationError(f"trace={self.trace}", hint="a share of the decisions, such as 0.1")
        if not 0 <= self.headroom < 1:
            raise DeclarationError(f"headroom={self.headroom}", hint="a share of capacity, such as 0.1")
        for name in ("waiting_max", "backlog_max", "window_max", "turn_max", "quarantine_max", "checkpoint_facts"):
            if getattr(self, name) < 1:
                raise DeclarationError(f"{name} must be at least 1")
