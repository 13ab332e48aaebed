"""The demo: a venue, a desk, twenty minutes of a real market in under a minute, and the evidence of it."""
