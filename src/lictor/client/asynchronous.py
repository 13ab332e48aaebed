"""The async client: `async with AsyncClient(url, key=...) as client`. The same calls as `Client` has, awaited."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar, cast

from lictor.runtime.clock import Clock, SystemClock
from lictor.runtime.randomness import Randomness

from . import api
from .answers import (
    Answered,
    Budgets,
    Cancelled,
    Decision,
    Event,
    FeedRow,
    Outcomes,
    Quarantined,
    Standing,
    Stopped,
    Story,
    Submitted,
)
from .failures import ApiError
from .patience import Patience
from .signals import Signal
from .steps import END, Give, Line, Listen, Lost, Manner, Pause, Reply, Send, Steps, Take
from .transport import httpx, lost, options, reply, request

T = TypeVar("T")


class AsyncClient:
    """Calls the HTTP API of a node.

    A call is made again only where that is safe, with full jitter, and `Retry-After` is obeyed; `Patience` says how
    often. A submit is made again without an answer only if it has a key: give one.

    Raises, in every call:
        UnreachableError: nobody answered.
        NotAllowedError: the key is not good, or may not do this.
        BusyError: not now, and patience is over; `retry_after_s` says when.
        ApiError: the node said no; `code`, `message`, `hint`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 10.0,
        patience: Patience | None = None,
        verify: Any = True,
        randomness: Randomness | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Make a client; it connects when it is first used.

        Args:
            url: Where the node serves, such as `http://127.0.0.1:8700`.
            key: An API key, as `lictor keys make` prints it.
            timeout_s: How long an answer may take, beyond what the node was asked to wait.
            patience: How often a call is made.
            verify: An `ssl.SSLContext` of your own, where the node's certificate is signed by nobody that is known.
            randomness: What jitter is drawn from.
            clock: What it waits by.
        """
        self._http = httpx().AsyncClient(**options(url, key, timeout_s, verify))
        self._url = url
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._manner = Manner(patience or Patience(), (randomness or Randomness()).uniform)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def submit(
        self,
        kind: str,
        payload: Any,
        *,
        key: str | None = None,
        wait_s: float | None = None,
        **options: Any,
    ) -> Submitted:
        """Submit one decision and wait for its durable verdict; with `wait_s` also for its outcome, so long at most.

        Args:
            kind: The kind of decision.
            payload: Its content: a dict, a dataclass or a struct.
            key: Its identity. Only with one it is safe to submit again, by this client too.
            wait_s: Seconds to wait for the outcome; without one it is None unless it is known already.
            **options: Fields of `Signal`: `source`, `tenant`, `priority`, `expires_in_s`, `confidence`, ...
        """
        return await self._ask(api.submit(Signal(kind=kind, payload=payload, key=key, **options), wait_s, self._manner))

    async def show(self, what: str, *, tenant: str | None = None) -> Story:
        """What happened to a decision, by id or key: every ruling with what it saw, every attempt, the outcome."""
        return await self._ask(api.story(what, tenant, self._manner))

    async def outcomes(
        self, after: int = 0, *, source: str | None = None, limit: int = 100, wait_s: float = 0.0
    ) -> Outcomes:
        """At most `limit` outcomes after a cursor, oldest first; waits `wait_s` for news where there are none."""
        return await self._ask(api.outcomes(after, source, limit, wait_s, self._manner))

    async def approve(
        self,
        what: str,
        *,
        reason: str = "",
        gate: str | None = None,
        again_for_s: float | None = None,
        tenant: str | None = None,
    ) -> Answered:
        """Approve what a gate holds: exactly this content, once. It is never made again without an answer.

        With `again_for_s` the same content of the same source is approved for so long, while the gate stays as it is.
        """
        body = {"reason": reason, "gate": gate, "again_for_s": again_for_s}
        return await self._ask(api.answer(what, body, tenant, self._manner, approved=True))

    async def standing(self, limit: int = 100) -> tuple[Standing, ...]:
        """What is approved again without asking, newest first."""
        return await self._ask(api.standing(limit, self._manner))

    async def withdraw(self, what: str, *, gate: str | None = None, tenant: str | None = None) -> tuple[Standing, ...]:
        """Withdraw what stands for the content and source of a decision; what it has approved stays so."""
        return await self._ask(api.withdraw(what, gate, tenant, self._manner))

    async def deny(
        self, what: str, *, reason: str = "", gate: str | None = None, tenant: str | None = None
    ) -> Answered:
        """Deny what a gate holds. It is never made again without an answer."""
        return await self._ask(api.answer(what, {"reason": reason, "gate": gate}, tenant, self._manner, approved=False))

    async def cancel(self, what: str, *, reason: str = "", tenant: str | None = None) -> Cancelled:
        """Ask to cancel: what has not started ends; what has, is asked to stop and keeps its true result."""
        return await self._ask(api.cancel(what, reason, tenant, self._manner))

    async def resolve(
        self,
        what: str,
        result: str,
        *,
        code: str | None = None,
        value: Any = None,
        settled: Mapping[str, str] | None = None,
        ordinal: int = 0,
        report: str | None = None,
        tenant: str | None = None,
    ) -> bool:
        """Bring news of an action that is pending or in doubt; False where it was known or had ended.

        With `report`, an id of the news, it counts once however often it is brought.
        """
        body = {
            "result": result,
            "code": code,
            "value": value,
            "settled": dict(settled or {}),
            "ordinal": ordinal,
            "report": report,
        }
        return await self._ask(api.resolve(what, body, tenant, self._manner))

    async def halt(self, scope: str = "all", *, reason: str = "", reduce_only: bool = False) -> Stopped:
        """Stop all starts in a scope; the answer says what stands still and what goes on all the same."""
        return await self._ask(api.halt(scope, reason, self._manner, reduce_only=reduce_only))

    async def resume(self, scope: str = "all", *, reason: str = "") -> bool:
        """Lift a halt; False where there was none."""
        return await self._ask(api.resume(scope, reason, self._manner))

    async def halts(self) -> tuple[Stopped, ...]:
        """What is halted, and what goes on there."""
        return await self._ask(api.halts(self._manner))

    async def budgets(self) -> Budgets:
        """All balances: limit, settled, reserved, left; and what is halted."""
        return await self._ask(api.budgets(self._manner))

    async def set_limit(self, budget: str, limit: int | str, *, scope: str = "all", reset_latch: bool = False) -> None:
        """Set the limit of a balance from now on."""
        body = {"limit": str(limit), "scope": scope, "reset_latch": reset_latch}
        await self._ask(api.set_limit(budget, body, self._manner))

    async def reset_latch(self, budget: str, *, scope: str = "all") -> None:
        """Lift the latch that an overrun has set."""
        await self._ask(api.reset_latch(budget, scope, self._manner))

    async def sources(self) -> tuple[dict[str, Any], ...]:
        """Who decides, with scores and demotions, as plain data."""
        return await self._ask(api.sources(self._manner))

    async def reinstate(self, source: str, *, reason: str = "") -> None:
        """Admit a demoted source again."""
        await self._ask(api.reinstate(source, reason, self._manner))

    async def quarantine(self, source: str | None = None, *, limit: int = 100) -> tuple[Quarantined, ...]:
        """Signals that are kept aside, newest first."""
        return await self._ask(api.quarantine(source, limit, self._manner))

    async def quarantined(self, entry: str) -> Quarantined:
        """One signal that is kept aside, with its content."""
        return await self._ask(api.kept(entry, self._manner))

    async def replay(self, entry: str, payload: Any = None) -> Submitted:
        """Send it through the door again, as it was or with another payload."""
        return await self._ask(api.replay(entry, payload, self._manner))

    async def discard(self, entry: str) -> None:
        """Take it out of quarantine for good."""
        await self._ask(api.discard(entry, self._manner))

    async def rehearse(
        self, *, limits: Mapping[str, str] | None = None, since_us: int = 0, kinds: Sequence[str] = ()
    ) -> Any:
        """Which verdicts of the past the rules in force, or other limits, would change; as plain data."""
        body = {"limits": dict(limits or {}), "since_us": since_us, "kinds": list(kinds)}
        return await self._ask(api.rehearse(body, self._manner))

    async def quality(self) -> Any:
        """The execution-quality index, now and by load, as plain data."""
        return await self._ask(api.data("/v1/quality", self._manner))

    async def node(self) -> Any:
        """What runs there: App, policy, kinds, halts; as plain data."""
        return await self._ask(api.data("/v1/node", self._manner))

    async def kinds(self) -> Any:
        """What can be submitted, with the JSON schema of each payload, as plain data."""
        return await self._ask(api.data("/v1/kinds", self._manner))

    def submit_many(
        self, signals: AsyncIterable[Signal] | Iterable[Signal]
    ) -> AsyncGenerator[Submitted | ApiError, None]:
        """Submit many and give the answer to each, in order: its verdict, or the error that it is.

        Few are ahead of their answers (48 KiB): whoever does not take answers sends no more. Without an answer a piece
        is sent again only if all its signals have keys; what was shed is always sent again, while patience lasts.
        """
        return self._give(api.submit_many(self._manner), signals)

    def decisions(
        self,
        *,
        limit: int | None = None,
        state: str | None = None,
        kind: str | None = None,
        tenant: str | None = None,
        source: str | None = None,
        code: str | None = None,
        key: str | None = None,
        open_only: bool = False,
    ) -> AsyncGenerator[Decision, None]:
        """Decisions, newest first, page by page as they are taken."""
        filters = {
            "state": state,
            "kind": kind,
            "tenant": tenant,
            "source": source,
            "code": code,
            "key": key,
            "open": open_only or None,
        }
        return self._give(api.decisions(filters, limit, self._manner))

    def follow(self, after: int = 0, *, source: str | None = None) -> AsyncGenerator[FeedRow, None]:
        """All outcomes after a cursor, then each new one, without end.

        Keep the cursor of the last one that was dealt with, and nothing is missed, whatever stops.
        """
        return self._give(api.follow(after, source, self._manner))

    def events(self) -> AsyncGenerator[Event, None]:
        """Everything that changes, as it changes, without end; comes back by itself where the connection breaks."""
        return self._give(api.events(self._manner))

    # -- how it is done -------------------------------------------------------------------------------------------

    async def _ask(self, steps: Steps[T]) -> T:
        """Perform the steps of a call that gives one thing."""
        heard: Any = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            heard = await self._step(step)

    async def _give(
        self, steps: Steps[None], given: AsyncIterable[Signal] | Iterable[Signal] = ()
    ) -> AsyncGenerator[Any, None]:
        """Perform the steps of a call that gives many."""
        items = _items(given)
        listening = AsyncExitStack()
        lines: AsyncIterator[str] = _none()
        heard: Any = None
        async with listening:
            while True:
                try:
                    step = steps.send(heard)
                except StopIteration:
                    return
                heard = None
                if isinstance(step, Give):
                    yield step.item
                elif isinstance(step, Take):
                    heard = await anext(items, END)
                elif isinstance(step, Listen):
                    await listening.aclose()
                    heard, lines = await self._listen(step.send, listening)
                elif isinstance(step, Line):
                    heard = await self._line(lines)
                else:
                    heard = await self._step(step)

    async def _step(self, step: Any) -> Any:
        if isinstance(step, Pause):
            return await self._clock.sleep(step.seconds)
        return await self._send(step)

    async def _send(self, send: Send) -> Reply | Lost:
        try:
            response = await self._http.request(**request(send, self._timeout_s))
        except httpx().TransportError as error:
            return lost(error, self._url)
        return reply(response, response.content)

    async def _listen(self, send: Send, listening: AsyncExitStack) -> tuple[Reply | Lost, AsyncIterator[str]]:
        try:
            response = await listening.enter_async_context(self._http.stream(**request(send, None)))
            if response.is_success:
                return reply(response, b""), response.aiter_lines()
            return reply(response, await response.aread()), _none()
        except httpx().TransportError as error:
            return lost(error, self._url), _none()

    async def _line(self, lines: AsyncIterator[str]) -> str | None:
        try:
            return await anext(lines, None)
        except httpx().TransportError:
            return None


async def _items(given: AsyncIterable[Signal] | Iterable[Signal]) -> AsyncIterator[Signal]:
    if isinstance(given, AsyncIterable):
        async for item in given:
            yield item
    else:
        for item in given:
            yield item


async def _none() -> AsyncIterator[str]:
    for line in cast("tuple[str, ...]", ()):
        yield line
