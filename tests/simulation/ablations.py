"""One safeguard of the engine taken away at a time: the simulator must find each, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from tests.simulation.safeguards import (
    answer_before_write,
    approval_of_anything,
    blind_retry,
    direct_past_the_key,
    fact_lost_in_storage,
    halt_ignored,
    key_per_attempt,
    keys_forgotten,
    never_asked,
    no_deadline,
    no_fence,
    no_latch,
    no_room_check,
    no_sync,
    parked_for_ever,
    plan_what_was_asked,
    refuse_without_code,
    reuse_unseen,
    second_outcome,
    slots_uncounted,
    start_before_commit,
    unbounded_backlog,
    unbounded_lesson,
    unbounded_queue,
    wall_clock,
)

Patch = Callable[[], AbstractContextManager[object]]


class Ablation(NamedTuple):
    """A safeguard, the invariant that it keeps, and how to take it away."""

    invariant: str
    without: str
    patch: Patch


ABLATIONS: dict[str, Ablation] = {
    "start before commit": Ablation("I1", "effects begin only once their start is durable", start_before_commit),
    "plan what was asked": Ablation("I1", "the plan is of the amended content", plan_what_was_asked),
    "second outcome": Ablation("I2", "the first terminal commit wins", second_outcome),
    "no room check": Ablation("I3", "a reservation is only taken where there is room", no_room_check),
    "no latch": Ablation("I3", "an overrun latches its scope", no_latch),
    "direct past the key": Ablation("I4", "direct dispatch asks who holds the order key", direct_past_the_key),
    "no deadline": Ablation("I5", "nothing starts past its deadline", no_deadline),
    "answer before write": Ablation("I6", "nobody is answered before the commit", answer_before_write),
    "no sync": Ablation("I6", "what was committed is on the disk", no_sync),
    "key per attempt": Ablation("I7", "one idempotency key for all attempts", key_per_attempt),
    "blind retry": Ablation("I8", "in doubt is asked about, not tried again", blind_retry),
    "no fence": Ablation("I9", "a superseded attempt changes nothing", no_fence),
    "keys forgotten": Ablation("I10", "keys outlive a restart", keys_forgotten),
    "reuse unseen": Ablation("I10", "other content under a used key is refused", reuse_unseen),
    "refuse without code": Ablation("I11", "every refusal has a code", refuse_without_code),
    "halt ignored": Ablation("I12", "nothing starts in a halted scope", halt_ignored),
    "approval of anything": Ablation("I13", "an approval binds content, gate and person", approval_of_anything),
    "fact lost in storage": Ablation("I15", "what is stored is all that happened", fact_lost_in_storage),
    "wall clock": Ablation("I16", "recorded time never runs back", wall_clock),
    "unbounded queue": Ablation("I17", "signals beyond a bound are shed", unbounded_queue),
    "unbounded backlog": Ablation("I17", "decisions beyond a bound are shed", unbounded_backlog),
    "slots uncounted": Ablation("I17", "no more calls at once than there are slots", slots_uncounted),
    "never asked": Ablation("I18", "what is in doubt is asked about until it is known", never_asked),
    "parked for ever": Ablation("I18", "what is parked comes back to be started or to expire", parked_for_ever),
    "unbounded lesson": Ablation("I20", "a lesson loosens only within bounds", unbounded_lesson),
}
