"""What one race came to: the judge's figures of one seed, and their sum over many. Knows nothing of the engine's
state: it reads the world's own log (arrivals, deeds), the ledger that is folded from recorded facts, and what proposers
were told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.failures.control_proposals import LIMIT, SPENT, TENANTS
from benchmarks.failures.control_rush import Rush
from lictor.testing.simulated import Simulated
from lictor.testing.world import World


@dataclass(slots=True)
class Account:
    """Some races."""

    races: int = 0
    proposals: int = 0
    decisions: int = 0
    crashes: int = 0
    arrivals: int = 0
    #: Arrivals of what no verdict under the policy in force could have let through.
    ungoverned: int = 0
    #: Of the limit of a budget: the most that was settled and reserved, or really used, above it.
    overshoot: float = 0.0
    #: Effects beyond the first under one key, by effectors that are not idempotent.
    doubles: int = 0
    #: Begun while the policy that was deployed forbade it; while what the node had loaded as a reference did.
    revoked: int = 0
    outdated: int = 0
    #: Begun again because in doubt, while it forbade that; nobody knows whether it is the first effect.
    revoked_in_doubt: int = 0
    #: Begun while a decree that nobody had told the node of yet forbade it.
    not_told_yet: int = 0
    #: Told failed and really done, with nobody asked to find out.
    unflagged: int = 0
    #: Proposals without exactly one final answer, and decisions without exactly one end.
    unaccounted: int = 0
    #: The least use of a budget at rest, over all races.
    use_min: float = 1.0
    use_sum: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    #: Promises that the simulator found broken: seed and what.
    violations: list[str] = field(default_factory=list)

    def merge(self, other: Account) -> None:
        """Add other races."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.overshoot = max(self.overshoot, other.overshoot)
        self.use_min = min(self.use_min, other.use_min)
        for name in ("ends", "refusals", "struck", "counts"):
            getattr(self, name).update(getattr(other, name))
        self.violations += other.violations

    @property
    def use_mean(self) -> float | None:
        """Use of all budgets at rest, on average."""
        return self.use_sum / self.races if self.races else None


_SUMS = (
    "races",
    "proposals",
    "decisions",
    "crashes",
    "arrivals",
    "ungoverned",
    "doubles",
    "revoked",
    "outdated",
    "revoked_in_doubt",
    "not_told_yet",
    "unflagged",
    "unaccounted",
    "use_sum",
)


def account_of(rush: Rush, done: Simulated) -> Account:
    """The figures of a race that has come to rest."""
    sim = rush.sim
    if sim is None:
        raise RuntimeError("the race has not been run")
    ledger = sim.invariants.ledger
    made = Account(races=1, proposals=len(rush.proposals), decisions=done.decisions, crashes=done.crashes)
    counts = rush.counts
    made.arrivals, made.ungoverned = done.arrivals, counts["ungoverned"]
    made.revoked, made.outdated = counts["revoked"], counts["read"]
    made.revoked_in_doubt = counts["in doubt and revoked"] + counts["in doubt and read"]
    made.not_told_yet = counts["not told yet"]
    made.ends, made.counts = done.ends, Counter({name: counts[name] for name in ("asked again", "decrees")})
    made.struck.update({kind: number for (kind, _), number in done.struck.items()})
    made.doubles, spent = deeds_of(sim.world, rush.tenants)
    for party in sim.world.parties.values():
        for key in party.deeds.keys() & rush.actions.keys():
            decision, ordinal = rush.actions[key]
            step = ledger.told[decision].steps[ordinal]
            made.unflagged += step.end in {"fail", "expire", "cancel"} and not step.succeeded
    _conservation(rush, done, made)
    uses = []
    for number in range(TENANTS):
        account = ledger.escrow.accounts["cash", f"t-{number}"]
        total = account.settled.get(None, 0) + account.reserved.get(None, 0)
        uses.append(float(total) / LIMIT)
        really = SPENT + spent[f"t-{number}"]
        made.overshoot = max(made.overshoot, float(total - LIMIT) / LIMIT, (really - LIMIT) / LIMIT)
    made.use_min, made.use_sum = min(uses), sum(uses) / len(uses)
    return made


def deeds_of(world: World, tenants: Mapping[str, str]) -> tuple[int, Counter[str]]:
    """Effects beyond the first of their key where that must not be, and what each tenant has really spent."""
    doubles, spent = 0, Counter[str]()
    for party in world.parties.values():
        for key, deeds in party.deeds.items():
            doubles += 0 if party.idempotent else len(deeds) - 1
            if key in tenants:  # what was spent before the race is not among them
                spent[tenants[key]] += sum(int(deed.amount) for deed in deeds)
    return doubles, spent


def _conservation(rush: Rush, done: Simulated, made: Account) -> None:
    """Received = sum of terminals, both ways: each proposal has one final answer, each record somebody who was told."""
    ledger = rush.sim.invariants.ledger  # type: ignore[union-attr]
    known = set(rush.answers.values()) | rush.abandoned
    for proposal in rush.proposals:
        answer = rush.answers.get(proposal.number)
        if isinstance(answer, str):
            made.refusals[answer] += 1
        elif answer is None or answer not in ledger.told or ledger.told[answer].end is None:
            made.unaccounted += 1
        elif ledger.told[answer].end == "refused":
            made.refusals[str(ledger.told[answer].verdicts[-1].code)] += 1
    for id_, told in ledger.told.items():
        # Who is refused for another's key binds none: asking again after a crash makes one more refusal.
        again = told.end == "refused" and told.verdicts[-1].code == "KEY_REUSED"
        made.unaccounted += id_ not in known and not again
    made.unaccounted += abs(len(ledger.told) - sum(done.ends.values()))
