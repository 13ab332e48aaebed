"""Rehearse: rule a period again, by the rules that run or by others, and see which verdicts change.

Who may read may try other limits on the rules that run. Naming a module loads its code into this process, so that
needs `admin`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lictor.errors import LictorError, MalformedError
from lictor.records import Amount
from lictor.surfaces import asks, overview
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.problem import HttpError
from lictor.surfaces.http.route import Asked
from lictor.surfaces.loading import load
from lictor.surfaces.requests import amount_of

from . import words
from .page import count_of, form, page, whole

#: Changed verdicts that the page lists.
SHOWN = 200
#: Periods that people ask for: name, seconds back.
PERIODS = (("last hour", 3_600), ("last day", 86_400), ("last week", 604_800), ("all", 0))


class Trial(msgspec.Struct, frozen=True):
    """What to try."""

    app: str = ""
    period: str = "3600"
    since: str = ""
    until: str = ""
    limits: str = ""
    kind: str = ""


async def rehearse_page(asked: Asked) -> Response:
    """The form."""
    whole(asked)
    return _page(asked, asked.query)


async def rehearse_now(asked: Asked) -> Response:
    """The form, and what the trial found. Posted, because it costs time and may load code."""
    whole(asked)
    given = await form(asked)
    trial = msgspec.convert({k: v for k, v in given.items() if k in Trial.__struct_fields__}, Trial)
    try:
        return _page(asked, trial, found=await _try(asked, trial))
    except LictorError as error:
        return _page(asked, trial, problem=error)


def _page(
    asked: Asked, trial: Trial, found: dict[str, Any] | None = None, problem: LictorError | None = None
) -> Response:
    return page(
        asked,
        "rehearse.html",
        trial=trial,
        found=found,
        problem=problem,
        periods=PERIODS,
        balances=list(asked.node.app.balances),
        kinds=list(asked.node.app.kinds),
        shown=SHOWN,
    )


async def _try(asked: Asked, trial: Trial) -> dict[str, Any]:
    """What it finds.

    Raises:
        LictorError: another one runs, or something that is named is not there; loading code takes `admin`.
    """
    since_us = words.time_us(trial.since)
    if since_us is None:
        back_s = count_of(trial.period)
        since_us = asked.node.clock.wall_us() - back_s * 1_000_000 if back_s else 0
    limits, kinds = limits_of(trial.limits), [trial.kind] if trial.kind else []
    app = None
    if trial.app:
        if not asked.principal.may(Permission.ADMIN):
            raise HttpError(
                403, "FORBIDDEN", "naming a module loads its code into this node, which takes the role admin",
                hint="leave it empty to try other limits on the rules that run",
            )  # fmt: skip
        app = load(trial.app)
    ask = asks.Rehearse(since_us=max(0, since_us), until_us=words.time_us(trial.until), kinds=tuple(kinds))
    return await overview.rehearsed(asked.node, ask, limits, app)


def limits_of(text: str) -> dict[str, Amount]:
    """Limits to try: `cash=500 cash/eu=100`.

    Raises:
        MalformedError: that is not what was written.
    """
    found: dict[str, Amount] = {}
    for part in re.split(r"[\s,;]+", text.strip()):
        if not part:
            continue
        where, equals, limit = part.partition("=")
        if not equals or not where:
            raise MalformedError(f"{part!r:.60} is no limit to try", hint="write cash=500, or cash/default=500")
        found[where] = amount_of(limit)
    return found
