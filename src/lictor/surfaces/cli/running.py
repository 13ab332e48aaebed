"""`run` a node, `submit` a decision, `demo` a desk."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from lictor.errors import LictorError, MalformedError, NotFoundError
from lictor.runtime.ids import id_text

from .output import Exit, document, say
from .reach import FLAG, MANY, Where

#: How long `--wait` waits when it says no number.
WAIT_S = 60.0


def run(  # noqa: PLR0913 - each is a flag
    app: Annotated[str, Parameter(help="MODULE:APP, for example payouts:app; a file payouts.py will do.")],
    /,
    *,
    durability: Annotated[
        Literal["sync", "journal"], Parameter(help="What an acknowledgement survives: power loss, or a crash.")
    ] = "sync",
    assurance: Annotated[
        Literal["fast", "checked", "verified"], Parameter(help="How often it is asked whether effects are right.")
    ] = "checked",
    headroom: Annotated[float, Parameter(help="Share of capacity kept free.", validator=Number(gte=0, lt=1))] = 0.0,
    http: Annotated[
        str | None, Parameter(help="Serve HTTP and the dashboard on HOST:PORT, for example 127.0.0.1:8700.")
    ] = None,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate chain (PEM) to serve HTTPS with.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its private key (PEM).")] = None,
    behind_proxy: Annotated[
        str | None, Parameter(help="Address of the proxy that terminates TLS in front of this node.")
    ] = None,
    http_host: Annotated[
        tuple[str, ...], MANY, Parameter(help="Name under which HTTP is reached, beside those of the certificate.")
    ] = (),
    trace: Annotated[
        float, Parameter(help="Share of decisions to trace with OpenTelemetry.", validator=Number(gte=0, lte=1))
    ] = 0.0,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Run a node: recover what is open, take decisions on the control socket, drain on Ctrl-C or SIGTERM."""
    from lictor.config import Settings
    from lictor.surfaces.loading import load

    from .serving import Front, serve

    settings = Settings(durability=durability, assurance=assurance, headroom=headroom, trace=trace)
    front = Front.of(http, tls_cert, tls_key, behind_proxy, http_host)
    return serve(load(app), where.journal, settings, front, as_json=where.json)


