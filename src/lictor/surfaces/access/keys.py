"""Making, rotating and revoking API keys: from what is asked and the keys that there are, the facts to write.

Used on a running node and on a closed file alike. Writes nothing; time and random bytes come in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from lictor.errors import DeniedError, MalformedError, NotFoundError
from lictor.records import Grant

from .principal import ROLES, Permission, granted
from .secret import ID_BYTES, SECRET_BYTES, hash_of, letters, token_of, token_text

#: A name stands in the journal as who did it, so it is one word that looks the same everywhere.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
GRACE_S = 86_400.0
SCOPED_MAX = 100
NAME_MAX = 200
GRANTS_MAX = 10_000
Random = Callable[[int], bytes]
Grants = Mapping[str, Grant]


class Made(msgspec.Struct, frozen=True):
    """A key with its token, which is nowhere else and shown once."""

    grant: Grant
    token: str


def make(  # noqa: PLR0913 - each is a part of the key
    grants: Grants,
    name: str,
    *,
    roles: Iterable[str],
    sources: Iterable[str] | None,
    tenants: Iterable[str] | None,
    expires_in_s: float | None,
    by: str,
    now_us: int,
    random: Random,
) -> Made:
    """A new key.

    Raises:
        MalformedError: a name, role, scope or time is none.
        DeniedError: nobody is named, there are too many keys, or the roles and sources do not go together.
    """
    if not _NAME.fullmatch(name):
        raise MalformedError(
            f"{_shown(name)} is no name of a key", hint="a letter or digit first, then those and . _ @ + -, at most 64"
        )
    held = tuple(dict.fromkeys(role.strip() for role in roles))
    known = [role.value for role in ROLES]
    if not held or (bad := [role for role in held if role not in known]):
        raise MalformedError(
            f"{bad[0]!r:.40} is no role" if held else "a key needs a role", hint=f"there are: {', '.join(known)}"
        )
    scope = _scope("source", sources)
    if scope is not None and Permission.APPROVE in granted(held):
        raise DeniedError(
            "a key that is scoped to sources decides as them, and an approver is never the source",
            hint="make two keys: one with --source, one that approves and has none (--tenant narrows it)",
        )
    if len(grants) >= GRANTS_MAX:
        raise DeniedError(f"there are {GRANTS_MAX} keys")
    grant = Grant(
        id="", name=name, hash=b"", roles=held, sources=scope, tenants=_scope("tenant", tenants), made_us=now_us,
        by=_person(by), expires_us=_end(now_us, expires_in_s),
    )  # fmt: skip
    return _with_secret(grants, grant, random)


def rotate(
    grants: Grants, what: str, *, grace_s: float, expires_in_s: float | None, by: str, now_us: int, random: Random
) -> tuple[Grant, Made]:
    """A new key like an old one, and the old one with an end. A key that ends keeps its end unless one is given.

    Raises:
        NotFoundError: no such key opens anything.
        MalformedError: a time is none, or several keys have this name.
    """
    old = find(grants, what, now_us)
    end_us = _end(now_us, expires_in_s) if expires_in_s is not None else old.expires_us
    grace_us = now_us if grace_s == 0 else _end(now_us, grace_s)
    ends = [us for us in (grace_us, old.expires_us) if us is not None]
    like = msgspec.structs.replace(old, made_us=now_us, by=_person(by), expires_us=end_us, revoked_us=None)
    return msgspec.structs.replace(old, expires_us=min(ends)), _with_secret(grants, like, random)


def revoke(grants: Grants, what: str, *, now_us: int) -> list[Grant]:
    """A key by its id, or all of a name, that open nothing from now on.

    Raises:
        NotFoundError: there is none to revoke.
    """
    found = [grant for grant in grants.values() if what in (grant.id, grant.name) and grant.revoked_us is None]
    if not found:
        raise NotFoundError(f"there is no key {_shown(what)} to revoke", hint="lictor keys list")
    return [msgspec.structs.replace(grant, revoked_us=now_us) for grant in found]


def find(grants: Grants, what: str, now_us: int) -> Grant:
    """The key in force with this id, or the newest of this name.

    Raises:
        NotFoundError: there is none.
    """
    found = [grant for grant in grants.values() if what in (grant.id, grant.name) and in_force(grant, now_us)]
    if not found:
        raise NotFoundError(f"no key {_shown(what)} is in force", hint="lictor keys list")
    return max(found, key=lambda grant: grant.made_us)


def in_force(grant: Grant, now_us: int) -> bool:
    """Whether a key opens anything at this time."""
    return grant.revoked_us is None and (grant.expires_us is None or now_us < grant.expires_us)


def grant_data(grant: Grant, now_us: int) -> dict[str, Any]:
    """A key as it is shown: everything but its hash."""
    state = "revoked" if grant.revoked_us is not None else "in force" if in_force(grant, now_us) else "expired"
    return {
        "id": grant.id,
        "name": grant.name,
        "state": state,
        "roles": list(grant.roles),
        "sources": None if grant.sources is None else list(grant.sources),
        "tenants": None if grant.tenants is None else list(grant.tenants),
        "made_us": grant.made_us,
        "by": grant.by,
        "expires_us": grant.expires_us,
        "revoked_us": grant.revoked_us,
    }


def span_s(text: str) -> float:
    """Seconds of `90d`, `12h`, `30m`, `45s` or `2w`.

    Raises:
        MalformedError: it is none.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise MalformedError(f"{text!r:.40} is no time", hint="write 90d, 12h, 30m, 45s or 2w")
    return float(int(found[1]) * _SECONDS[found[2]])


def _with_secret(grants: Grants, grant: Grant, random: Random) -> Made:
    id_ = letters(random(ID_BYTES))
    while id_ in grants:
        id_ = letters(random(ID_BYTES))
    secret = letters(random(SECRET_BYTES))
    return Made(msgspec.structs.replace(grant, id=id_, hash=hash_of(id_, secret)), token_text(id_, secret))


def _scope(what: str, names: Iterable[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    given = tuple(dict.fromkeys(names))
    if not given:
        raise MalformedError(f"a key for no {what} opens nothing", hint=f"name one, or leave {what}s out for all")
    if len(given) > SCOPED_MAX or not all(0 < len(name) <= NAME_MAX and name.isprintable() for name in given):
        raise MalformedError(f"the {what}s of a key are at most {SCOPED_MAX} names of at most {NAME_MAX} letters")
    return given


def _shown(what: str) -> str:
    """As an error repeats it: somebody may have given the whole token."""
    token = token_of(what)
    return f"{what!r:.80}" if token is None else f"'lk_{token.id}_...' (a whole token; give its id or its name)"


def _person(by: str) -> str:
    if not by:
        raise DeniedError("keys are given by a named person")
    return by


def _end(now_us: int, seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not 0 < seconds <= 100 * 365 * 86_400:  # `nan` is not either
        raise MalformedError(f"a key ends within 100 years and not before now, not in {seconds} s")
    return now_us + round(seconds * 1e6)
