"""Alerts by rule: told once when something begins that a person should know, and once when it is over.

To the log always, and to an address where one is declared: signed (Standard Webhooks) and through the guard. What
begins is told at most so often in an hour, and the next that is told says how many were not; what is over is told
wherever its beginning was. What still holds after a restart is told again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Any

from lictor.declarations.outside import Alert
from lictor.errors import LictorError
from lictor.node import Node

from .conditions import Condition, Conditions
from .lasting import lasting
from .posting import Post, wait_s

#: How often it is looked, in seconds.
LOOK_S = 1.0
#: Messages that wait for an address that does not take them; of more the oldest are dropped.
WAITING_MAX = 200
#: A message is tried so often, and the wait between two tries is at most so long.
TRIES = 12
RETRY_MAX_S = 300.0
_HOUR_US = 3_600_000_000


class Alerts:
    """The alerts of one node."""

    def __init__(self, node: Node) -> None:
        self._watches = [Watch(node, alert) for alert in node.app.alerts.values()]

    def start(self) -> None:
        """Begin to look."""
        for watch in self._watches:
            watch.start()

    async def stop(self) -> None:
        """Look no more."""
        for watch in self._watches:
            await watch.stop()


class Watch:
    """One declared alert: what it has told and not yet taken back, and what it still has to tell."""

    def __init__(self, node: Node, alert: Alert) -> None:
        self._node = node
        self._alert = alert
        self._conditions = Conditions(node, alert.in_doubt_s)
        self._post: Post | None = None
        if alert.url is not None and alert.secret is not None:
            self._post = Post(alert.url, alert.secret, alert.allow, node.clock)
        #: What holds: since when, and whether that was told.
        self._holds: dict[tuple[str, str], tuple[Condition, int, bool]] = {}
        self._sent_us: deque[int] = deque()
        self._kept_back = 0
        self._waiting: deque[tuple[str, str, int, dict[str, Any]]] = deque()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look."""
        runs = [("alerts", partial(self._look))]
        if self._post is not None:
            runs.append(("alerts that are sent", partial(self._send, self._post)))
        self._tasks = [asyncio.create_task(lasting(self._node, name, run)) for name, run in runs]

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self.step()
            await self._node.clock.sleep(LOOK_S)

    def step(self) -> None:
        """Compare what is wrong with what was wrong, and tell the difference."""
        now_us = self._node.clock.wall_us()
        found = {key: it for key, it in self._conditions.now().items() if it.rule in self._alert.rules}
        for key, condition in found.items():
            if key not in self._holds:
                told = self._may_tell(now_us)
                self._holds[key] = (condition, now_us, told)
                if told:
                    self._tell("alert.raised", condition, now_us, now_us)
        for key in [key for key in self._holds if key not in found]:
            condition, since_us, told = self._holds.pop(key)
            if told:
                self._tell("alert.resolved", condition, since_us, now_us)

    def _may_tell(self, now_us: int) -> bool:
        """Whether one more may be told in this hour."""
        while self._sent_us and self._sent_us[0] <= now_us - _HOUR_US:
            self._sent_us.popleft()
        if len(self._sent_us) >= self._alert.per_hour:
            self._kept_back += 1
            self._count("kept_back")
            return False
        self._sent_us.append(now_us)
        return True

    def _tell(self, type_: str, condition: Condition, since_us: int, now_us: int) -> None:
        """Into the log, and to the address."""
        monitoring = self._node.pipeline.monitoring
        event = type_.replace(".", "_")
        monitoring.note(
            event, alert=self._alert.name, rule=condition.rule, subject=condition.subject, text=condition.text
        )
        self._count("raised" if type_ == "alert.raised" else "resolved")
        if self._post is None:
            return
        data = {
            "app": self._node.app.name,
            "alert": self._alert.name,
            "rule": condition.rule,
            "subject": condition.subject,
            "text": condition.text,
            "facts": condition.facts,
            "since_us": since_us,
            "at_us": now_us,
        }
        if type_ == "alert.raised":
            data["kept_back"], self._kept_back = self._kept_back, 0
        id_ = f"{condition.rule}:{condition.subject}:{since_us}:{event}"
        self._waiting.append((_bounded(id_), type_, now_us, monitoring.redact(data)))
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self._count("lost")
        self._news.set()

    async def _send(self, post: Post) -> None:
        """Send what there is to tell, one after another."""
        while True:
            while self._waiting:
                await self._deliver(post, *self._waiting.popleft())
            self._news.clear()
            await self._news.wait()

    async def _deliver(self, post: Post, id_: str, type_: str, at_us: int, data: dict[str, Any]) -> None:
        for tries in range(1, TRIES + 1):
            try:
                await post.send(id_, type_, at_us, data)
            except LictorError as error:
                self._count("failed")
                failed = error
            else:
                self._count("sent")
                return
            draw = self._node.randomness.uniform(0.0, 1.0)
            await self._node.clock.sleep(wait_s(tries, draw, RETRY_MAX_S, failed))
        self._count("lost")
        self._node.pipeline.monitoring.note("alert_lost", alert=self._alert.name, id=id_, error=failed.message)

    def _count(self, what: str) -> None:
        self._node.pipeline.monitoring.counts.outside.add(("alert", self._alert.name, what))


def _bounded(id_: str) -> str:
    """An id as headers can have it."""
    return id_.encode("ascii", "backslashreplace").decode().replace(" ", "_")[:200]
