"""Commands for API keys: `keys make`, `list`, `rotate`, `revoke`. A token is printed once and kept nowhere."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from .output import document, moment, say, table
from .reach import MANY, Where, login

By = Annotated[str, Parameter(help="The person who says so; your login name unless given.", show_default=False)]
Key = Annotated[str, Parameter(help="The id of a key, or its name.", name="KEY")]


def make(
    name: Annotated[str, Parameter(help="Whose key it is: a person, an agent, a service.", name="NAME")],
    /,
    *,
    roles: Annotated[str, Parameter(help="submit, read, approve, operate, admin; several with commas.")],
    source: Annotated[tuple[str, ...], MANY, Parameter(help="Decides as this source alone.")] = (),
    tenant: Annotated[tuple[str, ...], MANY, Parameter(help="For this tenant alone.")] = (),
    expires_in: Annotated[str | None, Parameter(help="How long it opens anything: 90d, 12h.")] = None,
    by: By = "",
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Make a key. Standard output has the token alone; only its hash is kept, so keep it now."""
    done = where.ask(
        "keys_make",
        name=name,
        roles=[role.strip() for role in roles.split(",")],
        sources=list(source) or None,
        tenants=list(tenant) or None,
        expires_in_s=_seconds(expires_in),
        by=by or login(),
    )
    _tell(where, done, f"{done['id']} of {name} may {', '.join(done['roles'])}{_scope(done)}; ends: {_end(done)}")


def list_(where: Where = Where()) -> None:  # noqa: B008 - frozen
    """List all keys, the newest first: whose, what they open, until when. Never what opens them."""
    rows = where.ask("keys_list")
    if where.json:
        document(rows)
        return
    table(
        ("id", "name", "state", "roles", "sources", "tenants", "made", "by", "ends"),
        [
            (
                row["id"],
                row["name"],
                row["state"],
                ",".join(row["roles"]),
                _names(row["sources"]),
                _names(row["tenants"]),
                moment(row["made_us"]),
                row["by"],
                _end(row),
            )
            for row in rows
        ],
    )


def rotate(
    key: Key,
    /,
    *,
    grace: Annotated[str, Parameter(help="How long the old one still opens: 24h, 30m; 0 for not at all.")] = "24h",
    expires_in: Annotated[str | None, Parameter(help="When the new one ends; as the old one unless given.")] = None,
    by: By = "",
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Make a new key like this one, which itself ends after a time of grace."""
    grace_s = 0.0 if grace == "0" else _seconds(grace)
    done = where.ask("keys_rotate", what=key, grace_s=grace_s, expires_in_s=_seconds(expires_in), by=by or login())
    _tell(where, done, f"{done['id']} follows {done['old']['id']} of {done['name']}, which ends {_end(done['old'])}")


def revoke(
    key: Key,
    /,
    *,
    by: By = "",
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Revoke a key, or all of a name: the next request with it is refused."""
    done = where.ask("keys_revoke", what=key, by=by or login())
    if where.json:
        document(done)
    else:
        say(f"revoked: {', '.join(grant['id'] for grant in done['revoked'])}")


def _tell(where: Where, done: dict[str, Any], told: str) -> None:
    """The token to standard output, so that `KEY=$(lictor keys make ...)` holds it and nothing else."""
    if where.json:
        document(done)
        return
    say(told, error=True)
    say(done["token"])


def _seconds(text: str | None) -> float | None:
    from lictor.surfaces.access.keys import span_s

    return None if text is None else span_s(text)


def _scope(done: dict[str, Any]) -> str:
    scopes = [f"{what} {_names(done[f'{what}s'])}" for what in ("source", "tenant") if done[f"{what}s"] is not None]
    return f", for {' and '.join(scopes)}" if scopes else ""


def _names(names: list[str] | None) -> str:
    return "all" if names is None else ",".join(names)


def _end(grant: dict[str, Any]) -> str:
    return moment(grant["revoked_us"] or grant["expires_us"]) or "never"
