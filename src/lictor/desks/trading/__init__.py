"""The trading desk: models decide, Lictor governs, a real matching engine answers over FIX 4.4.

`desk` is the entry point of `lictor.desks`; `python -m lictor.desks.trading` runs its demo too. Needs the extra
`lictor[trading]`; what is imported here is not, so that a missing extra can be said in a sentence.
"""

from lictor.desks.trading.desk import Desk, desk

__all__ = ["Desk", "desk"]
