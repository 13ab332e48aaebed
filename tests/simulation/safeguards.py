"""How each safeguard of the engine is taken away: a context manager that patches the seam where it lives.

A seam that has moved fails loudly. Nothing of this can be switched on in production code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from unittest.mock import patch

import msgspec

from lictor.execution import attempts, executor, resolution, starting
from lictor.execution.agenda import Agenda
from lictor.execution.lanes import OrderLanes
from lictor.execution.window import Window
from lictor.inputs.intake import Intake
from lictor.journal import arbiter, codec, port, rules
from lictor.journal.balance import Balance
from lictor.journal.memory import MemoryJournal
from lictor.journal.port import Answer
from lictor.journal.state import State
from lictor.pipeline import Pipeline
from lictor.records import Result
from lictor.runtime.clock import SteadyClock
from lictor.validation.gatekeeper import Gatekeeper

YES, NO = True, False


def attribute(owner: object, name: str, make: Callable[..., object]) -> AbstractContextManager[object]:
    """Replace an attribute by what `make` gives for the original."""
    return patch.object(owner, name, make(getattr(owner, name)))


@contextmanager
def all_of(*patches: AbstractContextManager[object]) -> Iterator[None]:
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


def constant(value: object) -> Callable[..., object]:
    return lambda _original: lambda *_args, **_kwargs: value


# -- I1 ---------------------------------------------------------------------------------------------------------------


def start_before_commit() -> AbstractContextManager[object]:
    """Effects begin when they are picked, and not when their start is durable."""

    def starts(original):
        def early(self, at_us):
            verb = original(self, at_us)
            for item in verb.items if verb is not None else ():
                for ordinal in item.ordinals:
                    self._begin(self.work[item.decision], ordinal)
            return verb

        return early

    return all_of(
        attribute(executor.Executor, "starts", starts),
        attribute(executor.Executor, "started", constant(None)),
        attribute(attempts.Attempts, "_assert_promises", lambda _: staticmethod(lambda _attempt: None)),
    )


def plan_what_was_asked() -> AbstractContextManager[object]:
    """The plan is made of the content as it was submitted, not as gates have amended it."""

    def plan(original):
        def of_original(self, entry, now_us):
            if entry.signal is not None:
                entry.value = entry.signal.value
            return original(self, entry, now_us)

        return of_original

    return attribute(executor.Executor, "plan", plan)


# -- I2 ---------------------------------------------------------------------------------------------------------------


def second_outcome() -> AbstractContextManager[object]:
    """A cancel ends what has ended already."""

    def cancel(original):
        def again(state, verb, at_us):
            if verb.decision not in state.open:
                return Answer(decision=verb.decision), verb
            return original(state, verb, at_us)

        return again

    def fold(original):
        def lenient(self, fact, seq, at_us):
            if fact.decision in self.open:
                original(self, fact, seq, at_us)

        return lenient

    deciders = {port.Cancel: cancel(arbiter.DECIDERS[port.Cancel])}
    return all_of(patch.dict(arbiter.DECIDERS, deciders), attribute(State, "_cancel", fold))


# -- I3 ---------------------------------------------------------------------------------------------------------------


def no_room_check() -> AbstractContextManager[object]:
    """Reservations are taken without asking whether there is room."""

    def reserve(_original):
        def blindly(self, amount, window):
            sums = self.sums.get(window)
            if sums is None:
                sums = self._new_window(window)
            sums[1] += amount

        return blindly

    return all_of(
        attribute(rules, "_plainly_affordable", constant(YES)),
        attribute(rules, "_unaffordable", constant(None)),
        attribute(Balance, "reserve", reserve),
    )


def no_latch() -> AbstractContextManager[object]:
    """A settlement above its reservation does not latch the scope."""

    def settle(original):
        def quietly(self, held, used, window):
            overrun = original(self, held, used, window)
            self.latched = False
            return overrun

        return quietly

    return attribute(Balance, "settle", settle)


# -- I4, I5 -----------------------------------------------------------------------------------------------------------


def direct_past_the_key() -> AbstractContextManager[object]:
    """Direct dispatch forgets who holds the order key."""
    return attribute(OrderLanes, "plan", constant(YES))


def no_deadline() -> AbstractContextManager[object]:
    """Nobody looks at the deadline of admitted work: no agenda, no check at the start or before the call."""

    def add(original):
        def never_expire(self, at_us, what, *rest):
            if what != "expire":
                original(self, at_us, what, *rest)

        return never_expire

    def may_start(original):
        return lambda state, item, _at_us: original(state, item, 0)

    return all_of(
        attribute(Agenda, "add", add),
        attribute(arbiter, "_may_start", may_start),
        attribute(executor.Executor, "_may_begin", lambda _: lambda self, work, _effector: not self.halted(work)),
    )


def wall_clock() -> AbstractContextManager[object]:
    """The node goes by the wall clock, whoever sets it."""
    return attribute(SteadyClock, "wall_us", lambda _: lambda self: self._clock.wall_us())


# -- I6 ---------------------------------------------------------------------------------------------------------------


def answer_before_write() -> AbstractContextManager[object]:
    """A submitter is answered as soon as there is a verdict."""

    def decide(original):
        def hasty(self, entry, now_us, verbs):
            decided = original(self, entry, now_us, verbs)
            if decided and entry.signal is not None:
                self.handles.give(entry, entry.decision.id, entry.verdict, None, duplicate=False)
            return decided

        return hasty

    return attribute(Pipeline, "_decide", decide)


def no_sync() -> AbstractContextManager[object]:
    """What the disk said it had written last is gone after a crash."""

    def reopen(original):
        async def after_a_crash(self, at_us):
            last = self.disk.rows[-1].commit if self.disk.rows else 0
            self.disk.rows[:] = [row for row in self.disk.rows if row.commit != last]
            return await original(self, at_us)

        return after_a_crash

    return attribute(MemoryJournal, "open", reopen)


# -- I7, I8, I9 -------------------------------------------------------------------------------------------------------


def key_per_attempt() -> AbstractContextManager[object]:
    """Every attempt has an idempotency key of its own."""

    def call(original):
        def renamed(work, ordinal, fence):
            made = original(work, ordinal, fence)
            made._key = f"{made.key}-{fence}"
            return made

        return staticmethod(renamed)

    return attribute(attempts.Attempts, "call", call)


def blind_retry() -> AbstractContextManager[object]:
    """What may have happened is tried again, idempotent or not."""
    return attribute(resolution.Resolution, "_unknown", lambda _: resolution.Resolution._again)


def no_fence() -> AbstractContextManager[object]:
    """A result counts, of whichever attempt it is."""

    def take(original):
        def any_attempt(self, news, at_us):
            fence = news.work.open.actions[news.ordinal].fence
            original(self, msgspec.structs.replace(news, fence=fence, late=False), at_us)

        return any_attempt

    return attribute(resolution.Resolution, "take", take)


# -- I10 to I13 -------------------------------------------------------------------------------------------------------


def keys_forgotten() -> AbstractContextManager[object]:
    """The index of keys is not there any more after a restart."""

    def reopen(original):
        async def without_keys(self, at_us):
            state = await original(self, at_us)
            state.keys.bound.clear()
            return state

        return without_keys

    return attribute(MemoryJournal, "open", reopen)


def reuse_unseen() -> AbstractContextManager[object]:
    """A key that was used for other content is answered as a duplicate."""

    def bound(original):
        def same(state, verb, found, at_us):
            content = msgspec.structs.replace(verb.decision, submitted_digest=found.digest)
            return original(state, port.Admit(content, verb.verdict, verb.plan, verb.lease), found, at_us)

        return same

    return attribute(arbiter, "_bound", bound)


def refuse_without_code() -> AbstractContextManager[object]:
    """A refusal does not say why."""

    def close(original):
        def mute(self, case, result, code, now_us):
            return original(self, case, result, None if result is Result.REFUSED else code, now_us)

        return mute

    return attribute(Gatekeeper, "_close", close)


def halt_ignored() -> AbstractContextManager[object]:
    """A halt stops admissions, and not the starts of what was admitted before."""
    return all_of(
        attribute(arbiter, "halted", constant(None)),
        attribute(executor, "halted", constant(None)),
        attribute(starting, "stopped", constant(NO)),
    )


def approval_of_anything() -> AbstractContextManager[object]:
    """An approval is good for whatever the decision has become, under whatever gate, by whomever."""

    def approve(original):
        def anyhow(state, verb, at_us):
            found = state.open.get(verb.approval.decision)
            if found is None or not found.waits:
                return original(state, verb, at_us)
            return Answer(decision=verb.approval.decision, open=found), verb

        return anyhow

    def held(original):
        def unbound(gate, answer, reads, case):
            case.approvals = [
                msgspec.structs.replace(approval, digest=case.decision.digest, gate_version=gate.version)
                for approval in case.approvals
            ]
            return original(gate, answer, reads, case)

        return staticmethod(unbound)

    deciders = {port.Approve: approve(arbiter.DECIDERS[port.Approve])}
    return all_of(patch.dict(arbiter.DECIDERS, deciders), attribute(Gatekeeper, "_held", held))


# -- I15 to I20 -------------------------------------------------------------------------------------------------------


def fact_lost_in_storage() -> AbstractContextManager[object]:
    """True amounts of actions that are still open are not stored."""

    def encode(original):
        def thinned(verb):
            if isinstance(verb, port.Progress):
                acts = tuple(msgspec.structs.replace(news, settled=(), code=None) for news in verb.acts)
                verb = port.Progress(verb.decision, acts, verb.at_us)
            return original(verb)

        return thinned

    return attribute(codec, "encode", encode)


def unbounded_queue() -> AbstractContextManager[object]:
    """Signals wait, however many there are."""
    return attribute(Intake, "full", lambda _: property(lambda _self: False))


def unbounded_backlog() -> AbstractContextManager[object]:
    """Decisions are admitted, however many are open."""
    return attribute(Window, "crowded", constant(None))


def slots_uncounted() -> AbstractContextManager[object]:
    """A slot is free again at once."""

    def begin(original):
        def freed(self, work, ordinal):
            original(self, work, ordinal)
            self.lanes[work.open.plan.actions[ordinal].effector].free += 1

        return freed

    return attribute(executor.Executor, "_begin", begin)


def parked_for_ever() -> AbstractContextManager[object]:
    """What the journal has parked stays there, also past its deadline."""
    nothing = constant(None)
    return all_of(attribute(Window, "refill", nothing), attribute(Window, "due", nothing))


def never_asked() -> AbstractContextManager[object]:
    """What is in doubt is noted, and nobody comes back to it."""

    def add(original):
        def never_ask(self, at_us, what, *rest):
            if what != "ask":
                original(self, at_us, what, *rest)

        return never_ask

    return attribute(Agenda, "add", add)


def unbounded_lesson() -> AbstractContextManager[object]:
    """A lesson moves its adjustable wherever it wants, at once."""
    from lictor.feedback import adjustments

    return attribute(adjustments, "moved", lambda _: lambda _adjustable, _current, wanted, **_: wanted)
