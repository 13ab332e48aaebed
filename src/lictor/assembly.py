"""Builds the pipeline of one node from its declarations and its seams. Imports all six stages and runs none of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from lictor.capacity.headroom import Headroom
from lictor.config import Settings
from lictor.decisions.shaping import Shaping
from lictor.declarations.declared import Declared
from lictor.entry import Entry
from lictor.execution.executor import Executor
from lictor.feedback.learner import Learner
from lictor.inputs.intake import Intake
from lictor.journal.port import Journal
from lictor.monitoring.monitor import Monitor
from lictor.monitoring.redaction import Redactor
from lictor.pipeline import Pipeline
from lictor.runtime.clock import SteadyClock
from lictor.runtime.ids import Ids
from lictor.runtime.randomness import Randomness
from lictor.validation.validator import Validator


def assemble(
    app: Declared,
    journal: Journal,
    settings: Settings,
    clock: SteadyClock,
    randomness: Randomness,
    ids: Ids,
    *,
    wake: Callable[[], None],
    spawn: Callable[[Coroutine[Any, Any, None]], None],
) -> Pipeline:
    """The stages, each given only what it needs, and the pipeline that drives them."""
    answered: list[Entry] = []

    def ready(entry: Entry) -> None:
        answered.append(entry)
        wake()

    decisions = Shaping(app, ids.next)
    monitoring = Monitor(clock, journal, Redactor(settings.redact))
    feedback = Learner(app, journal, settings.learn_every_s, decisions.value, monitoring)
    amend = {name: shaper.amended for name, shaper in decisions.shapers.items()}
    validation = Validator(app, amend, decisions.value, feedback.score, ready, spawn)
    validation.gatekeeper.durability = journal.durability
    validation.adjustments = feedback.adjustments
    backlog_max, window_max, value = settings.backlog_max, settings.window_max, decisions.value
    execution = Executor(
        app, clock, randomness, wake, backlog_max=backlog_max, window_max=window_max, value_of=value, probe=monitoring
    )
    _trade(settings, execution, validation)
    inputs = Intake(
        app,
        ids,
        settings.waiting_max,
        settings.shed_every_s,
        settings.quarantine_max,
        feedback.quality,
        clock.outside.wall_us,
    )
    inputs.guard(execution.lanes, randomness)
    parts = (inputs, decisions, validation, execution, monitoring, feedback)
    return Pipeline(journal, clock, *parts, settings.turn_max, answered=answered)


def _trade(settings: Settings, execution: Executor, validation: Validator) -> None:
    """Put the trade-offs in force that are more than a number of a stage."""
    execution.headroom = Headroom(settings.headroom, execution.lanes) if settings.headroom else None
    if settings.assurance != "fast":
        execution.assurance.policy = validation.gatekeeper.policy
        rechecking = validation.rechecking(execution.assurance.heard)
        execution.assurance.recheck, execution.assurance.outdated = rechecking.ask, rechecking.outdated
    execution.resolution.verifying.on = settings.assurance == "verified"
