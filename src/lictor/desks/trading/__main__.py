"""`python -m lictor.desks.trading`: the demo."""

import sys

from lictor.desks.trading.desk import desk

sys.exit(desk.demo(sys.argv[1:]))
