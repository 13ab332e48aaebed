"""Lictor carries out what has been decided: nothing else, and nothing before it was decided.

The public names, and nothing else.
"""

from lictor.app import App
from lictor.blocking import BlockingHandle, BlockingNode
from lictor.config import Settings
from lictor.declarations.adaptive import Adaptive
from lictor.declarations.budgets import Balance, Rate
from lictor.declarations.effectors import (
    Call,
    Draft,
    EffectFailed,
    Effector,
    PlanDraft,
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
from lictor.declarations.governed import Bound, Governed
from lictor.declarations.hedge import Hedge
from lictor.declarations.outside import Resolve, WebhookEvent
from lictor.declarations.refusal import Failed, Held, NotDone, Refusal, Refused, Unfinished
from lictor.declarations.runs import Run
from lictor.declarations.secret import SecretRef, env, secret_file
from lictor.declarations.sources import Quality, Range, Source
from lictor.entry import Handle
from lictor.errors import (
    Code,
    DeclarationError,
    DeniedError,
    InvariantViolation,
    JournalError,
    LictorError,
    MalformedError,
    NodeStoppedError,
    NotFoundError,
    WrongLoopError,
)
from lictor.inputs.cron import Cron
from lictor.inputs.csv_file import CsvFile
from lictor.inputs.json_lines import JsonLines
from lictor.inputs.pulling import Pulled
from lictor.monitoring.redaction import Secret
from lictor.node import Node
from lictor.records import Decision, Outcome, Priority, Quarantined, Report, Signal, Verdict
from lictor.runtime.clock import Clock, ScaledClock, SystemClock
from lictor.surfaces.serving import Served, serve

__all__ = [
    "Adaptive",
    "Adjustable",
    "Answer",
    "App",
    "Balance",
    "BlockingHandle",
    "BlockingNode",
    "Bound",
    "Call",
    "Change",
    "Clock",
    "Code",
    "Cron",
    "CsvFile",
    "Decision",
    "DeclarationError",
    "DeniedError",
    "Draft",
    "EffectFailed",
    "Effector",
    "Failed",
    "Governed",
    "Handle",
    "Hedge",
    "Held",
    "InvariantViolation",
    "JournalError",
    "JsonLines",
    "Learned",
    "LictorError",
    "Lookup",
    "MalformedError",
    "Node",
    "NodeStoppedError",
    "NotDone",
    "NotFoundError",
    "Outcome",
    "PlanDraft",
    "Priority",
    "Pulled",
    "Quality",
    "Quarantined",
    "Range",
    "Rate",
    "Reference",
    "Refusal",
    "Refused",
    "Report",
    "Resolve",
    "Run",
    "ScaledClock",
    "Secret",
    "SecretRef",
    "Served",
    "Settings",
    "Signal",
    "Snapshot",
    "Source",
    "SystemClock",
    "Unfinished",
    "Verdict",
    "WebhookEvent",
    "WrongLoopError",
    "all_of",
    "all_or_compensate",
    "allow",
    "amend",
    "defer",
    "deny",
    "env",
    "hold",
    "pending",
    "quorum",
    "report",
    "secret_file",
    "serve",
]
