"""Calls that still run at their deadline: what they would do comes too late, and others want their slots.

Nothing is cut blindly. A call is cut off where its effector says that this harms nobody; where the world can be asked
to stop it, it is asked, and says the true result; where the effect would bear a repetition and the world can be asked
what became of it, the call is cut off and the world is asked. Every other call runs on.
"""

from __future__ import annotations

from lictor.declarations.effectors import Effector
from lictor.errors import Code
from lictor.lifecycle import ActionState

from .attempts import Attempts
from .work import Work

_STARTED = ActionState.STARTED.value


def end_late(attempts: Attempts, effector: Effector[..., object], work: Work, ordinal: int) -> None:
    """The deadline of an action has come."""
    if work.state(ordinal) != _STARTED:
        return
    if effector.cut:
        attempts.cut_off(work, ordinal, "fail", Code.EXPIRED)
    elif effector.stops is not None:
        attempts.ask(work, ordinal, effector, effector.stops, "cancel")
    elif effector.ends_late_calls:
        attempts.cut_off(work, ordinal, "unknown", Code.TIMEOUT)
