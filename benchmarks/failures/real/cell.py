"""One run of one arm: its workload and stages of load, and the samples that come of it. Both cross a pipe as JSON."""

from __future__ import annotations

import msgspec


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided and what acting on it takes."""

    #: Mean seconds of a call, and its coefficient of variation: lognormal, or constant where it is 0.
    service_s: float
    cv: float
    #: Servers of the downstream: calls that it does at a time.
    servers: int
    #: Seconds from the intended arrival to the deadline.
    deadline_s: float

    @property
    def nominal_per_s(self) -> float:
        """Calls a second that the servers would do if nothing were lost; what it really is, is measured."""
        return self.servers / self.service_s


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of constant load."""

    #: In multiples of the measured capacity.
    load: float
    #: Seconds before the window that is measured, in it, and after it; load goes on through all three.
    before_s: float
    window_s: float
    after_s: float
    #: Start with a new arm and an idle downstream; False goes on with whatever the stage before has left.
    fresh: bool = True
    #: Seconds from the start of the stage, from when the downstream refuses every call, and until when.
    outage_s: tuple[float, float] | None = None
    #: How often a client asks again for what was refused or has failed.
    client_retries: int = 0

    @property
    def seconds(self) -> float:
        """From the first arrival to the last."""
        return self.before_s + self.window_s + self.after_s


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one child process does."""

    arm: str
    workload: Workload
    stages: tuple[Stage, ...]
    seed: int
    #: Seconds of closed loop by which capacity is measured.
    calibrate_s: float
    #: Peers: as their documentation says, or tuned by hand.
    tuned: bool = False
    #: Where the arm may keep files.
    directory: str = ""
    #: None for peers, whose processes share the machine.
    engine_core: int | None = 0
    generator_core: int = 1

    @property
    def name(self) -> str:
        """The arm's name in reports."""
        return f"{self.arm} tuned" if self.tuned else self.arm


class Sample(msgspec.Struct, kw_only=True):
    """What one stage measured. Times are seconds, rates are to capacity; None where there was nothing to measure."""

    load: float
    fresh: bool
    #: Decisions that arrived in the whole stage, and how they ended; these add up.
    received: int
    ends: dict[str, int]
    #: In the window: on-time completions to capacity, in decisions and in work.
    goodput: float
    goodput_work: float
    #: The index over the window's arrivals, what was kept of V*, and its losses by cause.
    quality: float
    value_kept: float
    losses: dict[str, float]
    #: In the whole stage.
    stale_starts: int
    started: int
    late_ends: int
    ended: int
    #: Calls that reached the downstream, for each time that a client asked: a client that asks again decides anew.
    attempts: float
    #: From the intended arrival to the answer, in service times: p99 of refusals; of on-time ends, to the deadline.
    refusal_p99: float | None
    success_p99: float | None
    #: From the start of the stage until goodput has settled, and after an outage until it is back; in service times.
    settle: float | None
    #: The generator's lag behind its schedule, seconds.
    lag_p99_s: float
    #: Processor seconds of the arm's process, a decision that arrived.
    cpu_us: float
    rss_mb: float
    seconds: float


class Ran(msgspec.Struct, kw_only=True):
    """All that a cell's process says."""

    arm: str
    seed: int
    #: Measured on-time completions a second, and on-time work (service seconds a second).
    capacity_per_s: float
    capacity_work: float
    samples: list[Sample]
    facts: dict[str, float] = {}
