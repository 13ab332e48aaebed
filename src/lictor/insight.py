"""What a node shows of itself: outcomes, scores, metrics, health, timelines, exports. It reads and never steers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from lictor.app import App
from lictor.feedback.export import Exported, export
from lictor.journal import port
from lictor.monitoring.health import Health, examine
from lictor.monitoring.live_quality import LiveQuality
from lictor.monitoring.metrics import Metrics
from lictor.monitoring.timeline import Timeline, timeline
from lictor.monitoring.vitals import Vitals
from lictor.pipeline import Pipeline
from lictor.runtime.clock import Clock


class Insight:
    """The part of a node that can be looked at."""

    app: App
    clock: Clock
    journal: port.Journal
    pipeline: Pipeline
    vitals: Vitals
    metered: Metrics
    accepting: bool
    failure: BaseException | None
    _tasks: list[asyncio.Task[None]]

    def _look(self) -> None:
        """Say where to look; once, when the pipeline is there."""
        pipeline = self.pipeline
        self.vitals = Vitals(
            self.clock,
            self.journal,
            pipeline.execution,
            pipeline.feedback.adjustments,
            pipeline.feedback.scores.all,
            lambda: len(pipeline.inputs),
            pipeline.inputs.waiting_max,
            pipeline.validation.references,
            {reference.name: reference.max_age_s for reference in self.app.references.values()},
        )
        self.metered = Metrics(pipeline.monitoring.counts, self.vitals, lambda: pipeline.monitoring.log.lost)

    async def outcomes(self, source: str | None = None, *, after: int = 0, limit: int = 100) -> list[port.OutcomeRow]:
        """At most `limit` outcomes after a cursor, oldest first, of one source or all; go on after the last."""
        return await self.pipeline.feedback.feed.rows(source, after, limit)

    def follow_outcomes(self, source: str | None = None, *, after: int = 0) -> AsyncIterator[port.OutcomeRow]:
        """All outcomes after a cursor, then each new one once it is durable.

        Ends when the node stops. Whoever keeps the last cursor that was dealt with misses nothing, whatever stops.
        """
        return self.pipeline.feedback.feed.follow(source, after)

    def score(self, source: str, name: str = "quality") -> float:
        """A source's score, 0 to 1: quality, success, on_time, calibration or cost; 1 while nothing is known."""
        self.pipeline.observe()
        return self.pipeline.feedback.score(source, name)

    def metrics(self) -> str:
        """Prometheus metrics in the text exposition format."""
        self.pipeline.observe()
        return self.metered.text()

    def quality(self) -> LiveQuality:
        """What was kept of the value that could have been kept: now, and at each load that was seen."""
        self.pipeline.observe()
        return self.metered.quality()

    def health(self) -> Health:
        """Whether the node is alive and ready, with the reasons where not."""
        falls = self.pipeline.monitoring.counts.quality.alert.raised
        started = bool(self._tasks)
        return examine(self.vitals, started=started, accepting=self.accepting, failure=self.failure, falls=falls)

    async def timeline(self, decision: int) -> Timeline:
        """The story of one decision, secrets redacted.

        Raises:
            NotFoundError: the journal has no such decision.
        """
        return await timeline(self.journal, decision, self.pipeline.monitoring.redact, self.clock.wall_us())

    async def export(
        self, path: str | Path, *, form: Literal["parquet", "jsonl"] | None = None, kind: str | None = None
    ) -> Exported:
        """Write decisions with verdicts, outcomes and what was known of their sources to a file, secrets redacted.

        Raises:
            LictorError: Parquet needs the extra `lictor[export]`.
        """
        return await export(self.journal, path, form=form, kind=kind, redact=self.pipeline.monitoring.redact)
