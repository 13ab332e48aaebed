"""Logging a browser in: a key, shown once in a form, becomes a cookie that no script reads and no other site sends.

The page has no script and works without any.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, quote, urlencode

from lictor.surfaces.access import csrf
from lictor.surfaces.access.door import Door
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.access.sessions import WHOLE_S

from .answers import Answer, Pairs, Response
from .crossing import FORM
from .headers import Headers
from .problem import HttpError
from .route import Asked, Route

HTML = b"text/html; charset=utf-8"
FORM_BYTES_MAX = 8 << 10
POLICY: Pairs = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · Lictor</title><link rel="stylesheet" href="/login.css"></head>
<body><main><h1>Lictor</h1>{told}<form method="post" action="/login">
<input type="hidden" name="next" value="{onward}"><input type="hidden" name="csrf" value="{csrf}">
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus
 spellcheck="false" aria-describedby="how">
<p id="how">Made by <code>lictor keys make NAME --roles read,approve</code>. It is not kept in this browser.</p>
<button type="submit">Log in</button></form></main></body></html>
"""
_STYLE = b"""
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center }
main { width: min(24rem, 100vw - 2rem) }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { padding: .6rem .7rem; margin-top: .3rem; border: 1px solid; border-radius: .3rem }
button { cursor: pointer; font-weight: 600 }
#how { font-size: .85rem } code { overflow-wrap: anywhere }
[role=alert] { border-left: .25rem solid; padding-left: .7rem }
"""


def page(asked: Asked, status: int, onward: str, told: str | None = None, headers: Pairs = ()) -> Answer:
    """The form, with what went wrong above it. Who is logged in may log in as somebody else."""
    alert = f'<p role="alert">{escape(told)}</p>' if told else ""
    text = _PAGE.format(told=alert, onward=escape(onward, quote=True), csrf=csrf.token(asked))
    return Answer(status, text.encode(), HTML, (*POLICY, *headers))


def local(path: str | None) -> str:
    """A path of this site to go on to; the first page where it is none."""
    fine = path is not None and path.startswith("/") and path.isascii() and path.isprintable()
    return path if fine and path is not None and path[1:2] not in {"/", "\\"} and "\\" not in path else "/"


def see(path: str, headers: Pairs = ()) -> Answer:
    """Go there."""
    return Answer(303, b"", HTML, ((b"location", path.encode("ascii")), *headers))


def asks_for_page(method: str, headers: Headers) -> bool:
    """Whether a browser wants to show what it gets: then it is led to the log-in, where a program is told 401."""
    return method == "GET" and "text/html" in (headers.get("accept") or "") and "authorization" not in headers


def to_login(path: str, query: bytes) -> Answer:
    """To the log-in, and from there back."""
    onward = quote(path) + (f"?{query.decode('latin-1')}" if query else "")
    return see(f"/login?{urlencode({'next': local(onward)})}")


async def show(asked: Asked) -> Response:
    """The form."""
    given = dict(parse_qsl(asked.scope["query_string"].decode("latin-1")))
    return page(asked, 200, local(given.get("next")))


async def enter(asked: Asked) -> Response:
    """A key becomes a session."""
    csrf.check_origin(asked.headers)
    door: Door = asked.site.door
    address = (asked.scope.get("client") or ("?",))[0]
    wait_s = door.attempts.wait_s(address)
    given = dict(parse_qsl((await asked.content()).decode("utf-8", "replace")))
    onward = local(given.get("next"))
    if wait_s is not None:
        again = ((b"retry-after", b"%d" % wait_s),)
        return page(asked, 429, onward, f"Too many log-ins failed; try again in {wait_s:.0f} s.", again)
    principal = door.of_token(given.get("key", "").strip())
    if principal is None:
        door.attempts.failed(address)
        return page(asked, 401, onward, "This key opens nothing: it is unknown, expired or revoked.")
    door.sessions.end(asked.headers.cookies().get(door.cookie, ""))  # no session lives on under another key
    cookie = door.sessions.begin(principal.grant)
    return see(onward, (_cookie(door, cookie, int(WHOLE_S)),))


async def leave(asked: Asked) -> Response:
    """The session ends."""
    door: Door = asked.site.door
    door.sessions.end(asked.headers.cookies().get(door.cookie, ""))
    return see("/login", (_cookie(door, "", 0), (b"clear-site-data", b'"cache", "storage"')))


async def style(_asked: Asked) -> Response:
    """How the form looks; it stands alone, so that it is there when no page is."""
    return Answer(200, _STYLE, b"text/css; charset=utf-8")


def _cookie(door: Door, value: str, age_s: int) -> tuple[bytes, bytes]:
    secure = "; Secure" if door.guard.secure else ""
    text = f"{door.cookie}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode("ascii")


def not_served(host: bytes | None) -> HttpError:
    """421: a name that somebody else may own."""
    told = (host or b"").decode("latin-1")
    return HttpError(
        421,
        "HOST",
        f"this node does not serve the name {told!r:.100}",
        hint="name it with --http-host, or ask by address or as localhost",
    )


ROUTES = (
    Route("GET", "/login", Permission.PUBLIC, show, "The log-in form", media="text/html", hidden=True),
    Route(
        "POST", "/login", Permission.PUBLIC, enter, "Log in with a key", media="text/html", hidden=True, status=303,
        takes={FORM: None}, body_bytes_max=FORM_BYTES_MAX,
    ),
    Route(
        "POST", "/logout", Permission.PUBLIC, leave, "Log out", media="text/html", hidden=True, status=303,
    ),
    Route("GET", "/login.css", Permission.PUBLIC, style, "How the log-in form looks", media="text/css", hidden=True),
)  # fmt: skip
