"""A typed client of the HTTP API, sync and async: `Client` and `AsyncClient`. Needs the extra `http`.

Both perform the same steps (`api.py`), which do no input or output themselves.
"""

from .answers import (
    Answered,
    Asking,
    Budgets,
    Cancelled,
    Decision,
    Event,
    FeedRow,
    Flying,
    Halted,
    Limit,
    Outcome,
    Outcomes,
    Quarantined,
    Reserved,
    Ruling,
    Standing,
    Stopped,
    Story,
    Submitted,
    Verdict,
)
from .asynchronous import AsyncClient
from .blocking import Client
from .failures import (
    ApiError,
    BadRequestError,
    BusyError,
    NotAllowedError,
    NotThereError,
    ServerError,
    UnreachableError,
)
from .patience import ONCE, Patience
from .signals import Signal

__all__ = [
    "ONCE",
    "Answered",
    "ApiError",
    "Asking",
    "AsyncClient",
    "BadRequestError",
    "Budgets",
    "BusyError",
    "Cancelled",
    "Client",
    "Decision",
    "Event",
    "FeedRow",
    "Flying",
    "Halted",
    "Limit",
    "NotAllowedError",
    "NotThereError",
    "Outcome",
    "Outcomes",
    "Patience",
    "Quarantined",
    "Reserved",
    "Ruling",
    "ServerError",
    "Signal",
    "Standing",
    "Stopped",
    "Story",
    "Submitted",
    "UnreachableError",
    "Verdict",
]
