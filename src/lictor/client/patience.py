"""When a call is made again, and after how long.

Made again is only what certainly had no effect, or has its effect once however often it arrives:

- nobody was reached: always;
- the node turned it away before it took it (429, or a verdict that says shed): always;
- no answer, a broken one, or another 503, 502, 504: where the call only reads, or names a key.

`Retry-After` is obeyed; where it asks for more than `wait_s_max`, the call is not made again and its error says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: Turned away before the node took it.
NOT_TAKEN = frozenset({429})
#: Whether it was taken is not known.
UNKNOWN = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is made, and how long is waited between: full jitter up to `base_s`, doubled each time."""

    tries_max: int = 4
    base_s: float = 0.1
    #: Longer than this is not waited between two tries.
    wait_s_max: float = 30.0

    def wait_s(self, tried: int, retry_after_s: float | None, draw: Callable[[float, float], float]) -> float | None:
        """Seconds until the next try; None where there is none.

        Args:
            tried: How often it was tried, at least 1.
            retry_after_s: What the node asks for.
            draw: A uniform random number between two bounds.
        """
        if tried >= self.tries_max or (retry_after_s or 0.0) > self.wait_s_max:
            return None
        jitter_s = draw(0.0, min(self.wait_s_max, self.base_s * 2 ** (tried - 1)))
        return (retry_after_s or 0.0) + jitter_s


#: Every call is made once.
ONCE = Patience(tries_max=1)
