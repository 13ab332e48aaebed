"""A state machine drawn from the lifecycle's own table drives each journal beside a model of a few lines.

What the table lists is accepted and leads where it says; what it does not list is refused and changes nothing.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.port import Act, Progress, Undo
from lictor.journal.sqlite import SqliteJournal
from lictor.lifecycle import ACTION, DECISION, TERMINAL
from lictor.records import Result
from lictor.testing.journal_stand import T0_US, admit, cash, close, decision, defer, hold, limit, picture, refuse, start

LIMIT = 20
RULINGS = {
    "admit": admit,
    "refuse": lambda of, *_: refuse(of),
    "hold": lambda of, *_: hold(of),
    "defer": lambda of, *_: defer(of),
}
ENDS = sorted({event for (_, event), to in DECISION.items() if to.to in TERMINAL and event != "refuse"})
ACTION_EVENTS = sorted({event for _, event in ACTION})


class Model:
    """One decision, as the table has it."""

    def __init__(self, wanted, amount):
        self.decision = wanted
        self.state = "new"
        self.actions = []
        self.fences = [0, 0]
        self.amount = amount
        self.held = 0

    def step(self, event):
        """Follow the table; False where it lists nothing."""
        found = DECISION.get((self.state, event))
        if found is not None:
            self.state = found.to
            if found.releases == "reserve":
                self.held = self.amount
                self.actions = ["waiting", "waiting"]
        return found is not None


class Lifecycle(RuleBasedStateMachine):
    """Verbs on decisions in every state, allowed or not."""

    make = kill = None

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.store = type(self).make(self.folder)
        self.journal = self.store()
        self.models = []
        self.settled = 0
        asyncio.run(self.journal.open(T0_US))
        self.write(limit(LIMIT))

    def teardown(self):
        asyncio.run(self.journal.close())
        shutil.rmtree(self.folder)

    def write(self, verb):
        before = picture(self.journal.state)
        (answer,) = asyncio.run(self.journal.write([verb], T0_US))
        if not answer.ok:
            assert answer.code
            assert picture(self.journal.state) == before
        return answer

    def reserved(self):
        return sum(model.held for model in self.models)

    def end(self, model):
        """What a decision held is used if it succeeded, else free."""
        self.settled += model.held if model.state == "succeeded" else 0
        model.held = 0

    @rule(event=st.sampled_from(sorted(RULINGS)), amount=st.integers(0, 9))
    def new(self, event, amount):
        id_ = len(self.models) + 1
        model = Model(decision(id_, key=f"k{id_}"), amount)
        self.models.append(model)
        self.ruled(model, event)

    @precondition(lambda self: self.models)
    @rule(data=st.data(), event=st.sampled_from(sorted(RULINGS)))
    def again(self, data, event):
        """Rule on a decision that is not new; the table lets it while it waits."""
        model = data.draw(st.sampled_from(self.models))
        if model.state in {"held", "deferred"}:
            self.ruled(model, event)
        else:
            assert not self.write(RULINGS[event](model.decision, cash(model.amount))).ok

    def ruled(self, model, event):
        fits = self.reserved() + self.settled + model.amount <= LIMIT
        if event == "admit":
            verb = admit(model.decision, cash(model.amount), actions=2)
        else:
            verb = RULINGS[event](model.decision)
        answer = self.write(verb)
        assert answer.ok
        if event == "admit" and not fits and model.amount:
            assert answer.verdict.result is Result.REFUSED
            assert answer.verdict.code == "BUDGET_EXCEEDED"
            event = "refuse"
        assert model.step(event)

    @precondition(lambda self: self.models)
    @rule(data=st.data(), ordinal=st.integers(0, 1))
    def started(self, data, ordinal):
        ready = [model for model in self.models if model.state == "admitted"]
        model = data.draw(st.sampled_from(ready or self.models))
        fence = self.journal.state.next_fence()
        listed = model.state in {"admitted", "running"} and (model.actions[ordinal], "start") in ACTION
        answer = self.write(start(model.decision.id, fence, ordinal))
        assert answer.ok == listed
        if listed:
            model.actions[ordinal] = ACTION[model.actions[ordinal], "start"].to
            model.fences[ordinal] = fence
            model.step("start")

    @precondition(lambda self: self.models)
    @rule(data=st.data(), ordinal=st.integers(0, 1), event=st.sampled_from(ACTION_EVENTS), stale=st.booleans())
    def news(self, data, ordinal, event, stale):
        model = data.draw(st.sampled_from(self.models))
        fence = model.fences[ordinal] - (1 if stale else 0)
        is_open = model.state not in TERMINAL and bool(model.actions)
        listed = is_open and not stale and event != "start" and (model.actions[ordinal], event) in ACTION
        answer = self.write(Progress(model.decision.id, (Act(ordinal, event, fence),), T0_US))
        assert answer.ok == listed
        if listed:
            model.actions[ordinal] = ACTION[model.actions[ordinal], event].to
            if event == "doubt" and model.state == "admitted":
                model.step("start")  # after a restore it may have begun without a trace

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def undone(self, data):
        model = data.draw(st.sampled_from(self.models))
        answer = self.write(Undo(model.decision.id, T0_US))
        assert answer.ok == model.step("compensate")

    @precondition(lambda self: self.models)
    @rule(data=st.data(), event=st.sampled_from(["succeed", *ENDS]))
    def ended(self, data, event):
        model = data.draw(st.sampled_from(self.models))
        to = DECISION.get((model.state, event))
        answer = self.write(close(model.decision.id, event))
        assert answer.ok == (to is not None)
        if to is not None:
            assert model.step(event)
            self.end(model)

    @rule()
    def restarted(self):
        before = picture(self.journal.state)
        type(self).kill(self.journal)
        self.journal = self.store()
        asyncio.run(self.journal.open(T0_US))
        assert picture(self.journal.state) == before

    @invariant()
    def the_journal_is_where_the_table_says(self):
        state = self.journal.state
        wanted = {model.decision.id: model for model in self.models if model.state not in TERMINAL}
        assert {id_: found.state for id_, found in state.open.items()} == {id_: m.state for id_, m in wanted.items()}
        for id_, model in wanted.items():
            assert [action.state for action in state.open[id_].actions] == model.actions
        balance = state.balances.get(("cash", "acme"))
        if balance is not None:
            assert (balance.settled(None), balance.reserved(None)) == (self.settled, self.reserved())


def memory(_folder):
    disk = MemoryDisk()
    return lambda: MemoryJournal(disk)


def sqlite(folder):
    return lambda: SqliteJournal(folder / "journal.db", durability="journal")


@pytest.mark.parametrize(
    ("make", "kill"),
    [(memory, lambda journal: None), (sqlite, SqliteJournal.abandon)],
    ids=["memory", "sqlite"],
)
def test_the_lifecycle_is_what_the_table_says(make, kill):
    class Machine(Lifecycle):
        pass

    Machine.make, Machine.kill = staticmethod(make), staticmethod(kill)
    run_state_machine_as_test(Machine, settings=settings(max_examples=30, stateful_step_count=40))
