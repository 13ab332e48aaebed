"""The venue: a process of its own that runs a matching engine on real order flow behind a FIX 4.4 acceptor.

`python -m lictor.desks.trading.venue --help` says how to start it.
"""

from lictor.desks.trading.venue.capture import Capture, CaptureMissing, read_capture
from lictor.desks.trading.venue.replay import replay_all, sample

__all__ = ["Capture", "CaptureMissing", "read_capture", "replay_all", "sample"]
