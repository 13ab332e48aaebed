"""One batch on its way into a store: each verb decided and, if accepted, folded into the state, in order.

What every store that keeps its state in memory shares. Reads and changes the `State`; writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lictor.records import Outcome

from . import arbiter, codec
from .open import Open
from .parking import may_park
from .port import Admit, Answer, Approve, Cancel, Close, Progress, Start, Undo, Verb
from .state import Ended, State, cancelled, superseded


class Batch(msgspec.Struct, gc=False):
    """What a batch became."""

    at_us: int
    first_seq: int
    answers: list[Answer]
    #: Accepted facts; the n-th is at `first_seq + n`.
    facts: list[Verb]
    events: list[str]
    #: The one decision that each is about, if there is one.
    ids: list[int | None]
    #: Decisions that became terminal.
    ended: list[Ended]
    #: Answers whose original verdict or outcome is in the store and no longer in the state.
    unanswered: list[Answer]
    #: Admitted decisions whose record may be dropped once the batch is durable.
    parked: list[Open]


def take(state: State, verbs: Sequence[Verb], at_us: int, first_seq: int) -> Batch:
    """Decide each verb and fold what is accepted.

    Raises:
        InvariantViolation: a promise would be broken; the state may hold half of the batch, so the journal must stop.
    """
    answers: list[Answer] = []
    facts: list[Verb] = []
    events: list[str] = []
    ids: list[int | None] = []
    unanswered: list[Answer] = []
    ended, still_open = state.ended, state.open
    deciders, folds = arbiter.DECIDERS, state.folds
    seq = first_seq
    for verb in verbs:
        decider = deciders.get(type(verb))
        answer, fact = (Answer(), verb) if decider is None else decider(state, verb, at_us)
        answers.append(answer)
        if fact is None:
            if answer.open is None and answer.code in _TOLD_FROM_HISTORY:
                unanswered.append(answer)
            continue
        if not facts:
            state.pass_time(at_us)
        before = len(ended)
        kind = type(fact)  # `isinstance` costs three times as much where it says no
        if kind is Admit:
            id_: int | None = fact.decision.id  # type: ignore[attr-defined]
            events.append("resume" if id_ in still_open else "admit")
            folds[kind](fact, seq, at_us)
            answer.open = still_open.get(id_)  # type: ignore[arg-type]
            if len(ended) > before and ended[-1].open.outcome is not None:
                answer.closed = ended[-1].open.decision.id
        else:
            id_ = fact.decision if kind is Close else decision_of(fact)  # type: ignore[attr-defined]
            events.append(_NAMES[kind])
            folds[kind](fact, seq, at_us)
            if len(ended) > before:
                answer.outcome = ended[-1].open.outcome
        facts.append(fact)
        ids.append(id_)
        seq += 1
    state.ended = []
    state.finished = [end.open for end in ended if end.open.outcome is not None]
    parked = _parked(state, first_seq) if state.aside else []
    return Batch(at_us, first_seq, answers, facts, events, ids, ended, unanswered, parked)


def _parked(state: State, first_seq: int) -> list[Open]:
    """Of what need not stay in memory, what this batch has admitted and nothing else has touched."""
    aside, state.aside = state.aside, set()
    found = (state.open.get(id_) for id_ in sorted(aside))
    return [each for each in found if each is not None and each.born >= first_seq and may_park(each)]


_NAMES = codec.NAMES
_TOLD_FROM_HISTORY = frozenset({"DUPLICATE", "NOT_OPEN", "NOT_HELD"})


def decision_of(fact: Verb) -> int | None:
    """The one decision that a fact is about, if there is one."""
    if isinstance(fact, Admit):
        return fact.decision.id
    if isinstance(fact, (Progress, Close, Undo, Cancel)):
        return fact.decision
    return fact.approval.decision if isinstance(fact, Approve) else None


def touched(fact: Verb) -> tuple[int, ...]:
    """All decisions whose story a fact belongs to, but for those that it ends."""
    if isinstance(fact, Start):
        return tuple(item.decision for item in fact.items)
    decision = decision_of(fact)
    return () if decision is None else (decision,)


def outcome_by(fact: Verb, decision: int, at_us: int) -> Outcome | None:
    """The outcome that a fact gave a decision; None where it gave none (a refusal is a verdict)."""
    if isinstance(fact, Close):
        return fact.outcome
    if isinstance(fact, Cancel):
        return cancelled(fact, at_us)
    if isinstance(fact, Admit) and fact.decision.supersedes == decision:
        return superseded(decision, at_us)
    return None
