"""Browsers that have logged in: a short random id in a cookie, everything else in this process's memory.

A session is never more than its key: its grant is looked up anew at each request, so a revoked key ends it at once.
It ends after `IDLE_S` without a request, after `WHOLE_S` in any case, and with the process. Bounded: each key has at
most `PER_KEY_MAX`, all together at most `SESSIONS_MAX`; the one that was idle longest makes room.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from lictor.runtime.clock import Clock

from .secret import letters

IDLE_S = 30 * 60.0
WHOLE_S = 12 * 3_600.0
SESSIONS_MAX = 1_000
PER_KEY_MAX = 10
_ID_BYTES = 32
_COOKIE_MAX = 100


class Session(msgspec.Struct):
    """One browser."""

    #: The id of the key that it logged in with.
    grant: str
    #: What unsafe requests must carry beside the cookie.
    csrf: str
    began: float
    seen: float


class Sessions:
    """All browsers that are logged in. Times are seconds of the monotonic clock."""

    def __init__(self, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = random
        #: By the digest of the id, so that looking one up tells nothing of the ids that there are.
        self._open: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, grant: str) -> str:
        """A new session; what its cookie holds."""
        now = self._clock.monotonic()
        self._drop(now)
        mine = [name for name, session in self._open.items() if session.grant == grant]
        if len(mine) >= PER_KEY_MAX:
            self._evict(mine)
        elif len(self._open) >= SESSIONS_MAX:
            self._evict(list(self._open))
        cookie = letters(self._random(_ID_BYTES))
        self._open[_name(cookie)] = Session(grant, letters(self._random(_ID_BYTES)), now, now)
        return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it has ended or never was."""
        if not 0 < len(cookie) <= _COOKIE_MAX:
            return None
        name, now = _name(cookie), self._clock.monotonic()
        found = self._open.get(name)
        if found is None:
            return None
        if _over(found, now):
            del self._open[name]
            return None
        found.seen = now
        return found

    def end(self, cookie: str) -> None:
        """Log out."""
        self._open.pop(_name(cookie), None)

    def _drop(self, now: float) -> None:
        for name in [name for name, session in self._open.items() if _over(session, now)]:
            del self._open[name]

    def _evict(self, names: list[bytes]) -> None:
        del self._open[min(names, key=lambda name: self._open[name].seen)]


def _over(session: Session, now: float) -> bool:
    return now - session.seen >= IDLE_S or now - session.began >= WHOLE_S


def _name(cookie: str) -> bytes:
    return sha256(cookie.encode("utf-8", "surrogatepass")).digest()
