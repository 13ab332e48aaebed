"""The pages of the dashboard as routes, each with what it takes to see or do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from lictor.errors import LictorError
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked, Route

from .approvals import answer_held, approvals_page, withdraw_now
from .audit import audit_page
from .budgets import budgets_page, set_limit
from .decision import decision_page, steer
from .decisions import Wanted, bulk, decisions_page
from .effectors import effectors_page
from .halts import Halting, halt_now, halt_page, resume_now
from .overview import flow_page
from .page import FORM, refused
from .qualities import quality_page
from .quarantined import Chosen, entry_page, judge, quarantine_page
from .rehearse import Trial, rehearse_now, rehearse_page
from .sources import reinstate, sources_page
from .statics import static_file

PageFunction = Callable[[Asked], Awaitable[Response]]
#: A form is small; only an edited signal is larger.
FORM_BYTES_MAX = 256 << 10


def told(answer: PageFunction) -> PageFunction:
    """With the eyes of who asks; and what goes wrong is a page, too."""

    @wraps(answer)
    async def asked_for(asked: Asked) -> Response:
        asked.requests = asked.requests.seen_by(asked.principal)
        try:
            return await answer(asked)
        except LictorError as error:
            return refused(asked, error)

    return asked_for


def shows(path: str, answer: PageFunction, about: str, query: Any = None) -> Route:
    """A page that is looked at."""
    return Route(
        "GET", path, Permission.READ, told(answer), about, query=query, media="text/html; charset=utf-8", hidden=True
    )


def does(path: str, permission: Permission, answer: PageFunction, about: str) -> Route:
    """A form that changes something."""
    return Route(
        "POST",
        path,
        permission,
        told(answer),
        about,
        takes={FORM: dict[str, str]},
        media="text/html; charset=utf-8",
        body_bytes_max=FORM_BYTES_MAX,
        hidden=True,
    )


ROUTES = (
    shows("/", flow_page, "The six stages, live"),
    shows("/decisions", decisions_page, "Decisions by filter", Wanted),
    does("/decisions/bulk", Permission.READ, bulk, "Cancel, approve or submit again what a filter finds"),
    shows("/decisions/{what}", decision_page, "One decision and its story"),
    does("/decisions/{what}/steer", Permission.OPERATE, steer, "Cancel, submit again, resolve"),
    does("/decisions/{what}/answer", Permission.APPROVE, answer_held, "Approve or deny"),
    shows("/approvals", approvals_page, "What waits for a person"),
    does("/approvals/standing/{what}", Permission.APPROVE, withdraw_now, "Withdraw a standing approval"),
    shows("/budgets", budgets_page, "Limits, and what is left"),
    does("/budgets", Permission.OPERATE, set_limit, "Set a limit, lift a latch"),
    shows("/sources", sources_page, "Who decides, and how well"),
    does("/sources", Permission.OPERATE, reinstate, "Admit a demoted source again"),
    shows("/effectors", effectors_page, "What performs actions, and how busy it is"),
    shows("/quality", quality_page, "Execution quality against load"),
    shows("/quarantine", quarantine_page, "Signals that are kept aside", Chosen),
    shows("/quarantine/{what}", entry_page, "One signal that is kept aside"),
    does("/quarantine/{what}", Permission.OPERATE, judge, "Replay or discard it"),
    shows("/rehearse", rehearse_page, "Which verdicts other rules would change", Trial),
    does("/rehearse", Permission.OPERATE, rehearse_now, "Rule a period again"),
    shows("/audit", audit_page, "Who did what, and what proves it"),
    shows("/halt", halt_page, "The kill switch", Halting),
    does("/halt", Permission.OPERATE, halt_now, "Halt a scope"),
    does("/resume", Permission.OPERATE, resume_now, "Lift a halt"),
    Route(
        "GET", "/static/{name:path}", Permission.PUBLIC, static_file, "Style and scripts of the pages",
        media="application/octet-stream", hidden=True,
    ),
)  # fmt: skip
