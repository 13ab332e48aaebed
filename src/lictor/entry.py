"""A signal on its way through the pipeline, and the handle by which its submitter follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import msgspec

from lictor.errors import Code
from lictor.records import Approval, Decision, Lease, Outcome, Plan, Result, Ruling, Signal, Verdict
from lictor.runtime.ids import id_text

#: Read once: on CPython 3.11 reading a member of an enumeration costs as much as a call.
_REFUSED, _SHED = Result.REFUSED, Result.SHED


Answer = TypeVar("Answer")


class Handle(msgspec.Struct, eq=False, weakref=True):
    """What a submitter holds. `verdict` is the one in force: a held decision's changes when a person has answered."""

    id: int | None
    decision: Decision | None
    verdict: Verdict
    #: The same key and content was submitted before; this is the original answer (I10).
    duplicate: bool = False
    _result: Outcome | None = None
    _error: Exception | None = None
    _waiters: list[asyncio.Future[None]] = []
    #: Has the node hold on to it, where it does not already.
    _hold: Callable[[Handle], None] | None = None

    @property
    def name(self) -> str | None:
        """The id as people see it and commands take it."""
        return None if self.id is None else id_text(self.id)

    @property
    def admitted(self) -> bool:
        """Whether it may happen."""
        return self.verdict.result == "admitted"

    @property
    def done(self) -> bool:
        """Whether there is nothing more to come: it has its outcome, or never was or will be admitted."""
        result = self.verdict.result
        return self._result is not None or result is _REFUSED or result is _SHED

    async def outcome(self) -> Outcome | None:
        """Wait for the one outcome; None where the decision was refused or shed, so that there is none to come.

        Raises:
            NodeStoppedError: the node stopped before it was known; it will be known after the next start.
        """
        if not self.done:
            if self._error is not None:
                raise self._error
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            if self._hold is not None:  # else nothing but this cycle would hold on to who waits
                self._hold(self)
            await waiter
        return self._result

    def closed(self, outcome: Outcome | None) -> None:
        """The outcome is durable, or a later verdict has refused the decision."""
        self._result = outcome
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def failed(self, error: Exception) -> None:
        """The node stopped before the outcome was known here."""
        self._error = error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def __repr__(self) -> str:
        code = f"({self.verdict.code})" if self.verdict.code else ""
        return f"<Handle {self.id} {self.verdict.result}{code}>"


class Replay(NamedTuple):
    """The quarantine entry that a signal comes from, who vouches for it, and whether the payload was corrected."""

    id: int
    by: str
    corrected: bool


class Entry(msgspec.Struct, eq=False):
    """One signal being decided on, in this turn or a later one."""

    signal: Signal | None
    future: asyncio.Future[Handle] | None
    #: When it was offered: what it waits from then on counts for its deadline.
    received_us: int = 0
    handle: Handle | None = None
    #: Why nothing better than this signal could be read, as a reason and a detail.
    fault: tuple[str, str] | None = None
    replay: Replay | None = None
    decision: Decision | None = None
    value: Any = None
    answers: dict[str, Any] | None = None
    approvals: tuple[Approval, ...] = ()
    verdict: Verdict | None = None
    plan: Plan | None = None
    lease: Lease | None = None

    def answer(self, handle: Handle) -> None:
        """Give the submitter its handle."""
        self.handle = handle
        if self.future is not None and not self.future.done():
            self.future.set_result(handle)

    def archived(self, decision: int | None) -> None:
        """The key was used before, and the answer that it got is no longer in this journal."""
        if self.signal is not None and self.decision is not None:
            self.refuse(Result.REFUSED, Code.ARCHIVED, self.decision.received_us, {"bound_to": decision})

    def refuse(
        self, result: Result, code: str, at_us: int, seen: dict[str, Any], *, retry_after_s: float | None = None
    ) -> None:
        """Answer what never became a decision, or was shed; such an answer binds no key."""
        ruling = Ruling("inputs", "deny", "", code, seen)
        verdict = Verdict(
            result=result, at_us=at_us, digest=b"", code=code, rulings=(ruling,), retry_after_s=retry_after_s
        )
        self.answer(Handle(None, self.decision, verdict))


