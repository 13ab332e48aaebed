"""The lifecycle table: complete, closed, drawn in the docs, and what a journal really does (driven by Hypothesis)."""

import re
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lictor import lifecycle
from lictor.errors import LifecycleError
from lictor.journal import port
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.lifecycle import ACTION, ACTION_TERMINAL, DECISION, TERMINAL, ActionState, DecisionState, Event
from lictor.records import Action, Approval, Decision, Lease, Outcome, Plan, Reservation, Result, Ruling, Verdict

ROOT = Path(__file__).parents[1]
ALL = [(DecisionState, DECISION, TERMINAL, lifecycle.decide), (ActionState, ACTION, ACTION_TERMINAL, lifecycle.act)]


@pytest.mark.parametrize(("states", "table", "ends", "move"), ALL)
def test_what_is_not_listed_raises(states, table, ends, move):
    for state in states:
        for event in Event:
            if (state, event) in table:
                assert move(state, event) is table[state, event]
            else:
                with pytest.raises(LifecycleError, match=str(state)):
                    move(state, event)


@pytest.mark.parametrize(("states", "table", "ends", "move"), ALL)
def test_every_state_is_reached_and_every_one_but_the_ends_is_left(states, table, ends, move):
    start = DecisionState.NEW if states is DecisionState else ActionState.WAITING
    reached, unseen = {str(start)}, [str(start)]
    while unseen:
        state = unseen.pop()
        for (source, _), transition in table.items():
            if source == state and transition.to not in reached:
                reached.add(transition.to)
                unseen.append(transition.to)
    assert reached == set(states)
    left = {state for state, _ in table}
    assert set(states) - left == {state for state in ends if state not in left}
    assert left >= set(states) - set(ends)


def test_the_end_of_a_decision_is_never_left():
    assert not [key for key in DECISION if key[0] in TERMINAL]


def test_the_end_of_an_action_is_left_only_to_undo_a_success():
    left = [(state, event) for state, event in ACTION if state in ACTION_TERMINAL]
    assert left == [(ActionState.SUCCEEDED, Event.COMPENSATE)]


def test_an_end_settles_or_releases_and_nothing_else_does():
    for (_, event), transition in DECISION.items():
        assert (transition.to in TERMINAL) == (transition.releases in {"settle", "release"}), event


def test_from_doubt_there_is_no_way_back_to_the_queue_but_by_news_of_absence():
    ways = {event for (state, event), to in ACTION.items() if state == ActionState.IN_DOUBT and to.to not in TERMINAL}
    assert {Event.ABSENT, Event.PEND, Event.REPORT, Event.START} >= ways - {Event.SUCCEED}


@pytest.mark.parametrize("machine", ["decision", "action"])
def test_the_diagram_in_the_docs_is_the_table(machine):
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    found = re.search(rf"<!-- lifecycle: {machine} -->\n```mermaid\n(.*?)\n```\n<!-- end -->", text, re.DOTALL)
    assert found, f"no diagram of the {machine}"
    assert found[1] == lifecycle.mermaid(machine), "write it anew: lictor.lifecycle.mermaid"


def test_the_diagram_shows_every_transition():
    for states, table, ends, _ in ALL:
        drawn = lifecycle.mermaid("decision" if states is DecisionState else "action")
        for (state, event), transition in table.items():
            assert re.search(rf"^    {state} --> {transition.to}: .*\b{event}\b", drawn, re.MULTILINE)
        for end in ends:
            assert f"    {end} --> [*]" in drawn


# -- what a journal does with each event, in every state that Hypothesis can bring a decision into --------------------

HALF = 5
VERDICTS = {
    Event.ADMIT: Result.ADMITTED,
    Event.REFUSE: Result.REFUSED,
    Event.HOLD: Result.HELD,
    Event.DEFER: Result.DEFERRED,
}
ENDINGS = {event for (_, event), transition in DECISION.items() if transition.to in TERMINAL} - {Event.REFUSE}
NEWS = sorted({event for _, event in ACTION} - {Event.START})


