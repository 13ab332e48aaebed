"""Stage 4, make it happen: a Verdict becomes a Plan, its Attempts and one Outcome.

The only stage that touches an effector.
"""
