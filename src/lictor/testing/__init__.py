"""Shipped to users: virtual clock, memory journal, simulator and conformance suites."""
