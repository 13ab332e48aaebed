"""Requests about API keys, answered alike by a node and for a closed file: which grants to write, and what to tell."""

from __future__ import annotations

from typing import Any

from lictor.records import Grant
from lictor.surfaces import asks

from .keys import Grants, Made, Random, grant_data, make, revoke, rotate

Changed = tuple[list[Grant], Any]


def listed(grants: Grants, now_us: int) -> list[dict[str, Any]]:
    """All keys as they are shown, the newest first."""
    return [grant_data(grant, now_us) for grant in sorted(grants.values(), key=lambda grant: -grant.made_us)]


def changed(grants: Grants, ask: asks.KeysChange, now_us: int, random: Random) -> Changed:
    """The grants that a request puts in force, and its answer.

    Raises:
        LictorError: it cannot be done.
    """
    match ask:
        case asks.KeysMake():
            made = make(
                grants, ask.name, roles=ask.roles, sources=ask.sources, tenants=ask.tenants,
                expires_in_s=ask.expires_in_s, by=ask.by, now_us=now_us, random=random,
            )  # fmt: skip
            return [made.grant], _with_token(made, now_us)
        case asks.KeysRotate():
            old, made = rotate(
                grants, ask.what, grace_s=ask.grace_s, expires_in_s=ask.expires_in_s, by=ask.by, now_us=now_us,
                random=random,
            )  # fmt: skip
            return [old, made.grant], {**_with_token(made, now_us), "old": grant_data(old, now_us)}
        case asks.KeysRevoke():
            gone = revoke(grants, ask.what, now_us=now_us)
            return gone, {"revoked": [grant_data(grant, now_us) for grant in gone], "by": ask.by}
    raise TypeError(f"{type(ask).__name__} is not about keys")


def _with_token(made: Made, now_us: int) -> dict[str, Any]:
    return {**grant_data(made.grant, now_us), "token": made.token}
