"""OpenTelemetry: one trace a decision, built from the journal's history once it is closed, off the path of decisions.

A decision's trace id follows from the App's name and the decision's id (`trace_id`), so that whoever has one finds the
other. A child's trace is linked to its parent's, and to the trace of whoever submitted it (`traceparent`). A decision
is in the sample or is not, by its id alone. What cannot be built at the pace of decisions is dropped and counted.

    decision Payout          from arrival to its end
      validation             each verdict, with every ruling as an event
      queue                  from the verdict to the first attempt
      attempt of transfer    each one
      reconcile transfer     in doubt or pending, until it is known
      compensate transfer
      outcome

What users wrote goes through the redactor; payloads, arguments and results are not in it at all.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lictor.declarations.plain import told
from lictor.errors import JournalError, LictorError
from lictor.journal.open import Open
from lictor.journal.port import Admit, Answer, Verb
from lictor.node import Node

from .spans import Piece, pieces

if TYPE_CHECKING:
    from opentelemetry.trace import Link, SpanContext, TracerProvider

#: Decisions that wait to be built; of more the newest are dropped.
WAITING_MAX = 2_000
#: After so many, other work may run.
BREATH = 4
_RANGE = 1 << 64
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Traces:
    """The traces of one node; nothing at all where the sample is 0."""

    def __init__(self, node: Node, provider: TracerProvider | None = None) -> None:
        self._node = node
        self._given = provider
        self._share = node.settings.trace
        self._waiting: deque[int] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to build.

        Raises:
            LictorError: the extra `lictor[otel]` is not installed.
        """
        if not self._share:
            return
        try:
            from opentelemetry.trace import get_tracer_provider
        except ImportError as error:
            raise LictorError(f"traces: {error}", hint="pip install 'lictor[otel]'") from error
        self._tracer = (self._given or get_tracer_provider()).get_tracer("lictor")
        self._node.pipeline.monitoring.heard.append(self._turned)
        self._task = asyncio.create_task(self._build())

    async def stop(self) -> None:
        """Build no more than what waits."""
        if self._task is None:
            return
        self._node.pipeline.monitoring.heard.remove(self._turned)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        while self._waiting and self._node.failure is None:
            await self._trace(self._waiting.popleft())

    def sampled(self, decision: int) -> bool:
        """Whether a decision is in the sample."""
        low = int.from_bytes(sha256(b"%d" % decision).digest()[:8])
        return low < self._share * _RANGE

    # -- what has ended -------------------------------------------------------------------------------------------

    def _turned(self, verbs: Sequence[Verb], answers: Sequence[Answer], finished: Sequence[Open]) -> None:
        """A turn was committed."""
        for found in finished:
            self._ended(found.decision.id)
        for verb, answer in zip(verbs, answers, strict=True):
            if type(verb) is Admit and answer.ok and answer.verdict is not None and answer.verdict.result == "refused":
                self._ended(verb.decision.id)

    def _ended(self, decision: int) -> None:
        if not self.sampled(decision):
            return
        if len(self._waiting) >= WAITING_MAX:
            self._count("dropped")
            return
        self._waiting.append(decision)
        self._news.set()

    async def _build(self) -> None:
        built = 0
        while True:
            self._news.clear()
            while self._waiting:
                await self._trace(self._waiting.popleft())
                built += 1
                if built % BREATH == 0:
                    await asyncio.sleep(0)
            await self._news.wait()

    # -- spans ----------------------------------------------------------------------------------------------------

    async def _trace(self, decision: int) -> None:
        """The spans of one decision; what goes wrong costs a trace and nothing else."""
        try:
            rows = await self._node.journal.history(decision)
            made = pieces(decision, rows, self._node.pipeline.monitoring.redact)
            if made:
                self._emit(decision, made)
                self._count("built")
        except JournalError:
            return
        except Exception as error:  # noqa: BLE001 - exporters and processors are the user's
            self._count("failed")
            self._node.pipeline.monitoring.note("trace_failed", error=told(error))

    def _emit(self, decision: int, made: list[Piece]) -> None:
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        whole, *parts = made
        origin = context_of(self._node.app.name, decision)
        root = self._tracer.start_span(
            whole.name,
            set_span_in_context(NonRecordingSpan(origin)),
            attributes=whole.attributes,
            links=self._links(whole),
            start_time=whole.from_us * 1000,
        )
        within = set_span_in_context(root)
        for part in parts:
            span = self._tracer.start_span(
                part.name, within, attributes=part.attributes, start_time=part.from_us * 1000
            )
            _end(span, part)
        _end(root, whole)

    def _links(self, whole: Piece) -> list[Link]:
        """To the parent's trace, and to that of whoever submitted it."""
        from opentelemetry.trace import Link

        links = []
        if whole.parent is not None:
            links.append(Link(context_of(self._node.app.name, whole.parent), {"lictor.link": "parent"}))
        if whole.traceparent is not None and (came := incoming(whole.traceparent)) is not None:
            links.append(Link(came, {"lictor.link": "submitted"}))
        return links

    def _count(self, what: str) -> None:
        self._node.pipeline.monitoring.counts.outside.add(("trace", "decisions", what))


def _end(span: Any, piece: Piece) -> None:
    from opentelemetry.trace import StatusCode

    for name, at_us, attributes in piece.events:
        span.add_event(name, attributes, at_us * 1000)
    if piece.failed is not None:
        span.set_status(StatusCode.ERROR, piece.failed)
    span.end(piece.to_us * 1000)


def trace_id(app: str, decision: int) -> str:
    """The id of a decision's trace, in hex."""
    return _ids(app, decision)[:16].hex()


def context_of(app: str, decision: int) -> SpanContext:
    """Where the spans of a decision hang: its trace, and the origin that stands for the decision itself."""
    from opentelemetry.trace import SpanContext, TraceFlags

    ids = _ids(app, decision)
    trace, span = int.from_bytes(ids[:16]), int.from_bytes(ids[16:24])
    return SpanContext(trace or 1, span or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _ids(app: str, decision: int) -> bytes:
    return sha256(f"{app}\0{decision}".encode()).digest()


def traceparent(text: str | None) -> str | None:
    """The header of that name, for `Signal.trace`; None where it is none."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def incoming(text: str) -> SpanContext | None:
    """The context that a `traceparent` names; None where it names none."""
    from opentelemetry.trace import SpanContext, TraceFlags

    parts = _TRACEPARENT.fullmatch(text)
    if parts is None:
        return None
    flags = TraceFlags(int(parts[3], 16))
    found = SpanContext(int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=flags)
    return found if found.is_valid else None
