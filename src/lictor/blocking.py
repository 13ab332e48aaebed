"""A node for code that is not async: Django, Flask, scripts, any number of threads. Each call waits for its answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from lictor.app import App
from lictor.entry import Handle
from lictor.errors import NodeStoppedError
from lictor.inputs.pulling import Pulled, PullSource
from lictor.journal import port
from lictor.node import Node
from lictor.records import Amount, Decision, Outcome, Quarantined, Report, Signal, Verdict
from lictor.runtime.background import Background, ClosedError

P = ParamSpec("P")
T = TypeVar("T")


class BlockingHandle:
    """What a submitter holds, as `Handle` is, for any thread."""

    def __init__(self, node: BlockingNode, handle: Handle) -> None:
        self._node = node
        self._handle = handle

    @property
    def id(self) -> int | None:
        """The decision's id; None where it never became one."""
        return self._handle.id

    @property
    def decision(self) -> Decision | None:
        """The decision."""
        return self._handle.decision

    @property
    def verdict(self) -> Verdict:
        """The one in force: a held decision's changes when a person has answered."""
        return self._handle.verdict

    @property
    def duplicate(self) -> bool:
        """The same key and content was submitted before; this is the original answer (I10)."""
        return self._handle.duplicate

    @property
    def admitted(self) -> bool:
        """Whether it may happen."""
        return self._handle.admitted

    @property
    def done(self) -> bool:
        """Whether there is nothing more to come."""
        return self._handle.done

    def outcome(self, *, timeout_s: float | None = None) -> Outcome | None:
        """Wait for the one outcome; None where the decision was refused or shed.

        Raises:
            TimeoutError: not within `timeout_s`; it can be asked again.
            NodeStoppedError: the node stopped before; the outcome comes to whoever asks the next one.
        """
        return self._node.wait(self._handle.outcome(), timeout_s)

    def __repr__(self) -> str:
        return repr(self._handle)


class BlockingNode:
    """Runs an App on a journal: `with BlockingNode(app, "payouts.db") as node`.

    The node runs in a thread of its own. Make it in the process that uses it: after a fork (a preloading web server)
    the child has no such thread, and its calls raise `NodeStoppedError`.
    """

    def __init__(self, app: App, journal: port.Journal | str = "memory:", **options: Any) -> None:
        """Make the node; `options` are those of `Node`."""
        self._node = Node(app, journal, **options)
        self._background = Background(f"lictor-{app.name}")

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the journal, recover, take work."""
        self._background.start()
        try:
            self.wait(self._node.start())
        except BaseException:
            self._background.close(self._node.stop())
            raise

    def stop(self) -> None:
        """Drain, and close the journal. Threads that still wait get a `NodeStoppedError`."""
        self._background.close(self._node.stop())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run any coroutine beside the node and wait for it.

        Raises:
            TimeoutError: it took longer than `timeout_s`.
            NodeStoppedError: the node was stopped, or is in another process.
        """
        try:
            return self._background.run(work, timeout_s)
        except ClosedError:
            raise NodeStoppedError from None

    def call(
        self, governed: Callable[Concatenate[Node, P], Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function that `App.govern` has made, in the `Run` of the calling thread, and wait for its result.

        Raises:
            NotDone: it was refused or is held, failed, or has no outcome yet.
        """
        return self.wait(governed(self._node, *args, **kwargs))

    # -- submit ---------------------------------------------------------------------------------------------------

    def submit(self, value: Any, *, timeout_s: float | None = None, **options: Any) -> BlockingHandle:
        """Submit one decision and wait for its durable verdict; see `Node.submit`.

        Raises:
            TimeoutError: no verdict within `timeout_s`. It is decided all the same; with a key it can be asked again.
            NodeStoppedError: the node takes no work.
        """
        signal = value if isinstance(value, Signal) else self._node.signal(value, **options)
        return BlockingHandle(self, self.wait(self._node.submit(signal), timeout_s))

    def submit_many(
        self, values: Iterable[Any], *, timeout_s: float | None = None, **options: Any
    ) -> list[BlockingHandle]:
        """Submit many and wait for all their verdicts, in order; see `Node.submit_many`."""
        handles = self.wait(self._node.submit_many(list(values), **options), timeout_s)
        return [BlockingHandle(self, handle) for handle in handles]

    def pull(self, source: PullSource | AsyncIterable[Signal], *, ahead_max: int = 1_000) -> Pulled:
        """Submit all that a source gives and count what became of it; see `Node.pull`."""
        return self.wait(self._node.pull(source, ahead_max=ahead_max))

    # -- quarantine -----------------------------------------------------------------------------------------------

    def quarantined(self, source: str | None = None, *, limit: int = 100) -> list[Quarantined]:
        """What is kept in quarantine, newest first."""
        return self.wait(self._node.quarantined(source, limit=limit))

    def replay(self, entry: int, *, by: str, payload: bytes | str | Any | None = None) -> BlockingHandle:
        """Send a quarantined signal through the door again; see `Node.replay`."""
        return BlockingHandle(self, self.wait(self._node.replay(entry, by=by, payload=payload)))

    def discard(self, entry: int, *, by: str) -> None:
        """Take a signal out of quarantine for good."""
        self.wait(self._node.discard(entry, by=by))

    # -- steer ----------------------------------------------------------------------------------------------------

    def approve(
        self,
        decision: int,
        *,
        by: str,
        approved: bool = True,
        gate: str | None = None,
        reason: str = "",
        again_for_s: float | None = None,
    ) -> int:
        """Answer a held decision; see `Node.approve`."""
        return self.wait(
            self._node.approve(decision, by=by, approved=approved, gate=gate, reason=reason, again_for_s=again_for_s)
        )

    def withdraw(self, gate: str, subject: str, *, by: str) -> None:
        """Take a standing approval back; see `Node.withdraw`."""
        self.wait(self._node.withdraw(gate, subject, by=by))

    def cancel(self, decision: int, *, by: str, reason: str = "") -> bool:
        """Ask to cancel; see `Node.cancel`."""
        return self.wait(self._node.cancel(decision, by=by, reason=reason))

    def halt(self, scope: str = "all", *, by: str, reason: str = "", reduce_only: bool = False) -> None:
        """Stop all starts in a scope; see `Node.halt`."""
        self.wait(self._node.halt(scope, by=by, reason=reason, reduce_only=reduce_only))

    def resume(self, scope: str = "all", *, by: str, reason: str = "") -> None:
        """Lift a halt; see `Node.resume`."""
        self.wait(self._node.resume(scope, by=by, reason=reason))

    def set_limit(self, budget: str, limit: Amount, *, scope: str = "all", by: str, reset_latch: bool = False) -> None:
        """Change the limit of a balance's scope; see `Node.set_limit`."""
        self.wait(self._node.set_limit(budget, limit, scope=scope, by=by, reset_latch=reset_latch))

    def resolve(self, where: int | str, news: Report, *, ordinal: int = 0, by: str = "world") -> bool:
        """Bring news of an action; see `Node.resolve`."""
        return self.wait(self._node.resolve(where, news, ordinal=ordinal, by=by))
