"""The public API as a user writes it: never run, only checked by mypy --strict."""
