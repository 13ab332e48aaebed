"""Stage 2, what exactly is wanted: a Signal becomes a Decision. Pure: no I/O, no clock, no randomness."""
