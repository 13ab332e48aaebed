"""Which runs there are, full and quick; a run's name is how figures call it."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.scale.run import Run

FEW, MANY = 10, 10_000


class Size(NamedTuple):
    """How big everything is."""

    history: int
    actions: int
    at_once: int
    #: Tenants, where there are many.
    many: int
    rate: float
    #: Measured seconds of the run that lasts, and of the others.
    lasts_s: float
    seconds: float
    repeats: int


FULL = Size(10_000_000, 10_000, 100, MANY, 3_000.0, 600.0, 4.0, 5)
QUICK = Size(20_000, 500, 4, 500, 500.0, 2.0, 0.4, 1)


def repeated(size: Size, journal: str) -> list[Run]:
    """What is done several times, interleaved, because one is compared with another."""
    return [
        Run(name="fan one", measure="fan", actions=size.actions),
        Run(name="fan many", measure="fan", actions=size.actions, decisions=size.at_once),
        Run(name="tenants few", measure="closed", seconds=size.seconds, tenants=FEW, concurrent=256),
        Run(name="tenants many", measure="closed", seconds=size.seconds, tenants=size.many, concurrent=256),
        Run(name="history none", measure="history", seconds=size.seconds),
        Run(name="history long", measure="history", seconds=size.seconds, journal=journal),
    ]


def once(size: Size) -> list[Run]:
    """What takes long."""
    return [Run(name="sustained", measure="sustained", seconds=size.lasts_s, rate=size.rate, tenants=100)]
