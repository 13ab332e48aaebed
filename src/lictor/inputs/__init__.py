"""Stage 1, something asks: a Signal becomes a trusted Signal or goes to quarantine."""