class Handles:
    """The handles of decisions that are not finished, by decision."""

    def __init__(self) -> None:
        self._of: dict[int, list[Handle]] = {}
        #: Those of parked decisions, as long as somebody else holds on to them.
        self._loose: WeakValueDictionary[int, Handle] | None = None

    def loosen(self, parked: Iterable[int]) -> None:
        """Hold on to the handles of these decisions no more, until somebody waits for one."""
        if self._loose is None:
            self._loose = WeakValueDictionary()
        for decision in parked:
            handles = self._of.get(decision, ())
            if len(handles) == 1 and not handles[0]._waiters:  # noqa: SLF001 - its own class of this module
                (handle,) = self._of.pop(decision)
                handle._hold = self._hold  # noqa: SLF001 - likewise
                self._loose[decision] = handle

    def _hold(self, handle: Handle) -> None:
        """Somebody waits for it."""
        handle._hold = None  # noqa: SLF001 - its own class of this module
        if handle.id is not None and self._loose is not None and self._loose.pop(handle.id, None) is not None:
            self._of.setdefault(handle.id, []).append(handle)

    def follow(self, decision: Decision, verdict: Verdict) -> Handle:
        """A handle of an open decision for somebody who has not submitted it; give it back to `leave`."""
        handle = Handle(decision.id, decision, verdict)
        self._of.setdefault(decision.id, []).append(handle)
        return handle

    def leave(self, handle: Handle) -> None:
        """Nobody follows by this handle any more."""
        others = self._of.get(handle.id or 0)
        if others is not None and handle in others:
            others.remove(handle)
            if not others:
                del self._of[handle.id or 0]

    def give(
        self, entry: Entry, decision: int | None, verdict: Verdict, outcome: Outcome | None, *, duplicate: bool
    ) -> None:
        """The verdict is durable: give the submitter its handle, or the one who waits the later verdict."""
        if entry.signal is None:
            self._ruled_again(decision, verdict)
            return
        handle = Handle(decision, entry.decision, verdict, duplicate)
        if outcome is not None:
            handle.closed(outcome)
        elif decision is not None and not handle.done:
            others = self._of.get(decision)
            if others is None:
                self._of[decision] = [handle]
            else:
                others.append(handle)
        entry.answer(handle)

    def _ruled_again(self, decision: int | None, verdict: Verdict) -> None:
        """A held or deferred decision has a new verdict."""
        refused = verdict.result is _REFUSED
        for handle in self._of.get(decision or 0, ()):
            handle.verdict = verdict
            if refused:
                handle.closed(None)
        if refused:
            self._of.pop(decision or 0, None)

    def close(self, decision: int, outcome: Outcome | None) -> None:
        """The outcome is durable: tell who waits for it."""
        for handle in self._of.pop(decision, ()):
            handle.closed(outcome)
        if self._loose is not None and (loose := self._loose.pop(decision, None)) is not None:
            loose.closed(outcome)

    def fail(self, error: Exception) -> None:
        """The node has stopped: outcomes come to whoever asks the next one."""
        for handles in self._of.values():
            for handle in handles:
                handle.failed(error)
        for handle in [*self._loose.values()] if self._loose is not None else ():
            handle.failed(error)
        self._of, self._loose = {}, None


def tell(requests: Sequence[tuple[object, asyncio.Future[Answer]]], answers: Sequence[Answer]) -> None:
    """Give whoever asked for something its answer; there may be more answers, to what nobody asked."""
    for (_, asked), answer in zip(requests, answers, strict=False):
        if not asked.done():
            asked.set_result(answer)
