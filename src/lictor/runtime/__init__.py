"""The seams: clock, ids, randomness, probe and offload.

Everything nondeterministic enters here, so that a simulation can own it.
"""
