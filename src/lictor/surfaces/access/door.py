"""From a credential to a principal, and from no credential, or a bad one, to nobody.

Verification is one dict look-up and one SHA-256, so nothing of it is cached. The principal of a key is kept for as long
as its grant is the one in force: a revocation replaces the grant in the node's memory and so holds for the very next
request, by key or by cookie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lictor.node import Node
from lictor.records import Grant

from .attempts import Attempts
from .guard import Guard
from .keys import in_force
from .principal import Principal, granted
from .secret import fits, hash_of, token_of
from .sessions import Sessions

_NOBODY = hash_of("", "")


class Door:
    """Lets in who shows a key of the node's journal, or the cookie of a browser that has shown one."""

    def __init__(self, node: Node, hosts: Iterable[str] = (), *, secure: bool = False) -> None:
        self.node = node
        self.guard = Guard(hosts, secure=secure)
        self.sessions = Sessions(node.clock, node.randomness.bytes)
        self.attempts = Attempts(node.clock)
        #: With the prefix a browser takes it only over TLS, for this host alone.
        self.cookie = "__Host-lictor_session" if secure else "lictor_session"
        self._known: dict[str, tuple[Grant, Principal]] = {}

    def principal(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Principal | None:
        """Who asks; None where no good credential was shown. A bad key is never made good by a cookie beside it."""
        shown = headers.get("authorization")
        if shown is not None:
            scheme, _, text = shown.partition(" ")
            return self.of_token(text.strip()) if scheme.lower() == "bearer" else None
        cookie = cookies.get(self.cookie)
        return self.of_cookie(cookie) if cookie is not None else None

    def of_token(self, text: str) -> Principal | None:
        """The principal of a key; None where it is unknown, expired or revoked."""
        token = token_of(text)
        grant = self.node.journal.state.grants.get(token.id) if token is not None else None
        if token is None or grant is None:
            fits("", "", _NOBODY)  # an unknown id takes as long as a wrong secret
            return None
        return self.of_grant(grant) if fits(token.id, token.secret, grant.hash) else None

    def of_cookie(self, cookie: str) -> Principal | None:
        """The principal of a session; None where it has ended, or its key has."""
        session = self.sessions.find(cookie)
        grant = self.node.journal.state.grants.get(session.grant) if session is not None else None
        found = self.of_grant(grant) if grant is not None else None
        if session is None or found is None:
            self.sessions.end(cookie)
            return None
        return msgspec.structs.replace(found, session=session.csrf)

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

    def still(self, principal: Principal) -> bool:
        """Whether the key behind a principal is in force now; for answers that go on for long."""
        grant = self.node.journal.state.grants.get(principal.grant)
        return grant is not None and in_force(grant, self.node.clock.wall_us())
