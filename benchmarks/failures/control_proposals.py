"""What 64 proposers want, seven kinds of defects among it, and the policy that people change meanwhile.

Both arms are offered the same: proposals and decrees are drawn from the seed alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

#: Proposers that race, and the tenants whose budgets they race for.
PROPOSERS = 64
TENANTS = 10
#: A tenant's budget; so much of it is spent before the race; a proposal costs at most 0.05 % of it.
LIMIT = 20_000
SPENT = 19_800
AMOUNT_MAX = 10
ACCOUNTS = 24
#: What is wrong with the defective ones, in equal shares; the last is made so by a decree while it waits.
DEFECTS = ("schema", "unauthorised", "expired", "duplicate", "key reused", "over budget", "conflict")
DEFECTIVE = 0.3
#: Nothing of these may ever reach the world. (A duplicate is one of the original's content: the key must act once.)
NEVER = frozenset({"schema", "unauthorised", "expired", "key reused", "over budget", "conflict"})
#: Virtual seconds between two decrees, on average, and how long one account is revoked.
DECREE_S_MEAN = 2.0
REVOKED_S_MAX = 6.0


class Policy(NamedTuple):
    """What is in force: accounts that may not be touched, and the oldest state that a proposal may have seen."""

    version: int = 0
    revoked: frozenset[str] = frozenset()
    floor: int = 0

    def permits(self, account: str, seen: int) -> bool:
        """Whether this account may be touched by who saw that state."""
        return account not in self.revoked and seen >= self.floor


@dataclass(slots=True)
class Proposal:
    """One proposal; `seen` is the state that its proposer saw when it was offered."""

    number: int
    tenant: str
    source: str
    account: str
    amount: int
    route: str
    key: str
    defect: str | None = None
    seen: int = 0
    #: The earlier proposal whose key it uses.
    earlier: int | None = None


def drawn(draw: random.Random, count: int) -> list[Proposal]:
    """So many proposals, of which 30 % are defective."""
    made: list[Proposal] = []
    for number in range(count):
        made.append(_sound(draw, number))
        if draw.random() < DEFECTIVE:
            _spoil(draw, made)
    return made


def _sound(draw: random.Random, number: int) -> Proposal:
    return Proposal(
        number=number,
        tenant=f"t-{draw.randrange(TENANTS)}",
        source=f"agent-{draw.randrange(4)}",
        account=f"a-{draw.randrange(ACCOUNTS)}",
        amount=draw.randint(1, AMOUNT_MAX),
        route=draw.choices(("pay", "note", "post", "pair"), (5, 3, 1, 1))[0],
        key=f"k-{number}",
    )


def _spoil(draw: random.Random, made: list[Proposal]) -> None:
    """Make the last one defective."""
    last, defect = made[-1], draw.choice(DEFECTS)
    if defect in {"duplicate", "key reused"}:
        sound = [p for p in made[-200:-1] if p.defect is None]
        if not sound:
            return
        earlier = draw.choice(sound)
        last.earlier, last.key, last.source, last.tenant = earlier.number, earlier.key, earlier.source, earlier.tenant
        if defect == "duplicate":
            last.account, last.amount, last.route = earlier.account, earlier.amount, earlier.route
    elif defect == "over budget":
        last.amount = LIMIT + 1
    elif defect == "unauthorised":
        last.source = draw.choice(("mallory", "clerk"))
        last.tenant = f"t-{draw.randrange(1, TENANTS)}"
    last.defect = defect


def next_policy(draw: random.Random, now: Policy) -> Policy:
    """The next decree: revoke an account, give one back, or declare that the state has moved on."""
    what = draw.random()
    revoked = set(now.revoked)
    if what < 0.15:
        return Policy(now.version + 1, now.revoked, now.floor + 1)
    if what < 0.6 or not revoked:
        revoked.add(f"a-{draw.randrange(ACCOUNTS)}")
    else:
        revoked.remove(draw.choice(sorted(revoked)))
    return Policy(now.version + 1, frozenset(revoked), now.floor)
