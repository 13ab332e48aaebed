"""Lictor carries out what has been decided: nothing else, and nothing before it was decided.

The public names, and nothing else.
"""

from lictor.app import App
from lictor.config import Settings
from lictor.declarations.budgets import Balance, Rate
from lictor.declarations.effectors import (
    Call,
    EffectFailed,
    Effector,
    all_of,
    all_or_compensate,
    pending,
    quorum,
    report,
)
from lictor.declarations.feedback import Change, Learned
from lictor.declarations.gates import (
    Adjustable,
    Answer,
    Lookup,
    Reference,
    Snapshot,
    allow,
    amend,
    defer,
    deny,
    hold,
)
from lictor.declarations.sources import Quality, Range, Source
from lictor.entry import Handle
from lictor.errors import (
    Code,
    DeclarationError,
    DeniedError,
    InvariantViolation,
    JournalError,
    LictorError,
    NodeStoppedError,
    NotFoundError,
)
from lictor.node import Node
from lictor.records import Decision, Outcome, Priority, Report, Signal, Verdict
from lictor.runtime.clock import Clock, ScaledClock, SystemClock

__all__ = [
    "Adjustable",
    "Answer",
    "App",
    "Balance",
    "Call",
    "Change",
    "Clock",
    "Code",
    "Decision",
    "DeclarationError",
    "DeniedError",
    "EffectFailed",
    "Effector",
    "Handle",
    "InvariantViolation",
    "JournalError",
    "Learned",
    "LictorError",
    "Lookup",
    "Node",
    "NodeStoppedError",
    "NotFoundError",
    "Outcome",
    "Priority",
    "Quality",
    "Range",
    "Rate",
    "Reference",
    "Report",
    "ScaledClock",
    "Settings",
    "Signal",
    "Snapshot",
    "Source",
    "SystemClock",
    "Verdict",
    "all_of",
    "all_or_compensate",
    "allow",
    "amend",
    "defer",
    "deny",
    "hold",
    "pending",
    "quorum",
    "report",
]
