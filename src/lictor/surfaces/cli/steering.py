"""Commands that steer: `approve`, `deny`, `cancel`, `resolve`, `halt`, `resume`, `limit set`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from lictor.errors import MalformedError

from .output import Exit, document, moment, say
from .reach import FLAG, Where, login
from .running import json_of

What = Annotated[str, Parameter(help="An id, or a key.", name="ID")]
By = Annotated[str, Parameter(help="The person who says so; your login name unless given.", show_default=False)]
Reason = Annotated[str, Parameter(help="Why, for whoever reads the journal.")]
Tenant = Annotated[str | None, Parameter(help="Whose key it is.")]
Scope = Annotated[str, Parameter(help="all, or kind:, source:, tenant:, effector: and a name.")]


def approve(
    what: What,
    /,
    *,
    by: By = "",
    gate: Annotated[str | None, Parameter(help="Which gate's question; all that hold it unless given.")] = None,
    reason: Reason = "",
    again_for: Annotated[
        str | None, Parameter(help="Approve the same content of the same source for so long: 2h, 7d.")
    ] = None,
    tenant: Tenant = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Approve a held decision: exactly this content, once, and never by its own source."""
    given: dict[str, Any] = {"what": what, "by": by or login(), "gate": gate, "reason": reason, "tenant": tenant}
    done = where.ask("approve", **given, approved=True, again_for_s=_seconds(again_for))
    tell(where, done, f"approved {done['id']} by {done['by']}{_so_far(done)}{_stands(done)}")


def deny(
    what: What,
    /,
    *,
    by: By = "",
    gate: Annotated[str | None, Parameter(help="Which gate's question; all that hold it unless given.")] = None,
    reason: Reason = "",
    tenant: Tenant = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Deny a held decision."""
    given: dict[str, Any] = {"what": what, "by": by or login(), "gate": gate, "reason": reason, "tenant": tenant}
    done = where.ask("approve", **given, approved=False)
    tell(where, done, f"denied {done['id']} by {done['by']}")


def _so_far(done: dict[str, Any]) -> str:
    """Who has approved, where several persons must."""
    told = [
        f"; {len(asks['approved_by'])} of {asks['approvers']} approved"
        + (f" {asks['gate']}" if len(done["gates"]) > 1 else "")
        + f": {', '.join(asks['approved_by'])}"
        for asks in done["gates"]
        if asks["approvers"] > 1
    ]
    return "".join(told)


def _stands(done: dict[str, Any]) -> str:
    until_us = done["until_us"]
    return "" if until_us is None else f"; the same again is approved until {moment(until_us)} UTC"


def _seconds(text: str | None) -> float | None:
    from lictor.surfaces.access.keys import span_s

    return None if text is None else span_s(text)


def cancel(
    what: What,
    /,
    *,
    by: By = "",
    reason: Reason = "",
    tenant: Tenant = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Ask to cancel: what has not started ends cancelled; what has, is asked to stop and keeps its true result."""
    done = where.ask("cancel", what=what, by=by or login(), reason=reason, tenant=tenant)
    told = "cancelled" if done["cancelled"] else "has started; asked to stop:"
    tell(where, done, f"{told} {done['id']}")


def resolve(  # noqa: PLR0913 - each is a part of the news
    what: Annotated[str, Parameter(help="An id or key, or the world's own reference.", name="ID")],
    /,
    *,
    result: Annotated[
        Literal["succeeded", "failed", "cancelled", "expired", "absent"],
        Parameter(help="What truly became of it; absent: it never happened."),
    ],
    by: By = "",
    code: Annotated[str | None, Parameter(help="A code, for a failure.")] = None,
    value: Annotated[str | None, Parameter(help="Its result, as JSON.")] = None,
    settled: Annotated[
        tuple[str, ...],
        Parameter(help="BUDGET=AMOUNT: what it truly used.", negative="", show_default=False, consume_multiple=False),
    ] = (),
    action: Annotated[int, Parameter(help="Which action of the plan, from 0.")] = 0,
    tenant: Tenant = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Say what became of an action that is in doubt or pending. Needs a running node."""
    amounts = dict(pair(text, "--settled") for text in settled)
    done = where.ask(
        "resolve",
        what=what,
        result=result,
        by=by or login(),
        code=code,
        value=None if value is None else json_of(value, "--value"),
        settled=amounts,
        ordinal=action,
        tenant=tenant,
    )
    told = f"{what} is {result}" if done["new"] else f"nothing changes: {what} had ended, or this was reported before"
    tell(where, done, told)
    return Exit.DONE if done["new"] else Exit.NO


def halt(
    scope: Scope = "all",
    /,
    *,
    by: By = "",
    reason: Reason = "",
    reduce_only: Annotated[bool, FLAG, Parameter(help="Still admit what only reduces.")] = False,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Halt a scope: nothing starts in it from the moment that this returns, until a person resumes it."""
    done = where.ask("halt", scope=scope, by=by or login(), reason=reason, reduce_only=reduce_only)
    tell(where, done, f"{done['mode']}: {scope}; lift it: lictor resume {scope}")


def resume(
    scope: Scope = "all",
    /,
    *,
    by: By = "",
    reason: Reason = "",
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Lift a halt."""
    done = where.ask("resume", scope=scope, by=by or login(), reason=reason)
    tell(where, done, f"resumed: {scope}" if done["was_halted"] else f"{scope} was not halted")


def limit_set(
    budget: Annotated[str, Parameter(help="The balance.")],
    limit: Annotated[str, Parameter(help="The limit from now on: 25000, or 12.50.")],
    /,
    *,
    scope: Annotated[str, Parameter(help="Which scope of it.")] = "all",
    by: By = "",
    reset_latch: Annotated[bool, FLAG, Parameter(help="Also lift the latch of an overrun.")] = False,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Set the limit of a balance's scope. Lowering it only blocks new reservations."""
    done = where.ask("set_limit", budget=budget, limit=limit, scope=scope, by=by or login(), reset_latch=reset_latch)
    tell(where, done, f"{budget}/{scope} has the limit {done['limit']}")


def pair(text: str, what: str) -> tuple[str, str]:
    """The two sides of `NAME=VALUE`.

    Raises:
        MalformedError: it has not two.
    """
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise MalformedError(f"{what} {text!r}", hint="write NAME=VALUE")
    return name, value


def tell(where: Where, done: dict[str, Any], told: str) -> None:
    """What was done: as JSON, or in words, and whether a node has done it."""
    if where.json:
        document(done)
    else:
        say(told if where.live else f"{told} (no node runs; it is in the journal for the next start)")
