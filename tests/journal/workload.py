"""Random work for a journal: every verb, mostly possible and sometimes not, from one seed."""

import random

from lictor.journal.port import (
    Act,
    Approve,
    Cancel,
    Declare,
    Learn,
    Mark,
    Progress,
    Quarantine,
    Refer,
    SetGrant,
    SetHalt,
    SetStanding,
    Shed,
    Start,
    StartItem,
    Undo,
)
from lictor.lifecycle import ACTION, DECISION, DecisionState
from lictor.records import Adjustment, Approval, Grant, Halt, Lesson, Quarantined, Reservation, ShedCount, Standing
from lictor.testing.journal_stand import MINUTE_US, T0_US, admit, close, decision, defer, hold, limit, refuse

WINDOW_US = 10_000_000
ACTION_EVENTS = sorted({event for _, event in ACTION})
DECISION_EVENTS = sorted({event for _, event in DECISION} - {"admit", "refuse", "hold", "defer", "start", "compensate"})


class Workload:
    """Makes batches for a journal, looking at its state; the same seed and state give the same batch."""

    def __init__(self, seed, *, strictly=False):
        self.random = random.Random(f"workload:{seed}")
        self.at_us = T0_US
        self.next_id = 1
        self.decisions = {}
        #: One verb a batch, and nothing starts before its predecessors in its order lane have ended.
        self.strictly = strictly

    def opening(self):
        """Limits to begin with."""
        return [
            limit(300), limit(200, "globex"), limit(40, "rare"), limit(500, "windowed", window_s=10.0),
            Declare("payouts", "1", "p", self.at_us, {"control": [], "effectors": {"transfer": True}}),
        ]  # fmt: skip

    def batch(self, state):
        """A few verbs that fit one state, more or less."""
        self.at_us += self.random.choice((0, 1, 1000, 3_000_000))
        makers = (
            [self._new] * 6
            + [self._end] * 5
            + [self._start] * 4
            + [self._act] * 5
            + [self._again] * 3
            + [self._aside] * 2
        )
        wanted = 1 if self.strictly else self.random.randint(1, 6)
        return [verb for _ in range(wanted) for verb in [self.random.choice(makers)(state)] if verb is not None]

    def _pick(self, state, *states):
        found = [open_ for open_ in state.open.values() if not states or open_.state in states]
        return self.random.choice(found) if found else None

    def _new(self, state):
        r = self.random
        id_, self.next_id = self.next_id, self.next_id + 1
        parent = self._pick(state) if r.random() < 0.2 else None
        fields = {
            "source": r.choice(("agent", "other")),
            "kind": r.choice(("payout", "refund")),
            "key": r.choice((None, None, f"k{r.randint(1, 40)}")),
            "order_key": r.choice((None, "a", "b")),
            "deadline_us": self.at_us + r.choice((0, 5_000_000, MINUTE_US)),
            "parent": parent.decision.id if parent else None,
            "depth": parent.decision.depth + 1 if parent else 0,
        }
        old = self._pick(state) if r.random() < 0.15 else None
        if old is not None:
            fields["supersedes"] = old.decision.id
        wanted = self.decisions[id_] = decision(id_, r.choice((b'{"a":1}', b'{"a":2}')), **fields)
        return self._ruled(wanted, state)

    def _ruled(self, wanted, state):
        r = self.random
        choice = r.random()
        if choice < 0.1:
            return hold(wanted)
        if choice < 0.2:
            return defer(wanted)
        if choice < 0.3:
            return refuse(wanted, "NO")
        lease = None
        if r.random() < 0.5 and not (self.strictly and self._lane_is_busy(wanted, state)):
            lease = state.next_fence()
        return admit(wanted, *self._holds(), fence=lease, actions=r.choice((1, 1, 2)))

    def _holds(self):
        r = self.random
        window = self.at_us - self.at_us % WINDOW_US
        choices = [
            Reservation("cash", "acme", r.randint(0, 40)), Reservation("cash", "globex", r.randint(1, 40)),
            Reservation("cash", "rare", r.randint(1, 20)), Reservation("cash", "windowed", r.randint(1, 90), window),
        ]  # fmt: skip
        return r.sample(choices, r.choice((0, 1, 1, 2)))

    def _lane_is_busy(self, wanted, state):
        return wanted.order_key is not None and any(
            found.decision.order_key == wanted.order_key and found.decision.id != wanted.id
            for found in state.open.values()
        )

    def _again(self, state):
        """Rule on what waits once more, or answer for it."""
        r = self.random
        found = self._pick(state, DecisionState.HELD, DecisionState.DEFERRED)
        if found is None:
            return None
        if r.random() < 0.5:
            return self._ruled(found.decision, state)
        if found.approvals and r.random() < 0.3:
            a = r.choice(found.approvals)
            return SetStanding(
                Standing(
                    gate=a.gate, gate_version=a.gate_version, digest=a.digest, source=found.decision.source,
                    approver=r.choice((a.approver, "olga")), at_us=self.at_us, decision=a.decision,
                    until_us=r.choice((0, self.at_us + MINUTE_US)),
                )
            )  # fmt: skip
        approver = r.choice(("olga", "piet", "agent"))
        return Approve(
            Approval(
                decision=found.decision.id, gate=r.choice("gh"), gate_version="1", digest=found.decision.digest,
                approver=approver, approved=r.random() < 0.8, at_us=self.at_us,
            )
        )  # fmt: skip

    def _start(self, state):
        r = self.random
        found = [open_ for open_ in state.open.values() if open_.plan is not None]
        if self.strictly:
            found = [open_ for open_ in found if open_.started or self._is_next(open_, state)][:1]
        if not found:
            return None
        items = []
        for open_ in r.sample(found, min(len(found), r.choice((1, 2, 3)))):
            ordinals = r.sample(range(len(open_.actions)), r.randint(1, len(open_.actions)))
            items.append(StartItem(open_.decision.id, tuple(ordinals), state.next_fence()))
        return Start(tuple(items), self.at_us + MINUTE_US)

    def _is_next(self, open_, state):
        mine = open_.decision.order_key
        before = (other for other in state.open.values() if other.decision.order_key == mine and other.plan is not None)
        return mine is None or all(other is open_ or other.place > open_.place for other in before)

    def _news(self, open_, ordinal):
        r = self.random
        action = open_.actions[ordinal]
        listed = [event for (state, event) in ACTION if state == action.state and event != "start"]
        event = r.choice(listed or ACTION_EVENTS) if r.random() < 0.9 else r.choice(ACTION_EVENTS)
        used = [(hold[0], hold[1], r.randint(0, 25)) for hold in open_.held] if r.random() < 0.3 else []
        if r.random() < 0.05:
            used.append(("cash", "acme", 3))
        report = f"r{r.randint(1, 4)}" if event == "report" else None
        fence = action.fence if r.random() < 0.9 else action.fence - 1
        value = {"n": ordinal} if event == "succeed" else None
        return Act(ordinal, event, fence, "E" if event == "fail" else None, value, tuple(used), None, None, report)

    def _act(self, state):
        found = self._pick(state, DecisionState.RUNNING, DecisionState.COMPENSATING)
        if found is None:
            return None
        if self.random.random() < 0.1:
            return Undo(found.decision.id, self.at_us, "E")
        count = self.random.choice((1, 1, 2))
        acts = (self._news(found, self.random.randrange(len(found.actions))) for _ in range(count))
        return Progress(found.decision.id, tuple(acts), self.at_us)

    def _end(self, state):
        r = self.random
        found = self._pick(state)
        if found is None or r.random() < 0.05:
            return close(r.randint(1, self.next_id))
        if r.random() < 0.15:
            return Cancel(found.decision.id, self.at_us, "olga", "why not")
        listed = [event for (state_, event) in DECISION if state_ == found.state and event in DECISION_EVENTS]
        event = r.choice(listed or DECISION_EVENTS)
        acts = [self._news(found, 0)] if found.actions and found.started and r.random() < 0.5 else []
        return close(found.decision.id, event, acts, code=r.choice((None, "E")), value=r.choice((None, [1, "x"])))

    def _aside(self, state):
        r = self.random
        scope = r.choice(("all", "kind:refund", "source:other", "effector:transfer"))
        mode = "none" if scope in state.halts else r.choice(("halted", "reduce_only"))
        lesson = Lesson(name="score", subject=r.choice("ab"), at_us=self.at_us, values={"n": r.random()})
        change = Adjustment(name="size", subject="a", value=r.random(), was=1.0, at_us=self.at_us, lesson="score")
        entry = Quarantined(
            id=r.randint(1, 5), source="feed", at_us=self.at_us, reason="RANGE", detail="", signal=b"{}",
            state=r.choice(("kept", "replayed")),
        )  # fmt: skip
        grant = Grant(
            id=r.choice("ab"), name="agent", hash=b"h" * 32, roles=("submit",), sources=None, tenants=None,
            made_us=T0_US, by="olga", expires_us=self.at_us + MINUTE_US, revoked_us=r.choice((None, self.at_us)),
        )  # fmt: skip
        return r.choice(
            [
                SetGrant(grant),
                Mark(r.choice("ab"), r.randint(1, 99), self.at_us),
                SetHalt(Halt(scope=scope, mode=mode, at_us=self.at_us, by="olga")),
                limit(r.randint(100, 400), reset_latch=True),
                limit(r.randint(100, 400), "globex", reset_latch=r.random() < 0.5),
                Learn((lesson,), (change,), self.at_us),
                Quarantine(entry),
                Refer("prices", f"v{r.randint(1, 9)}", self.at_us, b"1"),
                Shed((ShedCount(self.at_us // 1_000_000, "agent", "payout", "INFEASIBLE", 3),), self.at_us),
            ]
        )
