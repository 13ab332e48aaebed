"""A fleet that shares one limit by lent chunks, in virtual time: Poisson arrivals, and nodes that are cut off."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heapreplace
from random import Random

from lictor.capacity.lease import Coordinator, Holder, Terms


@dataclass(frozen=True)
class Case:
    """One run: what each node wants a second, and which cannot reach the coordinator from `cut_from_s` on."""

    terms: Terms
    per_s: float
    wants: tuple[float, ...]
    seconds: float
    seed: int = 1
    cut: frozenset[int] = frozenset()
    cut_from_s: float = float("inf")
    #: What each node wants from then on.
    wants_cut: tuple[float, ...] = ()


@dataclass(frozen=True)
class Lending:
    """What came of it."""

    calls_per_action: float
    #: Quota that lay unused on nodes, at most and on average.
    stranded_max: float
    stranded_mean: float
    #: Used in any stretch of time beyond the limit's rate times the stretch, while all was connected.
    overshoot_max: float
    #: Used beyond the limit by each second of the partition, apart from what was lent and saved when it began.
    overshoot_per_s: float
    #: Share of what cut-off nodes wanted that they could not do.
    lost: float
    #: Share of the limit that was used while all was connected.
    used: float


def lend(case: Case) -> Lending:
    """Run it."""
    draw = Random(case.seed)
    coordinator = Coordinator(case.per_s, case.terms.chunk * len(case.wants), 0.0)
    nodes = [Holder(case.terms) for _ in case.wants]
    due = [(draw.expovariate(want), number) for number, want in enumerate(case.wants)]
    heapify(due)
    cut_at = min(case.cut_from_s, case.seconds)
    taken: list[float] = []
    wanted = lost = after = 0
    stranded: list[float] = []
    calls = 0
    while due[0][0] < case.seconds:
        now, number = due[0]
        wants = case.wants_cut if case.wants_cut and now >= cut_at else case.wants
        heapreplace(due, (now + draw.expovariate(wants[number]), number))
        cut = number in case.cut and now >= cut_at
        done = _take(nodes[number], coordinator, now, cut=cut)
        if now < cut_at:
            calls = coordinator.asked
            stranded.append(sum(node.tokens for node in nodes if now < node.until))
            if done:
                taken.append(now)
        else:
            after += done
            wanted += cut
            lost += cut and not done
    span = case.seconds - cut_at
    saved = 2.0 * len(case.wants) * case.terms.chunk
    return Lending(
        calls_per_action=calls / max(1, len(taken)),
        stranded_max=max(stranded, default=0.0),
        stranded_mean=sum(stranded) / max(1, len(stranded)),
        overshoot_max=_overshoot(taken, case.per_s),
        overshoot_per_s=max(0.0, (after - saved) / span - case.per_s) if span else 0.0,
        lost=lost / max(1, wanted),
        used=len(taken) / (case.per_s * cut_at),
    )


def _take(node: Holder, coordinator: Coordinator, now: float, *, cut: bool) -> bool:
    """One action; a node that has no token asks, unless it cannot."""
    if not cut and (left := node.ended(now)):
        coordinator.give_back(left, now)
    if node.take(now):
        return True
    if cut:
        node.lost(now)
        return node.take(now)
    node.lent(coordinator.ask(node.terms.chunk, now), now)
    return node.take(now)


def _overshoot(taken: list[float], per_s: float) -> float:
    """The most that any stretch used beyond its rate: the largest rise of what was taken minus what the rate gives."""
    low, most = 0.0, 0.0
    for count, at in enumerate(taken):
        low = min(low, count - per_s * at)  # before this one
        most = max(most, count + 1 - per_s * at - low)
    return most
