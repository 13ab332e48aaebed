"""How a job ends, told by its own fields."""

from __future__ import annotations

from benchmarks.failures.virtual.world import Job


def finished(job: Job, now_us: int) -> None:
    """A call of this job has returned with success; the first such return is what counts."""
    if job.ended_us is not None:
        return
    job.ended_us = now_us
    if job.started_us is not None and job.started_us >= job.deadline_us:
        job.end = "stale"
    else:
        job.end = "kept" if now_us <= job.deadline_us else "late"


def shed(job: Job, now_us: int) -> None:
    """The job was refused, and whoever asked knows."""
    job.shed_us = now_us
    job.end = "turned_away"
    job.concluded = True
