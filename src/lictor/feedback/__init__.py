"""Stage 6, what did it teach: an Outcome becomes a Lesson and a bounded Adjustment, written for others to read."""
