"""Budgets, slots, rates, breakers and extra work: pure arithmetic that validation and execution both read."""
