"""What the surfaces cost and hold: HTTP submits, lists over a million decisions, viewers, and what was tampered with.

`make bench-surfaces` runs all of it and writes `out/surfaces/`.
"""
