"""Services that call each other, layer by layer, each with its own time-out and tries; the lowest calls the server.

What people do today: every layer retries by itself, and a caller that gave up leaves what it has called running. With
`naive` every layer makes three tries; with `best-known` each has a retry budget of its own (10 %, as gRPC's A6 has it),
and the lowest an adaptive limit and a CoDel queue in front of the server.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from benchmarks.failures.virtual.arms.best_known import Codel, RetryBudget
from benchmarks.failures.virtual.arms.limits import Gradient2, Windowed
from benchmarks.failures.virtual.arms.outcome import finished
from benchmarks.failures.virtual.storm import Storm
from benchmarks.failures.virtual.world import Call, Job

TRIES = 3
_WAIT_US, _WAIT_US_MAX = 100_000, 10_000_000

Heard = Callable[[bool], None]


class _Asking:
    """One layer asking the next for one thing."""

    __slots__ = ("answered", "heard", "layer", "root", "tries")

    def __init__(self, root: Job, layer: int, heard: Heard) -> None:
        self.root = root
        self.layer = layer
        self.heard = heard
        self.tries = 0
        self.answered = False


class NaiveLayers:
    """Tries without a budget."""

    def __init__(self, storm: Storm, layers: int, seed: int) -> None:
        self.storm = storm
        self.world = storm.world
        self.layers = layers
        self._draw = random.Random(f"layers {seed}")

    def arrive(self, job: Job) -> None:
        """A caller comes to the first layer."""
        self._ask(job, 0, lambda done: finished(job, self.world.now_us) if done else None)

    def _ask(self, root: Job, layer: int, heard: Heard) -> None:
        self._try(_Asking(root, layer, heard))

    def _try(self, asking: _Asking) -> None:
        if asking.answered:
            return
        asking.tries += 1
        if asking.layer == 0:
            asking.root.attempts += 1
        mine = [False]

        def heard(done: bool) -> None:  # noqa: FBT001 - an answer
            if mine[0]:
                return
            mine[0] = True
            self._heard(asking, done=done)

        self.world.at(self.world.now_us + self.storm.timeout_us, lambda _: heard(False))  # noqa: FBT003
        if asking.layer + 1 < self.layers:
            self._ask(asking.root, asking.layer + 1, heard)
        else:
            self.send(asking.root, heard)

    def _heard(self, asking: _Asking, *, done: bool) -> None:
        if asking.answered:
            return
        if done:
            asking.answered = True
            self.succeeded(asking.layer)
            asking.heard(True)  # noqa: FBT003
        elif asking.tries < TRIES and self.may_retry(asking.layer):
            wait_us = self._draw.random() * min(_WAIT_US_MAX, _WAIT_US * 2 ** (asking.tries - 1))
            self.world.at(self.world.now_us + round(wait_us), self._try, asking)
        else:
            asking.answered = True
            asking.heard(False)  # noqa: FBT003

    def send(self, root: Job, heard: Heard) -> None:
        """The lowest layer calls the server."""
        self.storm.send(root, lambda call: heard(not call.failed))

    def succeeded(self, layer: int) -> None:
        """A layer heard of a success."""

    def may_retry(self, layer: int) -> bool:
        """A layer heard of a failure."""
        return True


class BestKnownLayers(NaiveLayers):
    """A budget in each layer; a limit and a CoDel queue before the server."""

    def __init__(self, storm: Storm, layers: int, seed: int) -> None:
        super().__init__(storm, layers, seed)
        self.budgets = [RetryBudget() for _ in range(layers)]
        self.limit = Windowed(Gradient2(seed))
        self.codel = Codel()
        self.waiting: deque[tuple[int, Job, Heard]] = deque()
        self.inflight = 0

    def send(self, root: Job, heard: Heard) -> None:
        self.waiting.append((self.world.now_us, root, heard))
        self._fill()

    def _fill(self) -> None:
        now_us = self.world.now_us
        while self.waiting and self.inflight < self.limit.limit:
            since_us, root, heard = self.waiting.popleft()
            if self.codel.drops(now_us - since_us, now_us):
                heard(False)  # noqa: FBT003
                continue
            self.inflight += 1
            call = self.storm.send(root, lambda call, heard=heard: self._returned(call, heard))
            call.sent_us = now_us
            self.world.at(now_us + self.storm.timeout_us, self._gave_up, call)

    def _returned(self, call: Call, heard: Heard) -> None:
        self._free(call, dropped=False)
        heard(not call.failed)
        self._fill()

    def _gave_up(self, call: Call) -> None:
        self._free(call, dropped=True)
        self._fill()

    def _free(self, call: Call, *, dropped: bool) -> None:
        if not call.told:
            call.told = True
            self.limit.sample(self.world.now_us - call.sent_us, self.world.now_us, self.inflight, dropped=dropped)
            self.inflight -= 1

    def succeeded(self, layer: int) -> None:
        self.budgets[layer].succeeded()

    def may_retry(self, layer: int) -> bool:
        return self.budgets[layer].failed()
