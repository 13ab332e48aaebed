"""A journal that was restored from a backup: whatever was open then may have gone on since, and nobody knows how far.

Every action that may have begun without a trace in the backup is put in doubt (I8), in one transaction with the record
that this has been dealt with. What an idempotent effector does may safely be done again under its key, so it goes on.
"""

from __future__ import annotations

from lictor.declarations.declared import Declared
from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import Act, Epoch, Progress, Verb
from lictor.journal.state import State
from lictor.lifecycle import ActionState, Event

_MAY_HAVE_BEGUN = frozenset({ActionState.WAITING, ActionState.BACKING_OFF, ActionState.STARTED})


def doubts(app: Declared, state: State, at_us: int) -> list[Verb]:
    """What to write before a restored journal is worked on; nothing for any other."""
    if not state.doubt:
        return []
    verbs: list[Verb] = []
    for found in state.all_open().values():
        acts = tuple(
            Act(
                ordinal,
                Event.DOUBT,
                action.fence,
                Code.TIMEOUT,
                next_us=at_us,
                detail=f"the journal was {state.doubt}",
            )
            for ordinal, action in enumerate(found.actions)
            if action.state in _MAY_HAVE_BEGUN and not _repeatable(app, found, ordinal)
        )
        if acts:
            verbs.append(Progress(found.decision.id, acts, at_us))
    return [*verbs, Epoch(state.epoch, at_us)]


def _repeatable(app: Declared, found: Open, ordinal: int) -> bool:
    effector = app.effectors.get(found.plan.actions[ordinal].effector) if found.plan is not None else None
    return effector is not None and effector.idempotent
