"""One page: its template, what every page shows (health, halts, how much waits for a person), and its headers.

A request that htmx makes gets the part of the page that lives and nothing around it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lictor.errors import LictorError, MalformedError
from lictor.node import Node
from lictor.surfaces.access import csrf
from lictor.surfaces.access.principal import Permission, Principal
from lictor.surfaces.http.answers import Answer, Pairs
from lictor.surfaces.http.problem import status_of
from lictor.surfaces.http.route import Asked

from . import words

#: Only what is served from here; no inline script, no inline style, no frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HTML = b"text/html; charset=utf-8"
GUARDS: Pairs = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
FORM = "application/x-www-form-urlencoded"
FIELDS_MAX = 200
COUNT_DIGITS_MAX = 9
#: The pages, in the order of the menu: path, name, and the key after `g`.
MENU = (
    ("/", "Flow", "f"),
    ("/decisions", "Decisions", "d"),
    ("/approvals", "Approvals", "a"),
    ("/budgets", "Budgets", "b"),
    ("/sources", "Sources", "s"),
    ("/effectors", "Effectors", "e"),
    ("/quality", "Quality", "q"),
    ("/quarantine", "Quarantine", "k"),
    ("/rehearse", "Rehearse", "r"),
    ("/audit", "Audit", "u"),
)


@cache
def templates() -> Any:
    """The templates, compiled once. What they are given is escaped, all of it."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise LictorError("the dashboard needs the extra server", hint="pip install 'lictor[server]'") from error
    made = Environment(
        loader=PackageLoader("lictor.surfaces.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= words.FILTERS
    made.globals |= {"menu": MENU, "p": made.get_template("parts.html").module}
    return made


@cache
def static_version() -> str:
    """Changes when a static file does, so that browsers may keep what they have."""
    from hashlib import sha256

    told = sha256()
    folder = files("lictor.surfaces.dashboard") / "static"
    for name in ("lictor.css", "lictor.js"):
        told.update((folder / name).read_bytes())
    return told.hexdigest()[:10]


def page(asked: Asked, template: str, *, status: int = 200, headers: Pairs = (), **context: Any) -> Answer:
    """The page, or its living part where that is asked for."""
    found = templates().get_template(template)
    given = {**around(asked), **context}
    if asked.headers.get("hx-request") and status == 200 and "live" in found.blocks:  # noqa: PLR2004
        text = "".join(found.blocks["live"](found.new_context(given)))
    else:
        text = found.render(given)
    return Answer(status, text.encode(), HTML, (*GUARDS, *headers))


def around(asked: Asked) -> dict[str, Any]:
    """What every page shows."""
    node, state = asked.node, asked.node.journal.state
    principal = asked.principal
    theme = asked.headers.cookies().get("lictor_theme", "")
    held = sum(
        1 for d in state.open.values() if d.state == "held" and principal.sees(d.decision.source, d.decision.tenant)
    )
    path = str(asked.scope["path"])
    query = asked.scope["query_string"].decode("latin-1")
    return {
        "app": node.app,
        "policy": node.app.policy_version(),
        "health": node.health(),
        "halts": asked.requests.halted(),
        "held_count": held,
        "kept_count": _kept_count(asked),
        "principal": principal,
        "may": {each.value: principal.may(each) for each in Permission},
        "csrf": csrf.token(asked),
        "theme": theme if theme in {"dark", "light"} else "",
        "now_us": node.clock.wall_us(),
        "path": path,
        "here": f"{path}?{query}" if query else path,
        "static": f"/static/{static_version()}",
    }


def _kept_count(asked: Asked) -> int:
    kept, sight = asked.node.journal.state.quarantine, asked.requests.sight
    return len(kept) if sight.whole else sum(map(sight.sees_entry, kept.values()))


def sources_of(node: Node, principal: Principal) -> list[str]:
    """The declared sources that one sees."""
    return [name for name in node.app.sources if principal.sources is None or name in principal.sources]


def refused(asked: Asked, error: LictorError) -> Answer:
    """What went wrong, as a page: its code, what it means, and what to do."""
    return page(asked, "problem.html", status=status_of(error), error=error)


def see(path: str, **query: str | None) -> Answer:
    """Go there, with a `GET`: what was posted is done, and not done again by a reload."""
    told = urlencode({name: value for name, value in query.items() if value})
    return Answer(303, b"", HTML, ((b"location", (f"{path}?{told}" if told else path).encode("latin-1")), *GUARDS))


async def form(asked: Asked) -> dict[str, str]:
    """The fields of a posted form; empty ones are not there. That a page of ours sent it is known by now.

    Raises:
        MalformedError: it is none, or has a field twice.
    """
    try:
        text = (await asked.content()).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (UnicodeError, ValueError) as error:
        raise MalformedError(f"the form cannot be read: {error}") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise MalformedError(f"the field {name!r:.80} came twice")
        fields[name] = value
    return {name: value.strip() for name, value in fields.items() if value.strip()}


def count_of(text: str) -> int:
    """A whole number as a form has it.

    Raises:
        MalformedError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX):
        raise MalformedError(f"{text!r:.40} is no number")
    return int(text)


def whole(asked: Asked) -> None:
    """Refuse who sees only a part of it: these pages show all sources and tenants.

    Raises:
        DeniedError: the key is scoped.
    """
    asked.requests.sight.need_whole("this page")
