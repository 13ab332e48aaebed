"""From a credential to a principal, and from no credential, or a bad one, to nobody.

Verification is one dict look-up and one SHA-256, so nothing of it is cached. The principal of a key is kept for as long
as its grant is the one in force: a revocation replaces the grant in the node's memory and so holds for the very next
request.
"""

from __future__ import annotations

from collections.abc import Mapping

from lictor.node import Node
from lictor.records import Grant

from .principal import Principal, granted
from .secret import fits, hash_of, token_of

_NOBODY = hash_of("", "")


class Door:
    """Lets in who shows a key of the node's journal."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._known: dict[str, tuple[Grant, Principal]] = {}

    def principal(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal | None:  # noqa: ARG002 - sessions come next
        """Who asks; None where no good credential was shown. A bad key is never made good by a cookie beside it."""
        shown = headers.get("authorization")
        if shown is None:
            return None
        scheme, _, text = shown.partition(" ")
        return self.of_token(text.strip()) if scheme.lower() == "bearer" else None

    def of_token(self, text: str) -> Principal | None:
        """The principal of a key; None where it is unknown, expired or revoked."""
        token = token_of(text)
        grant = self.node.journal.state.grants.get(token.id) if token is not None else None
        if token is None or grant is None:
            fits("", "", _NOBODY)  # an unknown id takes as long as a wrong secret
            return None
        return self.of_grant(grant) if fits(token.id, token.secret, grant.hash) else None

    def of_grant(self, grant: Grant) -> Principal | None:
        """The principal of a grant that is in force now."""
        if not in_force(grant, self.node.clock.wall_us()):
            return None
        known = self._known.get(grant.id)
        if known is None or known[0] is not grant:
            made = Principal(
                name=grant.name,
                permissions=granted(grant.roles),
                sources=grant.sources,
                tenants=grant.tenants,
                grant=grant.id,
            )
            known = self._known[grant.id] = (grant, made)
        return known[1]


def in_force(grant: Grant, now_us: int) -> bool:
    """Whether a key opens anything at this time."""
    return grant.revoked_us is None and (grant.expires_us is None or now_us < grant.expires_us)