def submit(  # noqa: PLR0913 - each is a field of the signal
    kind: Annotated[str, Parameter(help="The kind of decision, for example Payout.")],
    payload: Annotated[
        str, Parameter(help="Its content as JSON, or - to read it from standard input.", allow_leading_hyphen=True)
    ],
    /,
    *,
    key: Annotated[str | None, Parameter(help="Identity: the same key and content is never done twice.")] = None,
    source: Annotated[str, Parameter(help="Who decides.")] = "local",
    tenant: Annotated[str, Parameter(help="For whom.")] = "default",
    priority: Annotated[Literal["urgent", "high", "normal", "low"] | None, Parameter(help="Its class.")] = None,
    expires_in: Annotated[float | None, Parameter(help="Deadline, in seconds from now.")] = None,
    confidence: Annotated[float | None, Parameter(help="How sure the source is, 0 to 1.")] = None,
    expects: Annotated[str | None, Parameter(help="What the source expects to happen, as JSON.")] = None,
    wait: Annotated[bool, FLAG, Parameter(help="Also wait for the outcome.")] = False,
    wait_s: Annotated[float, Parameter(help="How long to wait for it, at most.")] = WAIT_S,
    app: Annotated[str | None, Parameter(help="Without a node: start one on MODULE:APP for this decision.")] = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Submit one decision and print its verdict; with --wait, its outcome too.

    Exit code 0: admitted, held or deferred (with --wait: succeeded). 1: refused, shed, or not succeeded.
    """
    asked = {
        "kind": kind,
        "payload": json_of(sys.stdin.read() if payload == "-" else payload, "the payload"),
        "key": key,
        "source": source,
        "tenant": tenant,
        "priority": None if priority is None else ["urgent", "high", "normal", "low"].index(priority),
        "expires_in_s": expires_in,
        "confidence": confidence,
        "expects": None if expects is None else json_of(expects, "--expects"),
    }
    wait_s = wait_s if wait else 0.0
    if app is not None and not where.live:
        answer = _once(app, where, {**asked, "wait_s": wait_s or None})
    else:
        answer = where.ask("submit", wait_s=wait_s, **asked)
    if where.json:
        document(answer)
    else:
        tell(answer, kind, waited=bool(wait_s))
        if answer["verdict"]["code"] == "KIND_UNKNOWN" and app is None:
            _name_kinds(where, kind)
    return exit_of(answer, waited=bool(wait_s))


def demo(
    desk: Annotated[str | None, Parameter(help="Which desk; without one, all are listed.")] = None,
    /,
    *options: Annotated[str, Parameter(allow_leading_hyphen=True, help="Options of the desk's demo.")],
) -> int:
    """Run the demo of a desk, for example `lictor demo trading`."""
    desks = {point.name: point for point in entry_points(group="lictor.desks")}
    if desk is None:
        for name, point in sorted(desks.items()):
            say(f"{name:12} {point.load().summary}")
        return Exit.DONE
    if desk not in desks:
        near = get_close_matches(desk, desks, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(desks))}"
        raise NotFoundError(f"no desk {desk!r}", hint=hint)
    return int(desks[desk].load().demo(options) or 0)


def json_of(text: str, what: str) -> Any:
    """JSON that was given on the command line.

    Raises:
        MalformedError: it is none; says where.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise MalformedError(
            f"{what} is not JSON: {error}", hint="""write it like '{"account": "a-17", "amount": 250}'"""
        ) from error


def tell(answer: dict[str, Any], kind: str, *, waited: bool) -> None:
    """A verdict and an outcome as people read them."""
    from .output import console, styled

    out, verdict, outcome = console(), answer["verdict"], answer["outcome"]
    code = f"({verdict['code']})" if verdict["code"] else ""
    about = " ".join(part for part in (kind, answer["id"]) if part)
    same = " (the answer that it had before)" if answer["duplicate"] else ""
    out.print(styled(f"{verdict['result']}{code}"), f"{about}{same}", markup=False)
    for ruling in verdict["rulings"]:
        if ruling["result"] != "allow" or ruling["shadow"]:
            seen = ", ".join(f"{name} {_seen(name, value)}" for name, value in (ruling["seen"] or {}).items())
            shadow = " (shadow)" if ruling["shadow"] else ""
            said = " ".join(part for part in (ruling["result"], ruling["code"]) if part)
            out.print(f"  {ruling['gate']}{shadow}:", styled(said), f"saw {seen}" if seen else "", markup=False)
    for held in verdict["reserved"]:
        out.print(f"  reserved {held['amount']} of {held['budget']}/{held['scope']}", markup=False)
    if verdict["retry_after_s"] is not None:
        out.print(f"  try again after {verdict['retry_after_s']:.3g} s", markup=False)
    if verdict["result"] == "held":
        out.print(f"  answer it: lictor approve {answer['id']}   or: lictor deny {answer['id']}", markup=False)
    if outcome is not None:
        code = f"({outcome['code']})" if outcome["code"] else ""
        value = None if outcome["value"] is None else msgspec.json.encode(outcome["value"]).decode()
        told = " ".join(part for part in (value, outcome["detail"]) if part)
        out.print(styled(f"{outcome['result']}{code}"), told, markup=False)
    elif waited and verdict["result"] in {"admitted", "held", "deferred"}:
        out.print(f"no outcome yet: lictor show {answer['id']}", markup=False)


def _seen(name: str, value: Any) -> Any:
    """What a gate saw, in words; ids as people see them."""
    return id_text(value) if name in {"bound_to", "parent", "decision"} and isinstance(value, int) else value


def exit_of(answer: dict[str, Any], *, waited: bool) -> Exit:
    """The exit code of a verdict, and of an outcome where it was waited for."""
    if answer["verdict"]["result"] in {"refused", "shed"}:
        return Exit.NO
    if not waited:
        return Exit.DONE
    return Exit.DONE if answer["outcome"] is not None and answer["outcome"]["result"] == "succeeded" else Exit.NO


def _once(app: str, where: Where, asked: dict[str, Any]) -> dict[str, Any]:
    """A node for one decision: start, submit, let what runs end, stop."""
    from lictor.node import Node
    from lictor.surfaces.loading import load
    from lictor.surfaces.requests import Requests

    async def main() -> Any:
        async with Node(load(app), str(where.journal)) as node:
            given = {name: value for name, value in asked.items() if value is not None}
            return await Requests(node).answer("submit", given)

    answer: dict[str, Any] = asyncio.run(main())
    return answer


def _name_kinds(where: Where, kind: str) -> None:
    """Say which kinds there are."""
    try:
        kinds = list(replace(where).ask("hello")["kinds"])
    except LictorError:
        return
    near = get_close_matches(kind, kinds, n=1)
    say(f"  did you mean {near[0]}?" if near else f"  kinds are: {', '.join(kinds)}", error=True)
