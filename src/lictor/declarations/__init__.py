"""Frozen records of what a user declares; `App` makes them, the stages read them.

They import nothing above errors and records.
"""
