"""What one who asks may see and touch. Whoever has no principal opened the control socket and owns the node: all of it.

What somebody does not see is not there for them: it is not found, whatever they know of it.
"""

from __future__ import annotations

import msgspec

from lictor.errors import DeniedError, LictorError, MalformedError, NotFoundError
from lictor.journal.port import Admit, DecisionRow, Filter, Journal
from lictor.node import Node
from lictor.records import Decision, Quarantined
from lictor.runtime.ids import id_number, id_text

from .access.principal import Principal
from .views import GUESSES_FROM, ambiguous, near, signal_of

#: Of the largest id; Python makes no number of a few thousand digits.
_DIGITS_MAX = 19


class Sight:
    """The scope of one who asks."""

    __slots__ = ("principal",)

    def __init__(self, principal: Principal | None) -> None:
        self.principal = principal

    @property
    def whole(self) -> bool:
        """It is scoped to nothing."""
        principal = self.principal
        return principal is None or (principal.sources is None and principal.tenants is None)

    def need_whole(self, what: str) -> None:
        """What is about all sources and tenants is for those who see all of them.

        Raises:
            DeniedError: it does not.
        """
        if not self.whole:
            raise DeniedError(
                f"{what} is about all sources and tenants, and this key is scoped to some",
                hint="use a key that was made without --source and --tenant",
            )

    def by(self, given: str) -> str:
        """Who steers: the principal; what was given counts only where there is none.

        Raises:
            MalformedError: nobody is named.
        """
        if self.principal is not None:
            return self.principal.name
        if not given:
            raise MalformedError("who asks is not named", hint="say by whom")
        return given

    def source(self, asked: str | None) -> str:
        """Who decides."""
        return (asked or "local") if self.principal is None else self.principal.source_for(asked)

    def tenant(self, asked: str | None) -> str:
        """For whom."""
        return (asked or "default") if self.principal is None else self.principal.tenant_for(asked)

    def sees(self, source: str, tenant: str) -> bool:
        """Whether a decision of these is there for it."""
        return self.principal is None or self.principal.sees(source, tenant)

    def sees_source(self, node: Node, source: str) -> bool:
        """Whether what is known of a source is: all that it decides must be."""
        principal = self.principal
        if principal is None or self.whole:
            return True
        if principal.sources is not None and source not in principal.sources:
            return False
        declared = node.app.sources.get(source)
        tenants = declared.tenants if declared is not None else None
        return principal.tenants is None or (tenants is not None and {*tenants} <= {*principal.tenants})

    def sees_scope(self, node: Node, budget: str, scope: str) -> bool:
        """Whether a scope of a balance is: one that it shares with nobody it does not see."""
        principal, declared = self.principal, node.app.balances.get(budget)
        if principal is None or self.whole:
            return True
        per = declared.per if declared is not None else None
        if per == "tenant":
            return principal.tenants is not None and scope in principal.tenants
        return per == "source" and principal.sources is not None and scope in principal.sources

    def may_halt(self, scope: str) -> None:
        """One who is scoped stops and resumes what is wholly its own.

        Raises:
            DeniedError: it is not.
        """
        principal = self.principal
        if principal is None or self.whole:
            return
        what, _, name = scope.partition(":")
        own = (what == "source" and principal.tenants is None and name in (principal.sources or ())) or (
            what == "tenant" and principal.sources is None and name in (principal.tenants or ())
        )
        if not own:
            raise DeniedError(
                f"{principal.name} may not halt or resume {scope!r:.80}", hint="its key is scoped to something else"
            )

    async def rows(self, journal: Journal, wanted: Filter) -> list[DecisionRow]:
        """The decisions that a list shows, newest first."""
        principal = self.principal
        if principal is None or self.whole:
            return await journal.decisions(wanted)
        source, tenant = _within(principal.sources, wanted.source), _within(principal.tenants, wanted.tenant)
        return await journal.decisions(msgspec.structs.replace(wanted, source=source, tenant=tenant))

    async def decision(self, journal: Journal, text: str, tenant: str | None = None) -> int:
        """The decision that an id (13 letters, or the number) or a key names.

        Raises:
            NotFoundError: none has it; the message names what is near.
            LictorError: `AMBIGUOUS`, several have this key.
        """
        number = _number(text)
        if number is not None and await self._sees_decision(journal, number):
            return number
        rows = await self.rows(journal, Filter(key=text, tenant=tenant, limit=10))
        bound = [row for row in rows if row.code != "KEY_REUSED"]  # the key is another's, where it was refused for that
        ids = [row.id for row in bound or rows]
        if len(ids) == 1:
            return ids[0]
        if ids:
            raise ambiguous(text, ids)
        raise await self._unknown(journal, text)

    async def _sees_decision(self, journal: Journal, number: int) -> bool:
        if self.whole:
            return journal.state.find(number) is not None or bool(await journal.history(number))
        found = await record_of(journal, number)
        return found is not None and self.sees(found.source, found.tenant)

    async def _unknown(self, journal: Journal, text: str) -> LictorError:
        rows = await self.rows(journal, Filter(limit=GUESSES_FROM))
        names = [id_text(row.id) for row in rows] + [row.key for row in rows if row.key is not None]
        return NotFoundError(f"no decision has the id or key {text!r}", hint=near(text, names) or "see `lictor list`")

    def sees_entry(self, entry: Quarantined) -> bool:
        """Whether an entry of quarantine is there for it."""
        return self.whole or self.sees(entry.source, str(signal_of(entry).get("tenant", "default")))

    def entry(self, journal: Journal, text: str) -> Quarantined:
        """The quarantine entry of an id.

        Raises:
            NotFoundError: it keeps none of this id.
        """
        number = _number(text)
        found = journal.state.quarantine.get(number or 0)
        if found is None or not self.sees_entry(found):
            seen = [id_text(entry.id) for entry in journal.state.quarantine.values() if self.sees_entry(entry)]
            hint = near(text, seen) or "see `lictor quarantine list`"
            raise NotFoundError(f"quarantine keeps no entry {text!r}", hint=hint)
        return found


def _number(text: str) -> int | None:
    """The id that a text is, in letters or in digits; None where it is none."""
    number = id_number(text)
    if not number and text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX:
        number = int(text)
    return number if number is not None and number < 1 << 63 else None


def _within(seen: tuple[str, ...] | None, asked: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    """Of what is asked for, what is seen; None is all."""
    if seen is None or asked is None:
        return seen if asked is None else asked
    return tuple(one for one in ((asked,) if isinstance(asked, str) else asked) if one in seen)


OWNER = Sight(None)


async def record_of(journal: Journal, decision: int) -> Decision | None:
    """A decision as it was last ruled on; None where the journal has none of this id."""
    found = journal.state.find(decision)
    if found is not None:
        return found.decision
    for row in reversed(await journal.history(decision)):
        if isinstance(row.verb, Admit) and row.verb.decision.id == decision:
            return row.verb.decision
    return None