def drive(coroutine):
    """Run a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the memory journal waited")


class JournalFollowsTheTable(RuleBasedStateMachine):
    """One decision of two actions. The model knows the table alone; the journal must agree after each verb."""

    def __init__(self):
        super().__init__()
        self.disk = MemoryDisk()
        self.journal = MemoryJournal(self.disk)
        drive(self.journal.open(0))
        self.now = 1
        drive(self.journal.write([port.SetLimit("cash", "all", 10 * HALF, self.now, "test")], self.now))
        self.decision = str(DecisionState.NEW)
        self.actions: list[str] = []
        self.asked = False
        self.reports = 0

    def write(self, verb):
        self.now += 1
        (answer,) = drive(self.journal.write([verb], self.now))
        return answer

    @property
    def open(self):
        return self.journal.state.open.get(7)

    def listed(self, event):
        return DECISION.get((self.decision, event))

    @initialize(lease=st.sampled_from([None, False, True, True]))
    def begins(self, lease):
        if lease is not None:  # most of the table is behind an admission
            self._rules(Event.ADMIT, lease=lease)

    @rule(event=st.sampled_from(sorted(VERDICTS)), lease=st.booleans())
    def rules(self, event, lease):
        self._rules(event, lease=lease)

    def _rules(self, event, *, lease):
        d = Decision(
            id=7, kind="K", version=1, tenant="t", source="s", key="k", digest=b"d" * 32, payload=b"{}",
            received_us=0, deadline_us=1 << 60, priority=2, submitted_digest=b"d" * 32,
        )  # fmt: skip
        result = VERDICTS[event]
        admitted = result is Result.ADMITTED
        verdict = Verdict(
            result=result, at_us=self.now, digest=d.digest, code=None if admitted else "C", rulings=(Ruling("g", "x"),),
            reservations=(Reservation("cash", "all", HALF),) if admitted else (),
        )  # fmt: skip
        plan = Plan((Action("e"), Action("e"))) if admitted else None
        fence = self.journal.state.next_fence()
        answer = self.write(port.Admit(d, verdict, plan, Lease(fence, 1 << 61) if admitted and lease else None))
        transition = self.listed(event) if not self.asked else None
        assert answer.ok == (transition is not None), answer
        if transition is not None:
            self.decision = transition.to
            if admitted:
                self.actions = [str(ActionState.WAITING)] * 2
                if lease:
                    self.started(0)

    def started(self, ordinal):
        self.actions[ordinal] = ACTION[self.actions[ordinal], Event.START].to
        if self.decision == DecisionState.ADMITTED:
            self.decision = DECISION[self.decision, Event.START].to

    @precondition(lambda self: self.actions)
    @rule(ordinal=st.integers(0, 1))
    def starts(self, ordinal):
        item = port.StartItem(7, (ordinal,), self.journal.state.next_fence())
        answer = self.write(port.Start((item,), 1 << 61))
        alive = self.decision in {DecisionState.ADMITTED, DecisionState.RUNNING} and not self.asked
        assert (7 in answer.accepted) == (alive and (self.actions[ordinal], Event.START) in ACTION)
        if answer.accepted:
            self.started(ordinal)

    @precondition(lambda self: self.actions)
    @rule(ordinal=st.integers(0, 1), event=st.sampled_from(NEWS), stale=st.booleans(), known=st.booleans())
    def hears(self, ordinal, event, stale, known):
        fence = self.open.actions[ordinal].fence if self.open else 0
        self.reports += not known
        report = f"r{self.reports}" if event == Event.REPORT else None
        fresh = report is None or not self.open or report not in (self.open.actions[ordinal].reports or ())
        news = port.Act(ordinal, event, fence - 1 if stale else fence, report=report)
        answer = self.write(port.Progress(7, (news,), self.now))
        transition = ACTION.get((self.actions[ordinal], event))
        fits = transition is not None and self.decision not in TERMINAL
        assert answer.ok == (fits and not stale and fresh), answer
        if answer.ok:
            self.actions[ordinal] = transition.to
            if event == Event.DOUBT and self.decision == DecisionState.ADMITTED:
                self.decision = DECISION[self.decision, Event.START].to

    @rule(event=st.sampled_from(sorted(ENDINGS)))
    def ends(self, event):
        found = self.listed(event)
        to = found.to if found is not None else "succeeded"
        answer = self.write(port.Close(7, event, Outcome(decision=7, result=to, at_us=self.now)))
        assert answer.ok == (found is not None)
        if found is not None:
            self.decision = found.to

    @rule()
    def is_to_be_undone(self):
        found = self.listed(Event.COMPENSATE)
        assert self.write(port.Undo(7, self.now)).ok == (found is not None)
        if found is not None:
            self.decision = found.to

    @rule()
    def is_cancelled(self):
        alive = self.decision not in TERMINAL | {DecisionState.NEW}
        unstarted = (self.decision, Event.CANCEL) in DECISION and self.decision != DecisionState.RUNNING
        assert self.write(port.Cancel(7, self.now, "ann")).ok == (alive and not self.asked)
        if alive and unstarted:
            self.decision = DECISION[self.decision, Event.CANCEL].to
        elif alive:
            self.asked = True

    @rule(approved=st.booleans())
    def is_approved(self, approved):
        approval = Approval(
            decision=7, gate="g", gate_version=str(self.now), digest=b"d" * 32, approver="boss", approved=approved,
            at_us=self.now,
        )  # fmt: skip
        assert self.write(port.Approve(approval)).ok == (self.decision == DecisionState.HELD)

    @rule()
    def the_node_restarts(self):
        self.journal = MemoryJournal(self.disk)
        drive(self.journal.open(self.now))

    @invariant()
    def the_journal_agrees(self):
        if self.decision in TERMINAL | {DecisionState.NEW}:
            assert self.open is None
        else:
            assert self.open.state == self.decision
            assert [action.state for action in self.open.actions] == self.actions

    @invariant()
    def what_is_reserved_follows_the_state(self):
        balance = self.journal.state.balances["cash", "all"]
        holds = self.decision in {DecisionState.ADMITTED, DecisionState.RUNNING, DecisionState.COMPENSATING}
        assert balance.reserved(None) == (HALF if holds else 0)
        assert balance.settled(None) == (HALF if self.decision == DecisionState.SUCCEEDED else 0)


TestJournalFollowsTheTable = JournalFollowsTheTable.TestCase
TestJournalFollowsTheTable.settings = settings(max_examples=150, stateful_step_count=30)
