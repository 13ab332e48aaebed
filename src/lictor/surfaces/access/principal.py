"""Who asks, as their credential says: a name, what they may do, and whose decisions they act for and see.

Nothing of it is ever read from a payload. Pure: reads and writes nothing.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lictor.errors import DeniedError

#: The tenant of whoever names none.
DEFAULT_TENANT = "default"


class Permission(StrEnum):
    """What a route asks for. A key's roles are a set of all but the first, which needs no credential."""

    PUBLIC = "public"
    SUBMIT = "submit"
    READ = "read"
    APPROVE = "approve"
    OPERATE = "operate"
    ADMIN = "admin"


#: What a role brings beside itself: who answers or steers must see what they answer or steer.
IMPLIED = {
    Permission.APPROVE: (Permission.READ,),
    Permission.OPERATE: (Permission.READ,),
    Permission.ADMIN: (Permission.SUBMIT, Permission.READ, Permission.APPROVE, Permission.OPERATE),
}
ROLES = tuple(each for each in Permission if each is not Permission.PUBLIC)


def granted(roles: tuple[str, ...]) -> frozenset[Permission]:
    """All that these roles permit; a role that this version does not know permits nothing."""
    held = {role for role in ROLES if role.value in roles}
    return frozenset(held.union(*(IMPLIED.get(role, ()) for role in held)))


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """One who has shown a credential. `sources` and `tenants` are what it is scoped to; None is no scope."""

    name: str
    permissions: frozenset[Permission]
    sources: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    #: The id of the key that it was made from.
    grant: str = ""
    #: It came by a browser's cookie, which a browser also sends unasked: unsafe methods need this token beside it.
    session: str | None = None

    def may(self, permission: Permission) -> bool:
        """Whether this permission was granted; `public` always is."""
        return permission is Permission.PUBLIC or permission in self.permissions

    @property
    def unscoped(self) -> bool:
        """Nothing is kept from it: what holds for all sources and tenants (keys, halting everything) asks for this."""
        return self.sources is None and self.tenants is None

    def source_for(self, asked: str | None) -> str:
        """Who decides, when this principal submits: one of its sources, or itself where it is scoped to none.

        A key that may approve and is scoped to no source decides under its own name alone. Else one person could
        decide under another's name and approve that as another than its source (I13).

        Raises:
            DeniedError: it may not decide as that source, or has several and none was named.
        """
        if self.sources is None:
            if asked is None or asked == self.name:
                return self.name
            if self.may(Permission.APPROVE):
                raise DeniedError(
                    f"{self.name} may approve, so it decides under its own name alone, not as {asked!r:.80}",
                    hint=f"submit with a key that is made with --roles submit --source {asked:.80}",
                )
            return asked
        return _one_of(self.name, "source", self.sources, asked)

    def tenant_for(self, asked: str | None) -> str:
        """For which tenant: one of its own; `default` where it is scoped to none and none was named.

        Raises:
            DeniedError: it may not act for that tenant, or has several and none was named.
        """
        if self.tenants is None:
            return DEFAULT_TENANT if asked is None else asked
        return _one_of(self.name, "tenant", self.tenants, asked)

    def sees(self, source: str, tenant: str) -> bool:
        """Whether a decision of this source and tenant exists for it at all."""
        return (self.sources is None or source in self.sources) and (self.tenants is None or tenant in self.tenants)


def _one_of(name: str, what: str, scoped: tuple[str, ...], asked: str | None) -> str:
    if asked is None and len(scoped) == 1:
        return scoped[0]
    if asked is None:
        raise DeniedError(f"{name} has several {what}s", hint=f"name one: {', '.join(scoped)}")
    if asked not in scoped:
        raise DeniedError(
            f"{name} may not act for the {what} {asked!r:.80}", hint=f"its key is for: {', '.join(scoped)}"
        )
    return asked
