"""Stage 3, may it happen and how much: a Decision becomes a Verdict. Pure: no I/O, no clock, no randomness."""
