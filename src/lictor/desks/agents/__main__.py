"""`python -m lictor.desks.agents`: the demo."""

import sys

from lictor.desks.agents.desk import desk

sys.exit(desk.demo(sys.argv[1:]))
